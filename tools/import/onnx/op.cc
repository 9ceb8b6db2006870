#include "tools/import/onnx/op.h"

#include <algorithm>
#include <numeric>

#include "tools/import/axes.h"
#include "tools/import/onnx/context.h"

namespace whit::tools::onnx {

Order ChannelsLast(int rank) {
  if (rank < 3) return {};
  Order order = {0};
  for (int i = 2; i < rank; ++i) order.push_back(i);
  order.push_back(1);
  return order;
}

int PositionOf(const Order& order, int axis) {
  if (order.empty()) return axis;
  return static_cast<int>(std::find(order.begin(), order.end(), axis) - order.begin());
}

Order Canonical(Order order) {
  for (size_t i = 0; i < order.size(); ++i) {
    if (order[i] != static_cast<int>(i)) return order;
  }
  return {};
}

Order Full(const Order& order, int rank) {
  if (!order.empty()) return order;
  Order full(static_cast<size_t>(rank));
  std::iota(full.begin(), full.end(), 0);
  return full;
}

Ints DimsOf(GraphBuilder& g, Value value) { return Dims(g.shape(value)); }

Value Reorder(GraphBuilder& g, Value value, const Order& from, const Order& to) {
  if (from == to || !value.present() || g.failed(value)) return value;
  const int rank = g.shape(value).rank();
  const Order source = Full(from, rank), target = Full(to, rank);
  Ints perm, dims;
  std::vector<int> moved;  // axes above 1, in the order in which the target has them
  for (int axis : target) {
    const int at = PositionOf(source, axis);
    perm.push_back(at);
    dims.push_back(g.shape(value)[at]);
    if (dims.back() != 1) moved.push_back(at);
  }
  if (std::is_sorted(moved.begin(), moved.end())) return g.Reshape(value, std::move(dims));
  return g.Transpose(value, perm);
}

Value Raised(GraphBuilder& g, Value value, int rank) {
  Ints dims = DimsOf(g, value);
  if (static_cast<int>(dims.size()) >= rank || g.failed(value)) return value;
  dims.insert(dims.begin(), static_cast<size_t>(rank) - dims.size(), 1);
  return g.Reshape(value, std::move(dims));
}

Value Scalar(GraphBuilder& g, DType type, double number) {
  return g.Cast(g.Float(static_cast<float>(number)), type);
}

Value IntsValue(GraphBuilder& g, const Ints& values) {
  return g.Int64s(Shape{static_cast<int64_t>(values.size())}, values);
}

Op::Op(Context& context, GraphBuilder& builder, const NodeProto& n, int64_t v)
    : g(builder), node(n), version(v), context_(context) {}

// ---- attributes ----

const AttributeProto* Op::Find(std::string_view name) const {
  for (const AttributeProto& attribute : node.attributes) {
    if (attribute.name == name) return &attribute;
  }
  return nullptr;
}

int64_t Op::Int(std::string_view name, int64_t otherwise) const {
  const AttributeProto* a = Find(name);
  return a == nullptr ? otherwise : a->i;
}

float Op::Float(std::string_view name, float otherwise) const {
  const AttributeProto* a = Find(name);
  return a == nullptr ? otherwise : a->f;
}

std::string Op::Text(std::string_view name, std::string_view otherwise) const {
  const AttributeProto* a = Find(name);
  return std::string(a == nullptr ? otherwise : a->s);
}

Ints Op::IntList(std::string_view name) const {
  const AttributeProto* a = Find(name);
  return a == nullptr ? Ints() : a->ints;
}

std::vector<float> Op::FloatList(std::string_view name) const {
  const AttributeProto* a = Find(name);
  return a == nullptr ? std::vector<float>() : a->floats;
}

// ---- operands ----

namespace {

template <typename T>
std::vector<float> RealNumbers(const GraphTensor& t) {
  // Of every code: the product of the dimensions behind the axis of scales divides its place.
  const int64_t inner = t.axis < 0 ? 1 : t.shape.Product(t.axis + 1, t.shape.rank());
  const auto codes = t.values<T>();
  std::vector<float> real(codes.size());
  for (size_t i = 0; i < codes.size(); ++i) {
    const size_t at = t.axis < 0 ? 0 : i / static_cast<size_t>(inner) % t.scale.size();
    const auto code = static_cast<float>(int64_t{codes[i]} - t.zero_point[at]);
    real[i] = code * t.scale[at];
  }
  return real;
}

// Constant codes as the numbers they stand for.
Value Dequantized(GraphBuilder& g, Value codes) {
  const GraphTensor& t = g.Info(codes);
  if (g.failed(codes) || !t.is_const() || !t.quantized()) return g.Dequantize(codes);
  const auto scales = static_cast<int64_t>(t.scale.size());
  if (t.axis >= 0 && (t.axis >= t.shape.rank() || t.shape[t.axis] != scales))
    return g.Invalid("as many scales as the axis has indices are needed");
  const Shape shape = t.shape;
  if (t.type == DType::kInt8) return g.Floats(shape, RealNumbers<int8_t>(t));
  if (t.type == DType::kInt16) return g.Floats(shape, RealNumbers<int16_t>(t));
  if (t.type == DType::kInt32) return g.Floats(shape, RealNumbers<int32_t>(t));
  return g.Dequantize(codes);
}

// Makes the value of an operand that is codes or a merged one so far.
void Materialize(GraphBuilder& g, Operand& operand) {
  if (operand.value.present()) return;
  if (operand.merged != nullptr) {
    Materialize(g, *operand.merged);
    const Value plain = Reorder(g, operand.merged->value, operand.merged->order, {});
    operand.value = g.Reshape(plain, operand.merged_dims);
  } else {
    operand.value = Dequantized(g, operand.codes);
  }
}

}  // namespace

Value Op::Raw(size_t i, Order* order) {
  Materialize(g, in(i));
  *order = in(i).order;
  return in(i).value;
}

Value Op::Plain(size_t i) { return has(i) ? As(i, {}) : Value(); }

Value Op::As(size_t i, const Order& order) {
  Operand& operand = in(i);
  Materialize(g, operand);
  if (operand.order == order) return operand.value;
  for (const auto& [known, value] : operand.reordered) {
    if (known == order) return value;
  }
  const Value value = Reorder(g, operand.value, operand.order, order);
  operand.reordered.emplace_back(order, value);
  return value;
}

DType Op::Type(size_t i) {
  const Operand& operand = in(i);
  if (!operand.value.present()) return DType::kFloat32;
  return g.type(operand.value);
}

Ints Op::Dims(size_t i) {
  const Operand& operand = in(i);
  if (!operand.value.present() && operand.merged != nullptr) return operand.merged_dims;
  const Shape& stored = g.shape(operand.value.present() ? operand.value : operand.codes);
  Ints dims(static_cast<size_t>(stored.rank()));
  const Order order = Full(operand.order, stored.rank());
  for (int k = 0; k < stored.rank(); ++k)
    dims[static_cast<size_t>(order[static_cast<size_t>(k)])] = stored[k];
  return dims;
}

bool Op::Constant(size_t i) {
  if (!has(i)) return false;
  Materialize(g, in(i));
  return g.constant(in(i).value);
}

std::optional<Ints> Op::ConstInts(size_t i) {
  if (!Constant(i)) return std::nullopt;
  return g.ConstantInts(Plain(i));
}

std::optional<std::vector<float>> Op::ConstFloats(size_t i) {
  if (!Constant(i) || Type(i) != DType::kFloat32) return std::nullopt;
  const auto values = g.Info(Plain(i)).values<float>();
  return std::vector<float>(values.begin(), values.end());
}

std::optional<Ints> Op::IntsOf(std::string_view name, size_t i) {
  if (!has(i)) {
    if (!Has(name)) return std::nullopt;
    const AttributeProto* a = Find(name);
    return a->ints.empty() && a->type == 2 ? Ints{a->i} : a->ints;
  }
  std::optional<Ints> values = ConstInts(i);
  if (!values)
    Unsupported("input " + std::to_string(i) + " (" + std::string(name) +
                ") is computed at run time");
  return values;
}

std::optional<float> Op::FloatOf(std::string_view name, size_t i) {
  if (!has(i)) {
    if (!Has(name)) return std::nullopt;
    return Float(name, 0);
  }
  const auto values = ConstFloats(i);
  if (!values || values->size() != 1) {
    Unsupported("input " + std::to_string(i) + " (" + std::string(name) + ") is no constant float");
    return std::nullopt;
  }
  return values->front();
}

int Op::Axis(int64_t axis, int rank) {
  if (axis < -rank || axis >= rank) {
    Invalid("axis " + std::to_string(axis) + " of " + std::to_string(rank) + " axes");
    return 0;
  }
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

std::vector<Value> Op::Aligned(const std::vector<size_t>& operands, Order* order) {
  int rank = 0;
  for (size_t i : operands) rank = std::max(rank, Rank(i));
  // The order of the largest operand of full rank that is computed: constants are turned for free.
  int64_t best = -1;
  order->clear();
  for (size_t i : operands) {
    if (Rank(i) != rank) continue;
    Order own;
    const Value value = Raw(i, &own);
    const int64_t weight = g.constant(value) ? 0 : g.shape(value).elements();
    if (weight > best) best = weight, *order = own;
  }
  std::vector<Value> values;
  for (size_t i : operands) {
    if (Rank(i) == rank) {
      values.push_back(As(i, *order));
    } else if (Rank(i) == 0) {
      values.push_back(Plain(i));
    } else {
      values.push_back(Reorder(g, Raised(g, Plain(i), rank), {}, *order));
    }
  }
  return values;
}

void Op::TakeCodes(std::vector<Operand>* swapped) {
  swapped->resize(in_.size());  // once: pointers go there
  for (size_t i = 0; i < in_.size(); ++i) {
    if (in_[i] == nullptr || !in_[i]->codes.present()) continue;
    (*swapped)[i].value = in_[i]->codes;
    (*swapped)[i].order = in_[i]->order;
    in_[i] = &(*swapped)[i];
  }
}

Value Op::ConstantOf(const TensorProto& tensor, const Quantization& quantization) {
  return context_.ConstantOf(tensor, quantization);
}

const TensorProto* Op::Initializer(size_t i) const {
  return i < node.inputs.size() ? context_.Initializer(node.inputs[i]) : nullptr;
}

// ---- results ----

void Op::Set(size_t i, Value value, Order order) {
  Operand operand;
  operand.value = value;
  operand.order = Canonical(std::move(order));
  SetOperand(i, std::move(operand));
}

void Op::SetOperand(size_t i, Operand operand) {
  if (i < out_.size()) out_[i] = std::move(operand);
}

Value Op::TakeResult(size_t i, Order* order) {
  Operand result = i < out_.size() ? std::move(out_[i]) : Operand();
  if (i < out_.size()) out_[i] = Operand();
  if (result.merged != nullptr) Materialize(g, result);
  *order = result.order;
  return result.value;
}

// ---- the table ----

const Row* FindRow(std::string_view domain, std::string_view op, int64_t version, bool* known) {
  using Table = std::map<std::pair<std::string_view, std::string_view>, std::vector<const Row*>>;
  static const Table table = [] {
    Table rows;
    for (const auto family :
         {ConstantRows(), ConvRows(), ElementwiseRows(), GatherRows(), LayoutRows(), MatmulRows(),
          NormRows(), PoolRows(), QuantizeRows(), RecurrentRows(), ReduceRows(), ResizeRows()}) {
      for (const Row& row : family) rows[{row.domain, row.op}].push_back(&row);
    }
    return rows;
  }();
  const auto found = table.find({domain, op});
  *known = found != table.end();
  if (!*known) return nullptr;
  for (const Row* row : found->second) {
    if (!row->domain.empty() || (version >= row->since && version <= row->until)) return row;
  }
  return nullptr;
}

}  // namespace whit::tools::onnx
