// QuantizeLinear, DequantizeLinear and the operators that have scales as operands.
#include <algorithm>
#include <cmath>

#include "tools/import/onnx/context.h"
#include "tools/import/onnx/quantize.h"
#include "tools/import/onnx/quantized.h"
#include "tools/import/onnx/window.h"

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

namespace {

// What QuantizeLinear makes, in ONNX's words.
DataType QuantizedDataType(Op& op) {
  if (const TensorProto* zero = op.has(2) ? op.Initializer(2) : nullptr) return zero->type;
  if (op.has(2)) {
    const DType type = op.Type(2);
    if (type == DType::kInt8) return DataType::kInt8;
    if (type == DType::kInt16) return DataType::kInt16;
    return type == DType::kUint8 ? DataType::kUint8 : DataType::kUndefined;
  }
  const int64_t named = op.Int("output_dtype", 0);
  return named == 0 ? DataType::kUint8 : static_cast<DataType>(named);
}

// Whether codes stand for the numbers that a scale and zero point of ONNX say.
bool MadeWith(GraphBuilder& g, Value codes, const Quantization& q) {
  const GraphTensor& t = g.Info(codes);
  return t.per_tensor() && q.scale.size() == 1 && t.s() == q.scale[0] &&
         t.z() + (t.shifted ? 128 : 0) == q.zero_point[0];
}

// Operand i is codes of that quantization; a refusal where it is not.
bool ExpectCodes(Op& op, size_t i, const Quantization& q) {
  Order order;
  const bool good = op.has(i) && MadeWith(op.g, op.Raw(i, &order), q);
  if (!good)
    op.Unsupported("input " + std::to_string(i) +
                   " was not made with the scale and zero point given");
  return good;
}

}  // namespace

std::optional<QuantizedType> QuantizeType(Op& op) {
  if (op.Int("block_size", 0) != 0) return std::nullopt;
  auto type = ResultType(op, 1, 2);
  const DataType made = QuantizedDataType(op);
  const bool known =
      made == DataType::kInt8 || made == DataType::kUint8 || made == DataType::kInt16;
  if (!type || !known) return std::nullopt;
  WhitTypeOf(made, &type->type);
  return type;
}

bool CodesOperand(const NodeProto& node, size_t i, size_t* scale, size_t* zero_point) {
  struct Place {
    std::string_view op;
    size_t codes, scale, zero_point;
  };
  static constexpr Place kPlaces[] = {
      {"DequantizeLinear", 0, 1, 2}, {"QLinearConv", 0, 1, 2},
      {"QLinearMatMul", 0, 1, 2},    {"QLinearMatMul", 3, 4, 5},
      {"QLinearAdd", 0, 1, 2},       {"QLinearAdd", 3, 4, 5},
      {"QLinearMul", 0, 1, 2},       {"QLinearMul", 3, 4, 5},
      {"QLinearSigmoid", 0, 1, 2},   {"QGemm", 0, 1, 2},
      {"QLinearLeakyRelu", 0, 1, 2}, {"QLinearGlobalAveragePool", 0, 1, 2},
  };
  if (node.op_type == "QLinearConcat" && i >= 2 && i % 3 == 2) {
    *scale = i + 1, *zero_point = i + 2;
    return true;
  }
  for (const Place& place : kPlaces) {
    if (place.op != node.op_type || place.codes != i) continue;
    *scale = place.scale, *zero_point = place.zero_point;
    return true;
  }
  return false;
}

namespace {

// Smallest and largest number of a type of codes, and whit's type for them.
bool CodesOf(DataType type, Bounds* range, DType* whit) {
  switch (type) {
    case DataType::kInt8:
      *range = {.lo = -128, .hi = 127};
      break;
    case DataType::kUint8:
      *range = {.lo = 0, .hi = 255};
      break;
    case DataType::kInt16:
      *range = {.lo = -32768, .hi = 32767};
      break;
    case DataType::kUint16:
      *range = {.lo = 0, .hi = 65535};
      break;
    case DataType::kInt4:
      *range = {.lo = -8, .hi = 7};
      break;
    case DataType::kUint4:
      *range = {.lo = 0, .hi = 15};
      break;
    default:
      return false;
  }
  return WhitTypeOf(type, whit);
}

int ListAxis(Op& op) {
  const int rank = op.Rank(0);
  const int64_t axis = op.Int("axis", 1);
  return rank > 0 && axis >= -rank && axis < rank ? op.Axis(axis, rank) : 0;
}

// Operand i, a scale or zero point, as floats that broadcast with operand 0: one number, one an
// index of the axis, or one a block of the axis.
Value Along(Op& op, size_t i) {
  GraphBuilder& g = op.g;
  const Value list = g.Cast(op.Plain(i), DType::kFloat32);
  const int axis = ListAxis(op), rank = op.Rank(0);
  if (g.failed(list)) return list;
  if (g.shape(list).elements() == 1) return g.Reshape(list, Ints{});
  if (axis < 0 || axis >= rank) {
    return g.Invalid(std::to_string(g.shape(list).elements()) +
                     " scales or zero points along axis " + std::to_string(axis) +
                     " of a tensor of " + std::to_string(rank) + " dimensions");
  }
  const int64_t dim = op.Dims(0)[static_cast<size_t>(axis)], block = op.Int("block_size", 0);
  if (g.shape(list).rank() == rank && rank > 1) {
    if (block < 1) return g.Invalid("scales of blocks without a block size");
    std::vector<int32_t> at;
    for (int64_t k = 0; k < dim && k < (1 << 24); ++k)
      at.push_back(static_cast<int32_t>(k / block));
    return g.Gather(list, g.Int32s(Shape{static_cast<int64_t>(at.size())}, at), axis);
  }
  Ints dims(static_cast<size_t>(rank), 1);
  dims[static_cast<size_t>(axis)] = g.shape(list).elements();
  return g.Reshape(list, dims);
}

// Codes as plain numbers, in arithmetic of floats: scales that are computed, or several.
void QuantizeByHand(Op& op, DataType type) {
  GraphBuilder& g = op.g;
  Bounds range;
  DType whit;
  if (!CodesOf(type, &range, &whit)) return op.Unsupported("codes of type " + DataTypeName(type));
  Value y = g.Unary(OpType::kRound, g.Div(g.Cast(op.Plain(0), DType::kFloat32), Along(op, 1)));
  if (op.has(2)) y = g.Add(y, Along(op, 2));
  op.Set(0, g.Cast(g.Clamp(y, range), whit));
}

// (x - zero point) * scale of plain numbers.
void DequantizeByHand(Op& op) {
  GraphBuilder& g = op.g;
  Value x = g.Cast(op.Plain(0), DType::kFloat32);
  if (op.has(2)) x = g.Sub(x, Along(op, 2));
  op.Set(0, g.Mul(x, Along(op, 1)));
}

void QuantizeLinear(Op& op) {
  const auto type = QuantizeType(op);
  if (!type || op.Type(0) != DType::kFloat32) return QuantizeByHand(op, QuantizedDataType(op));
  Order order;
  const Value x = op.Raw(0, &order);
  op.Set(0, op.g.Quantize(x, *type), order);
}

void DequantizeLinear(Op& op) {
  GraphBuilder& g = op.g;
  auto q = QuantizationOf(op, 1, 2);
  const TensorProto* tensor = op.Initializer(0);
  const bool blocks = op.Int("block_size", 0) != 0;
  const bool codes_type =
      tensor != nullptr && (tensor->type == DataType::kInt8 || tensor->type == DataType::kUint8 ||
                            tensor->type == DataType::kInt32);
  if (q && codes_type && !blocks) {
    q->axis = q->scale.size() > 1 ? ListAxis(op) : -1;
    Operand operand;
    operand.codes = op.ConstantOf(*tensor, *q);
    return op.SetOperand(0, std::move(operand));
  }
  const Operand& x = op.in(0);
  if (!x.value.present() || !g.Info(x.value).quantized()) return DequantizeByHand(op);
  if (!q || !MadeWith(g, x.value, *q))
    return op.Unsupported("codes that were made with another scale or zero point");
  Operand operand;
  operand.codes = x.value, operand.order = x.order;
  op.SetOperand(0, std::move(operand));
}

// ---- operators that have scales as operands ----

void QLinearConv(Op& op) {
  const auto x = QuantizationOf(op, 1, 2), w = QuantizationOf(op, 4, 5);
  const auto out = ResultType(op, 6, 7);
  const TensorProto* weights = op.Initializer(3);
  if (!x || !w || !out || weights == nullptr)
    return op.Unsupported("weights, scales or zero points that are computed at run time");
  if (!ExpectCodes(op, 0, *x)) return;
  Quantization q = *w;
  q.axis = q.scale.size() > 1 ? 0 : -1;
  const Value y =
      ConvOfCodes(op, op.Channels(0), op.ConstantOf(*weights, q), op.Plain(8), *out, {});
  op.Set(0, y, ChannelsLast(op.Rank(0)));
}

void QLinearMatMul(Op& op) {
  GraphBuilder& g = op.g;
  const auto a = QuantizationOf(op, 1, 2), b = QuantizationOf(op, 4, 5);
  const auto out = ResultType(op, 6, 7);
  if (!a || !b || !out)
    return op.Unsupported("scales or zero points that are computed at run time");
  const TensorProto* weights = op.Initializer(3);
  if (weights != nullptr && weights->dims.size() == 2 && op.Initializer(0) == nullptr) {
    if (!ExpectCodes(op, 0, *a)) return;
    Quantization q = *b;
    q.axis = q.scale.size() > 1 ? 1 : -1;
    const Value w = op.ConstantOf(*weights, q);
    return op.Set(0, LinearOfCodes(op, op.Plain(0), w, false, {}, *out, {}));
  }
  if (a->scale.size() != 1 || b->scale.size() != 1) return op.Unsupported("several scales");
  const auto operand = [&](size_t i, const Quantization& q) {
    if (const TensorProto* constant = op.Initializer(i)) return op.ConstantOf(*constant, q);
    return ExpectCodes(op, i, q) ? op.Plain(i) : g.Unsupported("codes of another scale");
  };
  const Value x = operand(0, *a), y = operand(3, *b);
  op.Set(0, g.MatMul(x, y, false, false, *out));
}

// com.microsoft's QLinearAdd and QLinearMul: both operands with scale and zero point.
template <OpType kType>
void QLinearBinary(Op& op) {
  const auto a = QuantizationOf(op, 1, 2), b = QuantizationOf(op, 4, 5);
  const auto out = ResultType(op, 6, 7);
  if (!a || !b || !out)
    return op.Unsupported("scales or zero points that are computed at run time");
  if (!ExpectCodes(op, 0, *a)) return;
  Order order;
  Value left = op.Raw(0, &order), right;
  if (const TensorProto* constant = op.Initializer(3)) {
    right = Reorder(op.g, Raised(op.g, op.ConstantOf(*constant, *b), op.Rank(0)), {}, order);
  } else {
    if (!ExpectCodes(op, 3, *b)) return;
    const auto both = op.Aligned({0, 3}, &order);
    left = both[0], right = both[1];
  }
  op.Set(0, op.g.Binary(kType, left, right, *out), order);
}

template <OpType kType>
void QLinearUnary(Op& op) {
  const auto x = QuantizationOf(op, 1, 2);
  const auto out = ResultType(op, 3, 4);
  if (!x || !out) return op.Unsupported("scales or zero points that are computed at run time");
  if (!ExpectCodes(op, 0, *x)) return;
  Order order;
  const Value v = op.Raw(0, &order);
  op.Set(0, op.g.Unary(kType, v, op.Float("alpha", 0.01f), *out), order);
}

// com.microsoft's Gemm of codes; the bias is int32 of a's scale times b's.
void QGemm(Op& op) {
  const auto a = QuantizationOf(op, 1, 2), b = QuantizationOf(op, 4, 5);
  const auto out = ResultType(op, 7, 8);
  const TensorProto* weights = op.Initializer(3);
  if (!a || !b || !out || weights == nullptr || weights->dims.size() != 2)
    return op.Unsupported("weights, scales or zero points that are computed, or a float result");
  if (op.Int("transA", 0) != 0 || op.Float("alpha", 1) != 1)
    return op.Unsupported("transA or alpha");
  if (!ExpectCodes(op, 0, *a)) return;
  const bool transposed = op.Int("transB", 0) != 0;
  Quantization q = *b;
  q.axis = q.scale.size() > 1 ? (transposed ? 0 : 1) : -1;
  const Value w = op.ConstantOf(*weights, q);
  op.Set(0, LinearOfCodes(op, op.Plain(0), w, transposed, op.Plain(6), *out, {}));
}

// Scale and zero point of the result, then three inputs for every part.
void QLinearConcat(Op& op) {
  const auto out = ResultType(op, 0, 1);
  std::vector<size_t> parts;
  for (size_t i = 2; i + 1 < op.inputs(); i += 3) {
    const auto q = QuantizationOf(op, i + 1, i + 2);
    if (!q || !out) return op.Unsupported("scales or zero points that are computed at run time");
    if (!ExpectCodes(op, i, *q)) return;
    if (op.Rank(i) != op.Rank(2)) return op.Invalid("the inputs have different ranks");
    parts.push_back(i);
  }
  if (parts.empty()) return op.Invalid("nothing to join");
  const int axis = op.Axis(op.Int("axis", 0), op.Rank(2));
  Order order;
  const std::vector<Value> values = op.Aligned(parts, &order);
  op.Set(0, op.g.Concat(values, PositionOf(order, axis), *out), order);
}

void QLinearGlobalAveragePool(Op& op) {
  const auto x = QuantizationOf(op, 1, 2);
  const auto out = ResultType(op, 3, 4);
  if (!x || !out) return op.Unsupported("scales or zero points that are computed at run time");
  if (op.Int("channels_last", 0) != 0 || op.Rank(0) < 3) return op.Unsupported("channels_last");
  if (!ExpectCodes(op, 0, *x)) return;
  Order order;
  const Value v = op.Raw(0, &order);
  Ints axes;
  for (int axis = 2; axis < op.Rank(0); ++axis) axes.push_back(PositionOf(order, axis));
  op.Set(0, op.g.Quantize(op.g.Reduce(OpType::kMean, v, axes, true), *out), order);
}

// ---- products of plain integers ----

// Floats hold every integer up to 2^24: as many products of 255 * 255 (a difference of two 8-bit
// numbers is no larger) as stay below that are summed exactly.
constexpr int64_t kExactTerms = 256;

// Operand i less its zero point, as floats.
Value Difference(Op& op, size_t i, size_t zero_point, const Ints& dims) {
  GraphBuilder& g = op.g;
  const Value x = g.Cast(op.Plain(i), DType::kFloat32);
  if (!op.has(zero_point)) return x;
  Value z = g.Cast(op.Plain(zero_point), DType::kFloat32);
  if (g.shape(z).elements() != 1) z = g.Reshape(z, dims);
  return g.Sub(x, g.shape(z).elements() == 1 ? g.Reshape(z, Ints{}) : z);
}

bool EightBit(Op& op, size_t i) {
  const bool good = op.has(i) && (op.Type(i) == DType::kInt8 || op.Type(i) == DType::kUint8);
  if (!good) op.Unsupported("input " + std::to_string(i) + " is no 8-bit integer");
  return good;
}

void MatMulInteger(Op& op) {
  GraphBuilder& g = op.g;
  if (!EightBit(op, 0) || !EightBit(op, 1)) return;
  const int ra = op.Rank(0), rb = op.Rank(1);
  if (ra < 2 || rb < 2) return op.Unsupported("operands of one axis");
  // Zero points of a are one a row, those of b one a column.
  const Value a = Difference(op, 0, 2, Ints{-1, 1}), b = Difference(op, 1, 3, Ints{1, -1});
  const int64_t k = op.Dims(0).back();
  if (k != op.Dims(1)[static_cast<size_t>(rb) - 2]) return op.Invalid("the operands do not fit");
  Value sum;
  for (int64_t at = 0; at < k; at += kExactTerms) {
    const int64_t end = std::min(k, at + kExactTerms);
    const Value part = g.Cast(
        g.MatMul(g.SliceAxis(a, ra - 1, at, end), g.SliceAxis(b, rb - 2, at, end)), DType::kInt32);
    sum = sum.present() ? g.Add(sum, part) : part;
  }
  op.Set(0, sum);
}

void ConvInteger(Op& op) {
  GraphBuilder& g = op.g;
  if (!EightBit(op, 0) || !EightBit(op, 1)) return;
  const Ints dims = op.Dims(0), wd = op.Dims(1);
  if (dims.size() != 4 || wd.size() != 4) return op.Unsupported("axes other than height and width");
  const auto axes = ReadSpatial(op, {dims[2], dims[3]}, {wd[2], wd[3]});
  if (!axes) return;
  ConvArgs args;
  args.groups = op.Int("group", 1);
  args.order = WeightOrder::kOIHW;
  args.window = WindowOf(*axes, 0);
  const int64_t taps = wd[2] * wd[3],
                each = std::max<int64_t>(kExactTerms / std::max<int64_t>(taps, 1), 1);
  if (taps > kExactTerms || (args.groups != 1 && wd[1] > each))
    return op.Unsupported("a window of more than " + std::to_string(kExactTerms) + " taps");
  const Value x = Reorder(g, Difference(op, 0, 2, Ints{1}), {}, ChannelsLast(4));
  const Value w = Difference(op, 1, 3, Ints{-1, 1, 1, 1});
  Value sum;
  for (int64_t at = 0; at < wd[1]; at += each) {
    const int64_t end = std::min(wd[1], at + each);
    const bool all = args.groups != 1;
    const Value part = g.Cast(g.Conv2D(all ? x : g.SliceAxis(x, 3, at, end),
                                       all ? w : g.SliceAxis(w, 1, at, end), {}, args),
                              DType::kInt32);
    sum = sum.present() ? g.Add(sum, part) : part;
  }
  op.Set(0, sum, ChannelsLast(4));
}

// Scale and zero point from the range of the input, 0 in it.
void DynamicQuantizeLinear(Op& op) {
  GraphBuilder& g = op.g;
  Order order;
  const Value x = op.Raw(0, &order);
  Ints all;
  for (int i = 0; i < g.shape(x).rank(); ++i) all.push_back(i);
  const Value zero = g.Float(0);
  const Value lo = g.Minimum(g.Reduce(OpType::kReduceMin, x, all, false), zero);
  const Value hi = g.Maximum(g.Reduce(OpType::kReduceMax, x, all, false), zero);
  const Value range = g.Div(g.Sub(hi, lo), g.Float(255));
  const Value scale = g.Select(g.Compare(OpType::kEqual, range, zero), g.Float(1), range);
  const Bounds codes = {.lo = 0, .hi = 255};
  const Value point =
      g.Clamp(g.Unary(OpType::kRound, g.Div(g.Unary(OpType::kNeg, lo), scale)), codes);
  const Value y = g.Clamp(g.Add(g.Unary(OpType::kRound, g.Div(x, scale)), point), codes);
  op.Set(0, g.Cast(y, DType::kUint8), order);
  op.Set(1, range);
  op.Set(2, g.Cast(point, DType::kUint8));
}

}  // namespace

std::span<const Row> QuantizeRows() {
  static constexpr Row kRows[] = {
      {"QuantizeLinear", QuantizeLinear, 2, 10},
      {"DequantizeLinear", DequantizeLinear, 2, 10, 1000, true},
      {"QLinearConv", QLinearConv, 7, 10, 1000, true},
      {"QLinearMatMul", QLinearMatMul, 7, 10, 1000, true},
      {"QLinearAdd", QLinearBinary<OpType::kAdd>, 7, 1, 1000, true, "com.microsoft"},
      {"QLinearMul", QLinearBinary<OpType::kMul>, 7, 1, 1000, true, "com.microsoft"},
      {"QGemm", QGemm, 6, 1, 1000, true, "com.microsoft"},
      {"QLinearConcat", QLinearConcat, 4, 1, 1000, true, "com.microsoft"},
      {"QLinearSigmoid", QLinearUnary<OpType::kLogistic>, 4, 1, 1000, true, "com.microsoft"},
      {"QLinearLeakyRelu", QLinearUnary<OpType::kLeakyRelu>, 4, 1, 1000, true, "com.microsoft"},
      {"QLinearGlobalAveragePool", QLinearGlobalAveragePool, 4, 1, 1000, true, "com.microsoft"},
      {"MatMulInteger", MatMulInteger, 2, 10},
      {"ConvInteger", ConvInteger, 2, 10},
      {"DynamicQuantizeLinear", DynamicQuantizeLinear, 1, 11},
  };
  return kRows;
}

}  // namespace whit::tools::onnx
