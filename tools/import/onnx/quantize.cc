// QuantizeLinear, DequantizeLinear and the operators that have scales as operands.
#include <algorithm>
#include <cmath>

#include "tools/import/onnx/context.h"
#include "tools/import/onnx/quantize.h"

namespace whit::tools::onnx {

std::optional<Quantization> QuantizationOf(Op& op, size_t scale, size_t zero_point) {
  const auto scales = op.ConstFloats(scale);
  if (!scales || scales->empty()) return std::nullopt;
  Quantization q;
  q.scale = *scales;
  for (float s : q.scale) {
    if (!(s > 0) || !std::isfinite(s)) return std::nullopt;
  }
  q.zero_point.assign(q.scale.size(), 0);
  if (op.has(zero_point)) {
    if (!op.Constant(zero_point)) return std::nullopt;
    const Value z = op.g.Cast(op.Plain(zero_point), DType::kInt32);
    if (op.g.failed(z) || op.g.shape(z).elements() != static_cast<int64_t>(q.scale.size()))
      return std::nullopt;
    const auto values = op.g.Info(z).values<int32_t>();
    q.zero_point.assign(values.begin(), values.end());
  }
  return q;
}

Value QuantizedOperand(Op& op, size_t i, const Quantization& q) {
  GraphBuilder& g = op.g;
  if (const TensorProto* tensor = op.Initializer(i)) return op.ConstantOf(*tensor, q);
  const Value v = op.Plain(i);
  if (g.failed(v)) return v;
  const GraphTensor& t = g.Info(v);
  const int32_t shift = t.shifted ? 128 : 0;
  const bool same = t.per_tensor() && q.scale.size() == 1 && t.s() == q.scale[0] &&
                    t.z() + shift == q.zero_point[0];
  if (same) return v;
  return g.Unsupported("codes that were not made with the scale and zero point of input " +
                       std::to_string(i));
}

std::optional<QuantizedType> ResultType(Op& op, size_t scale, size_t zero_point) {
  const auto q = QuantizationOf(op, scale, zero_point);
  if (!q || q->scale.size() != 1) return std::nullopt;
  QuantizedType type;
  type.scale = q->scale[0], type.zero_point = q->zero_point[0];
  type.type = op.has(zero_point) ? op.Type(zero_point) : DType::kUint8;
  const bool good =
      type.type == DType::kInt8 || type.type == DType::kUint8 || type.type == DType::kInt16;
  return good ? std::optional(type) : std::nullopt;
}

bool CodesOperand(const NodeProto& node, size_t i, size_t* scale, size_t* zero_point) {
  struct Place {
    std::string_view op;
    size_t codes, scale, zero_point;
  };
  static constexpr Place kPlaces[] = {
      {"DequantizeLinear", 0, 1, 2},   {"QLinearConv", 0, 1, 2},
      {"QLinearMatMul", 0, 1, 2},      {"QLinearMatMul", 3, 4, 5},
      {"QLinearAdd", 0, 1, 2},         {"QLinearAdd", 3, 4, 5},
      {"QLinearMul", 0, 1, 2},         {"QLinearMul", 3, 4, 5},
      {"QLinearSigmoid", 0, 1, 2},     {"QLinearLeakyRelu", 0, 1, 2},
      {"QLinearAveragePool", 0, 1, 2}, {"QLinearGlobalAveragePool", 0, 1, 2},
  };
  for (const Place& place : kPlaces) {
    if (place.op != node.op_type || place.codes != i) continue;
    *scale = place.scale, *zero_point = place.zero_point;
    return true;
  }
  return false;
}

namespace {

// Smallest and largest number of an integer type.
bool RangeOf(DType type, double* lo, double* hi) {
  switch (type) {
    case DType::kInt8:
      return *lo = -128, *hi = 127, true;
    case DType::kUint8:
      return *lo = 0, *hi = 255, true;
    case DType::kInt16:
      return *lo = -32768, *hi = 32767, true;
    default:
      return false;
  }
}

// A list of one number an index of `axis`, fit to broadcast with x in ONNX's order.
Value Along(GraphBuilder& g, Value list, int rank, int axis) {
  if (g.shape(list).elements() == 1) return g.Reshape(list, Ints{});
  Ints dims(static_cast<size_t>(rank), 1);
  dims[static_cast<size_t>(axis)] = g.shape(list).elements();
  return g.Reshape(list, dims);
}

int ListAxis(Op& op) {
  const int rank = op.Rank(0);
  const int64_t axis = op.Int("axis", 1);
  return rank > 0 && axis >= -rank && axis < rank ? op.Axis(axis, rank) : 0;
}

// Codes as plain numbers, in arithmetic of floats: scales that are computed, or one an index.
void QuantizeByHand(Op& op, DType type) {
  GraphBuilder& g = op.g;
  double lo = 0, hi = 0;
  if (!RangeOf(type, &lo, &hi))
    return op.Unsupported(std::string("codes of type ") + DTypeName(type));
  const int rank = op.Rank(0), axis = ListAxis(op);
  const Value x = g.Cast(op.Plain(0), DType::kFloat32);
  Value y = g.Unary(OpType::kRound, g.Div(x, Along(g, op.Plain(1), rank, axis)));
  if (op.has(2)) y = g.Add(y, Along(g, g.Cast(op.Plain(2), DType::kFloat32), rank, axis));
  y = g.Clamp(y, {.lo = static_cast<float>(lo), .hi = static_cast<float>(hi)});
  op.Set(0, g.Cast(y, type));
}

void QuantizeLinear(Op& op) {
  GraphBuilder& g = op.g;
  if (op.Int("block_size", 0) != 0) return op.Unsupported("scales of blocks");
  DType type = DType::kUint8;
  DataType wanted = DataType::kUint8;
  if (op.Int("output_dtype", 0) != 0) wanted = static_cast<DataType>(op.Int("output_dtype", 0));
  const TensorProto* zero = op.has(2) ? op.Initializer(2) : nullptr;
  if (zero != nullptr) wanted = zero->type;
  if (!WhitTypeOf(wanted, &type) || wanted == DataType::kInt4 || wanted == DataType::kUint4)
    return op.Unsupported("codes of type " + DataTypeName(wanted));
  if (op.has(2) && zero == nullptr) type = op.Type(2);
  const auto out = ResultType(op, 1, 2);
  if (!out || op.Type(0) != DType::kFloat32) return QuantizeByHand(op, type);
  QuantizedType to = *out;
  to.type = type;
  double lo = 0, hi = 0;
  if (!RangeOf(type, &lo, &hi))
    return op.Unsupported(std::string("codes of type ") + DTypeName(type));
  Order order;
  const Value x = op.Raw(0, &order);
  op.Set(0, g.Quantize(x, to), order);
}

// (x - zero point) * scale of plain numbers.
void DequantizeByHand(Op& op) {
  GraphBuilder& g = op.g;
  const int rank = op.Rank(0), axis = ListAxis(op);
  Value x = g.Cast(op.Plain(0), DType::kFloat32);
  if (op.has(2)) x = g.Sub(x, Along(g, g.Cast(op.Plain(2), DType::kFloat32), rank, axis));
  op.Set(0, g.Mul(x, Along(g, op.Plain(1), rank, axis)));
}

void DequantizeLinear(Op& op) {
  GraphBuilder& g = op.g;
  if (op.Int("block_size", 0) != 0) return op.Unsupported("scales of blocks");
  auto q = QuantizationOf(op, 1, 2);
  const TensorProto* tensor = op.Initializer(0);
  const bool codes_type = tensor != nullptr ? tensor->type == DataType::kInt8 ||
                                                  tensor->type == DataType::kUint8 ||
                                                  tensor->type == DataType::kInt32
                                            : false;
  if (q && tensor != nullptr && codes_type) {
    q->axis = q->scale.size() > 1 ? ListAxis(op) : -1;
    Operand operand;
    operand.codes = op.ConstantOf(*tensor, *q);
    return op.SetOperand(0, std::move(operand));
  }
  Operand& x = op.in(0);
  const GraphTensor& t = g.Info(x.value);
  if (!t.quantized()) return DequantizeByHand(op);
  const int32_t shift = t.shifted ? 128 : 0;
  if (!q || q->scale.size() != 1 || !t.per_tensor() || t.s() != q->scale[0] ||
      t.z() + shift != q->zero_point[0]) {
    return op.Unsupported("codes that were made with another scale or zero point");
  }
  Operand operand;
  operand.codes = x.value, operand.order = x.order;
  op.SetOperand(0, std::move(operand));
}

}  // namespace

std::span<const Row> QuantizeRows() {
  static constexpr Row kRows[] = {
      {"QuantizeLinear", QuantizeLinear, 10},
      {"DequantizeLinear", DequantizeLinear, 10, 1000, true},
  };
  return kRows;
}

}  // namespace whit::tools::onnx
