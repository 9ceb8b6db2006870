// GraphBuilder: names, ends, errors and the way out. The operators are in graph_builder_*.cc.
#include "tools/import/graph_builder.h"

#include <cmath>

#include "platform/mapping.h"
#include "tools/import/finish.h"
#include "tools/import/fuse.h"

namespace whit::tools {

namespace {

template <typename T>
Bytes BytesOf(std::span<const T> values) {
  const auto bytes = std::as_bytes(values);
  return Bytes(bytes.begin(), bytes.end());
}

Status CheckZeroPoint(const Scope& l, DType type, int64_t z) {
  int64_t lo = std::numeric_limits<int32_t>::min(), hi = std::numeric_limits<int32_t>::max();
  if (type == DType::kInt8) lo = -128, hi = 127;
  if (type == DType::kUint8) lo = 0, hi = 255;
  if (type == DType::kInt16) lo = -32768, hi = 32767;
  if (z >= lo && z <= hi) return OkStatus();
  return l.Invalid("zero point " + std::to_string(z) + " is not a " + DTypeName(type));
}

// A tensor of that type, uint8 in the canonical form: int8 less 128.
Result<GraphTensor> Quantized(const Scope& l, DType type, const Quantization& q) {
  GraphTensor t;
  t.type = type;
  if (q.empty()) return t;
  const bool may_be = type == DType::kInt8 || type == DType::kUint8 || type == DType::kInt16 ||
                      type == DType::kInt32;
  if (!may_be) return l.Unsupported(std::string("quantized ") + DTypeName(type));
  if (!q.zero_point.empty() && q.zero_point.size() != q.scale.size()) {
    return l.Invalid(std::to_string(q.scale.size()) + " scales and " +
                     std::to_string(q.zero_point.size()) + " zero points");
  }
  for (float s : q.scale) {
    if (!(s > 0) || !std::isfinite(s))
      return l.Invalid("scale " + std::to_string(s) + " must be finite and positive");
  }
  t.scale = q.scale;
  t.zero_point = q.zero_point;
  t.zero_point.resize(q.scale.size(), 0);
  t.axis = q.scale.size() > 1 ? q.axis : -1;
  for (int32_t z : t.zero_point) WHIT_RETURN_IF_ERROR(CheckZeroPoint(l, type, z));
  if (type == DType::kUint8) {
    t.type = DType::kInt8, t.shifted = true;
    for (int32_t& z : t.zero_point) z -= 128;
  }
  return t;
}

}  // namespace

GraphBuilder::GraphBuilder(ImportOptions options, uint64_t source_bytes) {
  state_.options = std::move(options);
  SetBudgets(state_, source_bytes);
  scope_.emplace(state_, "the model", "", 0);
}

GraphBuilder& GraphBuilder::At(const std::string& name) {
  return At("node '" + Shown(name) + "'", name, nodes_);
}

GraphBuilder& GraphBuilder::At(const std::string& label, const std::string& name, uint32_t source) {
  scope_.emplace(state_, label, name, source);
  ++nodes_;
  return *this;
}

// ---- errors ----

bool GraphBuilder::Ready(std::span<const Value> operands) const {
  if (!error_.ok()) return false;
  for (Value v : operands) {
    if (failed(v)) return false;
  }
  return true;
}

Value GraphBuilder::Fail(const Status& status) {
  if (error_.ok()) error_ = refusals_.Collect(status);
  return Value(Value::kFailed);
}

Value GraphBuilder::Unsupported(const std::string& what) { return Fail(scope().Unsupported(what)); }
Value GraphBuilder::Invalid(const std::string& what) { return Fail(scope().Invalid(what)); }

Status GraphBuilder::status() const {
  WHIT_RETURN_IF_ERROR(error_);
  return refusals_.Refuse();
}

Status GraphBuilder::ExpectPresent(std::initializer_list<Value> values) const {
  for (Value v : values) {
    if (!v.present()) return scope_->Invalid("an operand is absent");
  }
  return OkStatus();
}

Status GraphBuilder::ExpectFloat(Value x, const char* what) const {
  WHIT_RETURN_IF_ERROR(ExpectPresent({x}));
  if (type(x) == DType::kFloat32) return OkStatus();
  return scope_->Unsupported(std::string(what) + " is " + DTypeName(type(x)) + ", must be float32");
}

Status GraphBuilder::ExpectRank(Value x, int rank, const char* what) const {
  WHIT_RETURN_IF_ERROR(ExpectPresent({x}));
  if (shape(x).rank() == rank) return OkStatus();
  return scope_->Invalid(std::string(what) + " must have " + std::to_string(rank) +
                         " axes, has shape " + shape(x).ToString());
}

// ---- tensors ----

const GraphTensor& GraphBuilder::Info(Value value) const {
  static const GraphTensor kNone;
  return value.index_ < 0 ? kNone : state_.graph.tensors[static_cast<size_t>(value.index_)];
}

std::optional<std::vector<int64_t>> GraphBuilder::ConstantInts(Value value) const {
  if (value.index_ < 0) return std::nullopt;
  auto ints = scope_->IntsOf(Info(value), "a value");
  if (!ints.ok()) return std::nullopt;
  return std::move(ints).value();
}

Result<int> GraphBuilder::NewOf(const GraphTensor& like, const std::vector<int64_t>& dims) {
  WHIT_ASSIGN_OR_RETURN(const int index, scope().TempOf(like, Shape()));
  WHIT_RETURN_IF_ERROR(scope().SetShape(index, dims));
  return index;
}

Result<int> GraphBuilder::NewLike(Value like, const std::vector<int64_t>& dims) {
  const GraphTensor& t = Info(like);
  if (t.axis >= 0) return scope().Unsupported("moving elements that have scales along an axis");
  return NewOf(t, dims);
}

Result<int> GraphBuilder::NewFloat(const Shape& shape) { return scope().TempFloat(shape); }

Result<GraphTensor> GraphBuilder::ResultType(Value like, const std::optional<QuantizedType>& out) {
  if (out) {
    return Quantized(scope(), out->type,
                     {.scale = {out->scale}, .zero_point = {out->zero_point}, .axis = -1});
  }
  if (Info(like).quantized())
    return scope().Invalid("the result of quantized operands needs a scale and zero point");
  GraphTensor t;
  t.type = type(like);
  return t;
}

Value GraphBuilder::Constant(DType type, const Shape& shape, Bytes bytes,
                             const Quantization& quantization) {
  return Try({}, [&]() -> Result<int> {
    WHIT_ASSIGN_OR_RETURN(GraphTensor t, Quantized(scope(), type, quantization));
    const int index = scope().Constant(std::move(t), {});
    WHIT_RETURN_IF_ERROR(scope().SetShape(index, shape));
    if (scope().tensor(index).shifted) {
      for (std::byte& b : bytes) b ^= std::byte{0x80};
    }
    WHIT_RETURN_IF_ERROR(
        scope().SetConstant(index, std::make_shared<const Bytes>(std::move(bytes))));
    return index;
  });
}

Value GraphBuilder::Floats(const Shape& shape, std::span<const float> values) {
  return Constant(DType::kFloat32, shape, BytesOf(values));
}
Value GraphBuilder::Int32s(const Shape& shape, std::span<const int32_t> values) {
  return Constant(DType::kInt32, shape, BytesOf(values));
}
Value GraphBuilder::Int64s(const Shape& shape, std::span<const int64_t> values) {
  return Constant(DType::kInt64, shape, BytesOf(values));
}
Value GraphBuilder::Bools(const Shape& shape, std::span<const uint8_t> values) {
  return Constant(DType::kBool, shape, BytesOf(values));
}

// ---- inputs and outputs ----

Value GraphBuilder::Input(const std::string& name, DType type, const Shape& shape,
                          const Quantization& quantization) {
  At("input '" + Shown(name) + "'", name, nodes_);
  return Try({}, [&]() -> Result<int> {
    WHIT_ASSIGN_OR_RETURN(GraphTensor t, Quantized(scope(), type, quantization));
    WHIT_ASSIGN_OR_RETURN(const int index, scope().TempOf(std::move(t), Shape()));
    WHIT_RETURN_IF_ERROR(scope().SetShape(index, shape));
    scope().tensor(index).name = name;
    graph().inputs.push_back({name, index, {}, -1});
    return index;
  });
}

void GraphBuilder::SetNormalization(Value input, const std::vector<float>& mean,
                                    const std::vector<float>& std) {
  for (GraphIo& io : graph().inputs) {
    if (io.tensor != input.index_) continue;
    io.normalization.mean = mean;
    io.normalization.std = std;
  }
}

void GraphBuilder::Output(const std::string& name, Value value) {
  At("output '" + Shown(name) + "'", name, nodes_);
  const Value out = Try({value}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectPresent({value}));
    return value.index_;
  });
  if (!failed(out)) graph().outputs.push_back({name, out.index_, {}, -1});
}

// ---- the end ----

Result<std::vector<std::byte>> GraphBuilder::FinishBytes() {
  WHIT_RETURN_IF_ERROR(status());
  if (graph().inputs.empty() || graph().outputs.empty()) {
    return Status(StatusCode::kInvalidModel,
                  "the model has " + std::to_string(graph().inputs.size()) + " inputs and " +
                      std::to_string(graph().outputs.size()) +
                      " outputs, at least 1 of each is needed");
  }
  if (graph().name.empty()) graph().name = state_.options.name;
  if (graph().provenance.empty())
    graph().provenance.emplace_back("tool", "whit " WHIT_VERSION " GraphBuilder");
  WHIT_RETURN_IF_ERROR(FuseGraph(state_, &refusals_));
  return FinishGraph(state_, std::move(refusals_));
}

Status GraphBuilder::Finish(const std::string& path) {
  WHIT_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, FinishBytes());
  const std::span<const std::byte> chunk(bytes);
  return WriteFileAtomically(path, {&chunk, 1});
}

}  // namespace whit::tools
