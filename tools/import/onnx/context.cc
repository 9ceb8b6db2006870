#include "tools/import/onnx/context.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "tools/import/named_weights.h"
#include "tools/import/onnx/patterns.h"
#include "tools/import/onnx/quantized.h"
#include "tools/import/weights/element_type.h"

namespace whit::tools::onnx {

namespace {

// Names that a node reads, those in its graphs among them. Parsing has bounded the depth.
template <typename Fn>
void ForEachRead(const NodeProto& node, Fn fn) {
  for (std::string_view name : node.inputs) {
    if (!name.empty()) fn(name);
  }
  for (const AttributeProto& attribute : node.attributes) {
    if (attribute.g == nullptr) continue;
    for (const NodeProto& inner : attribute.g->nodes) ForEachRead(inner, fn);
    for (const ValueInfo& output : attribute.g->outputs) fn(output.name);
  }
}

template <typename From, typename To>
Bytes Converted(std::span<const std::byte> bytes, bool* fits) {
  const size_t n = bytes.size() / sizeof(From);
  Bytes out(n * sizeof(To));
  for (size_t i = 0; i < n; ++i) {
    From from;
    std::memcpy(&from, bytes.data() + i * sizeof(From), sizeof(From));
    const To to = static_cast<To>(from);
    *fits = *fits && static_cast<From>(to) == from && (to < To(0)) == (from < From(0));
    std::memcpy(out.data() + i * sizeof(To), &to, sizeof(To));
  }
  return out;
}

Bytes FloatsOf(ElementType type, std::span<const std::byte> bytes) {
  std::vector<float> floats(bytes.size() / ElementSize(type));
  ToFloats(type, bytes, floats);
  const auto out = std::as_bytes(std::span(floats));
  return Bytes(out.begin(), out.end());
}

// Elements in whit's type for them.
Result<Bytes> InWhitType(DataType type, std::span<const std::byte> bytes) {
  bool fits = true;
  Bytes out;
  switch (type) {
    case DataType::kDouble:
      return FloatsOf(ElementType::kFloat64, bytes);
    case DataType::kFloat16:
      return FloatsOf(ElementType::kFloat16, bytes);
    case DataType::kBfloat16:
      return FloatsOf(ElementType::kBfloat16, bytes);
    case DataType::kUint16:
      return Converted<uint16_t, int32_t>(bytes, &fits);
    case DataType::kUint32:
      return Converted<uint32_t, int64_t>(bytes, &fits);
    case DataType::kUint64:
      out = Converted<uint64_t, int64_t>(bytes, &fits);
      break;
    case DataType::kBool:
      out.assign(bytes.begin(), bytes.end());
      for (std::byte& b : out) b = b == std::byte{0} ? b : std::byte{1};
      break;
    default:
      out.assign(bytes.begin(), bytes.end());
  }
  if (!fits) return Status(StatusCode::kUnsupported, "uint64 constants of 2^63 or more");
  return out;
}

}  // namespace

bool WhitTypeOf(DataType type, DType* out) {
  switch (type) {
    case DataType::kFloat:
    case DataType::kDouble:
    case DataType::kFloat16:
    case DataType::kBfloat16:
      return *out = DType::kFloat32, true;
    case DataType::kInt8:
    case DataType::kInt4:
      return *out = DType::kInt8, true;
    case DataType::kUint8:
    case DataType::kUint4:
      return *out = DType::kUint8, true;
    case DataType::kInt16:
      return *out = DType::kInt16, true;
    case DataType::kUint16:
    case DataType::kInt32:
      return *out = DType::kInt32, true;
    case DataType::kUint32:
    case DataType::kUint64:
    case DataType::kInt64:
      return *out = DType::kInt64, true;
    case DataType::kBool:
      return *out = DType::kBool, true;
    default:
      return false;
  }
}

const TensorProto* Context::Initializer(std::string_view name) const {
  const auto found = initializers_.find(name);
  return found == initializers_.end() ? nullptr : found->second;
}

Value Context::ConstantOf(const TensorProto& tensor, const Quantization& quantization) {
  DType type;
  if (!WhitTypeOf(tensor.type, &type)) {
    return g_.Unsupported("constant '" + Shown(std::string(tensor.name)) + "': elements of type " +
                          DataTypeName(tensor.type));
  }
  if (tensor.dims.size() > static_cast<size_t>(kMaxRank)) {
    return g_.Unsupported("constant '" + Shown(std::string(tensor.name)) + "' has " +
                          std::to_string(tensor.dims.size()) + " axes, at most " +
                          std::to_string(kMaxRank) + " are taken");
  }
  Shape shape = Shape::OfRank(static_cast<int>(tensor.dims.size()));
  for (size_t i = 0; i < tensor.dims.size(); ++i) shape[static_cast<int>(i)] = tensor.dims[i];
  if (weights_ != nullptr && quantization.empty() && Initializer(tensor.name) == &tensor) {
    auto other = weights_->Replacement(std::string(tensor.name), type, shape);
    if (!other.ok()) return g_.Fail(other.status());
    if (*other != nullptr) return g_.Constant(type, shape, Bytes(**other));
  }
  std::vector<std::byte> scratch;
  auto bytes = TensorBytes(tensor, folder_, &scratch);
  if (!bytes.ok()) return g_.Fail(bytes.status());
  auto converted = InWhitType(tensor.type, *bytes);
  if (!converted.ok()) return g_.Fail(converted.status());
  return g_.Constant(type, shape, std::move(converted).value(), quantization);
}

Operand* Context::Find(std::string_view name) {
  const auto known = values_.find(name);
  if (known != values_.end()) return &known->second;
  const TensorProto* tensor = Initializer(name);
  if (tensor == nullptr) return nullptr;
  Operand operand;
  operand.value = ConstantOf(*tensor);
  return &(values_[name] = std::move(operand));
}

const NodeProto* Context::OnlyReader(std::string_view name) const {
  const auto found = readers_.find(name);
  if (found == readers_.end() || found->second.size() != 1 || outputs_.count(name) != 0)
    return nullptr;
  return found->second[0];
}

std::span<const NodeProto* const> Context::Readers(std::string_view name) const {
  const auto found = readers_.find(name);
  if (found == readers_.end()) return {};
  return found->second;
}

void Context::FillInitializers(Op& op) {
  for (std::string_view name : op.node.inputs)
    op.in_.push_back(name.empty() ? nullptr : Find(name));
}

void Context::Register(const GraphProto& graph) {
  for (const TensorProto& tensor : graph.initializers) {
    initializers_[tensor.name] = &tensor;
    values_.erase(tensor.name);
  }
  for (const NodeProto& node : graph.nodes)
    ForEachRead(node, [&](std::string_view name) { readers_[name].push_back(&node); });
  for (const ValueInfo& output : graph.outputs) outputs_.insert(output.name);
}

void Context::LowerGraph(const GraphProto& graph, const std::vector<std::string_view>& wanted) {
  if (&graph != &model_.graph) Register(graph);  // Begin has done it
  std::set<std::string_view> needed(wanted.begin(), wanted.end());
  std::vector<const NodeProto*> live;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    const bool read =
        std::any_of(node->outputs.begin(), node->outputs.end(),
                    [&](std::string_view name) { return !name.empty() && needed.count(name); });
    if (!read) continue;
    live.push_back(&*node);
    ForEachRead(*node, [&](std::string_view name) { needed.insert(name); });
  }
  for (auto node = live.rbegin(); node != live.rend(); ++node) LowerNode(**node);
}

void Context::LowerNode(const NodeProto& node) {
  ++nodes_;
  if (done_.count(&node) != 0) return;
  std::string name(node.name);
  if (name.empty() && !node.outputs.empty()) name = node.outputs[0];
  const std::string label = std::string(node.op_type) + " '" + Shown(name) + "'";
  g_.At(label, name, static_cast<uint32_t>(nodes_ - 1));
  Op op(*this, g_, node, model_.Opset(node.domain));
  bool failed = false;
  for (std::string_view input : node.inputs) {
    Operand* operand = input.empty() ? nullptr : Find(input);
    if (!input.empty() && operand == nullptr) {
      g_.Invalid("it reads '" + Shown(std::string(input)) + "', which nobody wrote before it");
      failed = true;
    }
    failed = failed || (operand != nullptr && (operand->failed || g_.failed(operand->value)));
    op.in_.push_back(operand);
  }
  op.out_.resize(node.outputs.size());
  bool known = false;
  const Row* row = FindRow(node.domain, node.op_type, op.version, &known);
  if (row == nullptr) {
    std::string what(Shown(std::string(node.op_type)));
    if (!node.domain.empty()) what = Shown(std::string(node.domain)) + "." + what;
    if (known) what += " of operator set " + std::to_string(op.version);
    refusals_.Add(what, "'" + Shown(name) + "'");
    failed = true;
  } else if (!failed) {
    for (size_t i = 0; !failed && i < row->needs; ++i) {
      if (!op.has(i)) op.Invalid("input " + std::to_string(i) + " is absent"), failed = true;
    }
    for (size_t i = 0; !row->moves && i < op.inputs(); ++i) {
      if (op.has(i) && op.in(i).value.present() && g_.Info(op.in(i).value).quantized()) {
        op.Unsupported("quantized input " + std::to_string(i) + ", " +
                       DTypeName(g_.type(op.in(i).value)));
        failed = true;
      }
    }
    if (!failed && !LowerQuantized(op, *row) && !LowerPattern(op)) row->lower(op);
  }
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    Operand& out = op.out_[i];
    if (!out.value.present() && !out.codes.present() && out.merged == nullptr) out.failed = true;
    // What has no elements is known already.
    if (out.value.present() && !g_.failed(out.value) && !g_.constant(out.value) &&
        g_.shape(out.value).elements() == 0) {
      const Shape shape = g_.shape(out.value);  // a copy: the tensors move as one is added
      out.value = g_.Constant(g_.type(out.value), shape, {});
    }
    if (!node.outputs[i].empty()) values_[node.outputs[i]] = std::move(out);
  }
}

}  // namespace whit::tools::onnx
