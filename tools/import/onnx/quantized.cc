#include "tools/import/onnx/quantized.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tools/import/onnx/context.h"
#include "tools/import/onnx/quantize.h"
#include "tools/import/onnx/window.h"

namespace whit::tools::onnx {

namespace {

// What follows the operator up to QuantizeLinear.
struct Tail {
  const NodeProto* activation = nullptr;
  const NodeProto* quantize = nullptr;
  Bounds bounds;
  QuantizedType type;
};

// The clamp that a node is; false where it is none that is known.
bool ClampOf(Op& op, Bounds* bounds) {
  if (op.node.op_type == "Relu") return bounds->lo = 0, true;
  if (op.node.op_type != "Clip") return false;
  const bool old = op.version < 11;
  for (size_t i : {1, 2}) {
    if (!old && op.has(i) && !op.ConstFloats(i)) return false;
  }
  const auto lo = op.FloatOf("min", old ? 9 : 1), hi = op.FloatOf("max", old ? 9 : 2);
  if (lo) bounds->lo = *lo;
  if (hi) bounds->hi = *hi;
  return bounds->lo <= bounds->hi;
}

std::optional<Tail> FindTail(Op& op) {
  Context& context = op.context();
  if (op.node.outputs.empty()) return std::nullopt;
  Tail tail;
  const NodeProto* reader = context.OnlyReader(op.node.outputs[0]);
  const auto placed = [&](const NodeProto& node) {
    Op other(context, op.g, node, context.model().Opset(node.domain));
    context.FillInitializers(other);
    return other;
  };
  if (reader != nullptr && reader->domain.empty() &&
      (reader->op_type == "Relu" || reader->op_type == "Clip")) {
    Op activation = placed(*reader);
    if (!ClampOf(activation, &tail.bounds) || reader->outputs.empty()) return std::nullopt;
    tail.activation = reader;
    reader = context.OnlyReader(reader->outputs[0]);
  }
  if (reader == nullptr || reader->op_type != "QuantizeLinear" || reader->outputs.size() != 1)
    return std::nullopt;
  Op quantize = placed(*reader);
  const auto type = QuantizeType(quantize);
  if (!type || (type->type != DType::kInt8 && type->type != DType::kUint8)) return std::nullopt;
  tail.quantize = reader;
  tail.type = *type;
  return tail;
}

// Constant codes under another shape. Scales along axis 0 stay there.
Value ReshapedCodes(GraphBuilder& g, Value codes, const Shape& shape) {
  const GraphTensor& t = g.Info(codes);
  Quantization q = {t.scale, t.zero_point, t.axis};
  return g.Constant(t.type, shape, Bytes(*t.constant), q);  // uint8 is int8 already
}

// Bias codes of scale x's times the weights'.
Value BiasCodes(GraphBuilder& g, Value x, Value w, Value bias) {
  if (!bias.present()) return bias;
  const GraphTensor& b = g.Info(bias);
  const std::vector<float> scales = g.Info(w).scale;
  const auto sx = static_cast<double>(g.Info(x).s());
  const auto n = static_cast<size_t>(b.shape.elements());
  if (!b.is_const() || (b.type != DType::kFloat32 && b.type != DType::kInt32) || scales.empty())
    return g.Unsupported("a bias that is no constant of floats or int32 codes");
  std::vector<int32_t> codes(n);
  for (size_t i = 0; i < n; ++i) {
    const double unit = sx * static_cast<double>(scales[i % scales.size()]);
    double code = 0;
    if (b.type == DType::kFloat32) {
      code = static_cast<double>(b.values<float>()[i]) / unit;
    } else {
      // QLinearConv's bias has no scale of its own: it is that unit.
      const double own = b.scale.empty() ? unit : static_cast<double>(b.scale[i % b.scale.size()]);
      code = static_cast<double>(b.values<int32_t>()[i]) *
             (std::abs(own / unit - 1) < 1e-5 ? 1 : own / unit);
    }
    if (!(std::abs(code) <= std::numeric_limits<int32_t>::max()))
      return g.Unsupported("a bias beyond int32");
    codes[i] = static_cast<int32_t>(std::nearbyint(code));
  }
  const Shape shape = b.shape;  // a copy: the tensors move as one is added
  return g.Int32s(shape, codes);
}

bool GoodActivation(GraphBuilder& g, Value x) {
  return x.present() && !g.failed(x) && g.Info(x).q8();
}

bool GoodWeights(GraphBuilder& g, Value w) {
  return w.present() && !g.failed(w) && g.constant(w) && g.type(w) == DType::kInt8 &&
         g.Info(w).quantized();
}

// The codes of a bias, or its constant real numbers; false where it has neither.
bool BiasOperand(Op& op, size_t i, Value* bias) {
  if (!op.has(i)) return true;
  *bias = op.Codes(i).present() ? op.Codes(i) : op.Constant(i) ? op.Plain(i) : Value();
  return bias->present() && op.g.constant(*bias);
}

// ---- the operators; each false where it cannot ----

struct Quantized {
  Value value;
  Order order;
};

bool Conv(Op& op, const Tail& tail, Quantized* q) {
  const Value x = op.Codes(0), w = op.Codes(1);
  Value bias;
  if (!GoodActivation(op.g, x) || !GoodWeights(op.g, w) || !BiasOperand(op, 2, &bias)) return false;
  const int rank = op.Rank(0);
  if (rank != 3 && rank != 4) return false;
  const Value turned = Reorder(op.g, x, op.in(0).order, ChannelsLast(rank));
  q->value = ConvOfCodes(op, turned, w, bias, tail.type, tail.bounds);
  q->order = ChannelsLast(rank);
  return true;
}

bool Gemm(Op& op, const Tail& tail, Quantized* q) {
  const Value x = op.Codes(0), w = op.Codes(1);
  Value bias;
  if (!GoodActivation(op.g, x) || !GoodWeights(op.g, w) || !BiasOperand(op, 2, &bias)) return false;
  if (op.Int("transA", 0) != 0 || op.Float("alpha", 1) != 1 || op.Float("beta", 1) != 1)
    return false;
  const bool transposed = op.Int("transB", 0) != 0;
  const Value plain = Reorder(op.g, x, op.in(0).order, {});
  q->value = LinearOfCodes(op, plain, w, transposed, bias, tail.type, tail.bounds);
  return true;
}

bool MatMul(Op& op, const Tail& tail, Quantized* q) {
  GraphBuilder& g = op.g;
  const Value x = op.Codes(0), w = op.Codes(1);
  if (!GoodActivation(g, x) || op.Rank(0) < 2 || op.Rank(1) < 2) return false;
  const Value plain = Reorder(g, x, op.in(0).order, {});
  if (GoodWeights(g, w) && op.Rank(1) == 2) {
    q->value = LinearOfCodes(op, plain, w, false, {}, tail.type, tail.bounds);
    return true;
  }
  if (!GoodActivation(g, w) || g.constant(w)) return false;
  q->value = g.MatMul(plain, Reorder(g, w, op.in(1).order, {}), false, false, tail.type);
  q->value = g.Clamp(q->value, tail.bounds);
  return true;
}

// An operand list that has codes where `op` has real numbers.
bool AlignedCodes(Op& op, std::vector<Operand>* swapped, std::vector<Value>* values, Order* order) {
  std::vector<size_t> all;
  for (size_t i = 0; i < op.inputs(); ++i) {
    if (!op.has(i) || !GoodActivation(op.g, op.Codes(i))) return false;
    all.push_back(i);
  }
  op.TakeCodes(swapped);
  *values = op.Aligned(all, order);
  return !values->empty();
}

template <OpType kType>
bool Binary(Op& op, const Tail& tail, Quantized* q) {
  std::vector<Operand> swapped;
  std::vector<Value> v;
  if (op.inputs() != 2 || op.version < 7 || !AlignedCodes(op, &swapped, &v, &q->order))
    return false;
  q->value = op.g.Clamp(op.g.Binary(kType, v[0], v[1], tail.type), tail.bounds);
  return true;
}

bool Concat(Op& op, const Tail& tail, Quantized* q) {
  std::vector<Operand> swapped;
  std::vector<Value> v;
  if (op.inputs() == 0) return false;
  const int rank = op.Rank(0);
  for (size_t i = 0; i < op.inputs(); ++i) {
    if (!op.has(i) || op.Rank(i) != rank) return false;
  }
  const int64_t axis = op.Int("axis", 0);
  if (axis < -rank || axis >= rank || !AlignedCodes(op, &swapped, &v, &q->order)) return false;
  q->value = op.g.Concat(v, PositionOf(q->order, op.Axis(axis, rank)), tail.type);
  q->value = op.g.Clamp(q->value, tail.bounds);
  return true;
}

template <OpType kType>
bool Unary(Op& op, const Tail& tail, Quantized* q) {
  const Value x = op.Codes(0);
  if (!GoodActivation(op.g, x) || op.inputs() != 1) return false;
  const float alpha = kType == OpType::kLeakyRelu ? op.Float("alpha", 0.01f) : 0;
  q->order = op.in(0).order;
  q->value = op.g.Clamp(op.g.Unary(kType, x, alpha, tail.type), tail.bounds);
  return true;
}

bool Softmax(Op& op, const Tail& tail, Quantized* q) {
  const Value x = op.Codes(0);
  const int rank = op.Rank(0);
  const int64_t axis = op.Int("axis", op.version < 13 ? 1 : -1);
  if (!GoodActivation(op.g, x) || axis < -rank || axis >= rank) return false;
  const int at = op.Axis(axis, rank);
  if (op.version < 13 && at != rank - 1) return false;
  q->order = op.in(0).order;
  q->value = op.g.Softmax(x, PositionOf(q->order, at), 1, tail.type);
  q->value = op.g.Clamp(q->value, tail.bounds);
  return true;
}

// Codes of another quantization, clamped.
Value Requantized(GraphBuilder& g, Value x, const Tail& tail) {
  const GraphTensor& t = g.Info(x);
  const int32_t shift = t.shifted ? 128 : 0;
  const bool same = t.shifted == (tail.type.type == DType::kUint8) && t.per_tensor() &&
                    t.s() == tail.type.scale && t.z() + shift == tail.type.zero_point;
  return g.Clamp(same ? x : g.Quantize(x, tail.type), tail.bounds);
}

bool Activation(Op& op, const Tail& tail, Quantized* q) {
  Tail both = tail;
  Bounds own;
  if (!GoodActivation(op.g, op.Codes(0)) || !ClampOf(op, &own)) return false;
  both.bounds = {.lo = std::max(own.lo, tail.bounds.lo), .hi = std::min(own.hi, tail.bounds.hi)};
  if (!(both.bounds.lo <= both.bounds.hi)) return false;
  q->order = op.in(0).order;
  q->value = Requantized(op.g, op.Codes(0), both);
  return true;
}

// Operators whose lowering is right for codes as well: those that move elements, and averages,
// which keep the quantization of what they average.
bool OfCodes(Op& op, const Row& row, const Tail& tail, Quantized* q) {
  if (!op.has(0) || !GoodActivation(op.g, op.Codes(0)) || op.g.constant(op.Codes(0))) return false;
  if (op.outputs() != 1) return false;
  std::vector<Operand> swapped;
  op.TakeCodes(&swapped);
  row.lower(op);
  Order order;
  const Value made = op.TakeResult(0, &order);
  if (!made.present() || op.g.failed(made)) {
    q->value = made.present() ? made : op.g.Unsupported("codes");
    return true;
  }
  q->order = order;
  q->value = Requantized(op.g, made, tail);
  return true;
}

bool TakesCodes(const Op& op, const Row& row) {
  if (op.node.op_type == "Resize") return op.Text("mode", "nearest") == "nearest";
  for (std::string_view name : {"AveragePool", "GlobalAveragePool", "GlobalMaxPool", "ReduceMean",
                                "ReduceMax", "ReduceMin", "Pad"}) {
    if (op.node.op_type == name) return true;
  }
  return row.moves;
}

using Lower = bool (*)(Op& op, const Tail& tail, Quantized* q);

Lower FindLower(std::string_view name) {
  struct Entry {
    std::string_view name;
    Lower lower;
  };
  static constexpr Entry kEntries[] = {
      {"Conv", Conv},
      {"Gemm", Gemm},
      {"MatMul", MatMul},
      {"Add", Binary<OpType::kAdd>},
      {"Sub", Binary<OpType::kSub>},
      {"Mul", Binary<OpType::kMul>},
      {"Concat", Concat},
      {"Sigmoid", Unary<OpType::kLogistic>},
      {"Tanh", Unary<OpType::kTanh>},
      {"HardSwish", Unary<OpType::kHardSwish>},
      {"LeakyRelu", Unary<OpType::kLeakyRelu>},
      {"Softmax", Softmax},
      {"Relu", Activation},
      {"Clip", Activation},
  };
  for (const Entry& entry : kEntries) {
    if (entry.name == name) return entry.lower;
  }
  return nullptr;
}

}  // namespace

Value ConvOfCodes(Op& op, Value x, Value w, Value bias, const QuantizedType& out,
                  const Bounds& bounds) {
  GraphBuilder& g = op.g;
  const Ints dims = op.Dims(0), wd = DimsOf(g, w);
  const int rank = static_cast<int>(dims.size());
  if (rank < 3 || rank > 4 || static_cast<int>(wd.size()) != rank)
    return g.Unsupported("codes and weights of " + std::to_string(rank) + " axes");
  const auto axes = ReadSpatial(op, {dims.begin() + 2, dims.end()}, {wd.begin() + 2, wd.end()});
  if (!axes) return g.Invalid("the window");
  ConvArgs args;
  args.groups = op.Int("group", 1);
  args.order = WeightOrder::kOIHW;
  args.window = WindowOf(*axes, 0);
  args.bounds = bounds, args.out = out;
  const Value b = BiasCodes(g, x, w, bias);
  const Value kernel = rank == 3 ? ReshapedCodes(g, w, Shape{wd[0], wd[1], 1, wd[2]}) : w;
  return Unplanes(g, g.Conv2D(Planes(g, x), kernel, b, args), rank, dims[0]);
}

Value LinearOfCodes(Op& op, Value x, Value w, bool transposed, Value bias, const QuantizedType& out,
                    const Bounds& bounds) {
  GraphBuilder& g = op.g;
  Value b = BiasCodes(g, x, w, bias);
  if (b.present()) b = g.Reshape(b, Ints{-1});
  return g.Linear(x, w, b, {.in_out = !transposed, .bounds = bounds, .out = out});
}

bool LowerQuantized(Op& op, const Row& row) {
  if (!op.node.domain.empty() || !op.has(0) || !op.Codes(0).present()) return false;
  if (op.node.op_type == "QuantizeLinear" || op.node.op_type == "DequantizeLinear") return false;
  const Lower lower = FindLower(op.node.op_type);
  const bool moves = lower == nullptr && TakesCodes(op, row);
  if (lower == nullptr && !moves) return false;
  const auto tail = FindTail(op);
  if (!tail) return false;
  Quantized q;
  if (!(moves ? OfCodes(op, row, *tail, &q) : lower(op, *tail, &q))) return false;
  Operand result;
  result.value = q.value, result.order = Canonical(q.order);
  Context& context = op.context();
  context.MarkDone(*tail->quantize);
  if (tail->activation != nullptr) context.MarkDone(*tail->activation);
  context.Bind(tail->quantize->outputs[0], std::move(result));
  return true;
}

}  // namespace whit::tools::onnx
