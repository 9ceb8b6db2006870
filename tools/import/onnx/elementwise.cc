// Operators element by element. Each keeps the order in which its operands lie.
#include <array>
#include <cmath>
#include <limits>

#include "tools/import/onnx/op.h"

namespace whit::tools::onnx {

namespace {

// Narrow integers have no arithmetic of their own: int32 does it for them.
bool Narrow(DType type) {
  return type == DType::kInt8 || type == DType::kUint8 || type == DType::kInt16;
}

Value BinaryOf(GraphBuilder& g, OpType op, Value a, Value b) {
  const DType type = g.type(a);
  if (!Narrow(type) || g.type(b) != type) return g.Binary(op, a, b);
  return g.Cast(g.Binary(op, g.Cast(a, DType::kInt32), g.Cast(b, DType::kInt32)), type);
}

// ---- one operand ----

template <typename Fn>
void One(Op& op, Fn fn) {
  Order order;
  const Value x = op.Raw(0, &order);
  op.Set(0, fn(op.g, x), order);
}

template <OpType kType>
void Unary(Op& op) {
  One(op, [](GraphBuilder& g, Value x) { return g.Unary(kType, x); });
}

void Relu(Op& op) {
  One(op, [](GraphBuilder& g, Value x) {
    return g.type(x) == DType::kFloat32 ? g.Relu(x) : g.Maximum(x, Scalar(g, g.type(x), 0));
  });
}

void LeakyRelu(Op& op) {
  const float alpha = op.Float("alpha", 0.01f);
  One(op, [&](GraphBuilder& g, Value x) { return g.LeakyRelu(x, alpha); });
}

void Elu(Op& op) {
  const float alpha = op.Float("alpha", 1);
  One(op, [&](GraphBuilder& g, Value x) { return g.Elu(x, alpha); });
}

// max(0, x) + min(0, alpha * (exp(x / alpha) - 1)) is max(0, x) + alpha * elu(min(x, 0) / alpha).
void Celu(Op& op) {
  const float alpha = op.Float("alpha", 1);
  if (!(alpha > 0)) return op.Unsupported("alpha of 0 or less");
  One(op, [&](GraphBuilder& g, Value x) {
    const Value negative = g.Mul(g.Minimum(x, g.Float(0)), g.Float(1 / alpha));
    return g.Add(g.Relu(x), g.Mul(g.Elu(negative), g.Float(alpha)));
  });
}

void Selu(Op& op) {
  const float alpha = op.Float("alpha", 1.67326319217681884765625f);
  const float gamma = op.Float("gamma", 1.05070102214813232421875f);
  One(op, [&](GraphBuilder& g, Value x) { return g.Mul(g.Elu(x, alpha), g.Float(gamma)); });
}

void ThresholdedRelu(Op& op) {
  const float alpha = op.Float("alpha", 1);
  One(op, [&](GraphBuilder& g, Value x) {
    return g.Select(g.Compare(OpType::kGreater, x, g.Float(alpha)), x, g.Float(0));
  });
}

void HardSigmoid(Op& op) {
  const float alpha = op.Float("alpha", 0.2f), beta = op.Float("beta", 0.5f);
  One(op, [&](GraphBuilder& g, Value x) { return g.HardSigmoid(x, alpha, beta); });
}

void Softplus(Op& op) {
  One(op, [](GraphBuilder& g, Value x) { return g.Softplus(x); });
}

void Softsign(Op& op) {
  One(op, [](GraphBuilder& g, Value x) {
    return g.Div(x, g.Add(g.Unary(OpType::kAbs, x), g.Float(1)));
  });
}

void Mish(Op& op) {
  One(op, [](GraphBuilder& g, Value x) { return g.Mul(x, g.Tanh(g.Softplus(x))); });
}

void Swish(Op& op) {
  const float alpha = op.Float("alpha", 1);
  One(op, [&](GraphBuilder& g, Value x) {
    return g.Mul(x, g.Sigmoid(alpha == 1 ? x : g.Mul(x, g.Float(alpha))));
  });
}

void Gelu(Op& op) {
  const std::string approximate = op.Text("approximate", "none");
  if (approximate != "none" && approximate != "tanh")
    return op.Unsupported("approximate '" + approximate + "'");
  One(op, [&](GraphBuilder& g, Value x) { return g.Gelu(x, approximate == "tanh"); });
}

void FastGelu(Op& op) {
  Order order;
  Value x = op.Raw(0, &order);
  if (op.has(1)) x = op.g.Add(op.Plain(0), op.Plain(1)), order.clear();
  op.Set(0, op.g.Gelu(x, true), order);
}

void Erf(Op& op) {
  One(op, [](GraphBuilder& g, Value x) { return g.Erf(x); });
}

void Reciprocal(Op& op) {
  One(op, [](GraphBuilder& g, Value x) { return g.Div(g.Float(1), x); });
}

void Sign(Op& op) {
  One(op, [](GraphBuilder& g, Value x) { return g.Sign(x); });
}

void Tan(Op& op) {
  One(op, [](GraphBuilder& g, Value x) {
    return g.Div(g.Unary(OpType::kSin, x), g.Unary(OpType::kCos, x));
  });
}

Value Half(GraphBuilder& g, Value x) { return g.Mul(x, g.Float(0.5f)); }
Value Exp(GraphBuilder& g, Value x) { return g.Unary(OpType::kExp, x); }
Value Log(GraphBuilder& g, Value x) { return g.Unary(OpType::kLog, x); }
Value Negative(GraphBuilder& g, Value x) { return g.Unary(OpType::kNeg, x); }
Value Magnitude(GraphBuilder& g, Value x) { return g.Unary(OpType::kAbs, x); }
Value Root(GraphBuilder& g, Value x) { return g.Unary(OpType::kSqrt, x); }

// e^x - 1 as exact elu of a negative x: no digits are lost near 0. sinh(|x|) = (1 - e^-2|x|) / 2 *
// e^|x|.
void Sinh(Op& op) {
  One(op, [](GraphBuilder& g, Value x) {
    const Value size = Magnitude(g, x);
    const Value part = Negative(g, g.Elu(g.Mul(size, g.Float(-2))));
    return g.Mul(g.Sign(x), Half(g, g.Mul(part, Exp(g, size))));
  });
}

void Cosh(Op& op) {
  One(op,
      [](GraphBuilder& g, Value x) { return Half(g, g.Add(Exp(g, x), Exp(g, Negative(g, x)))); });
}

// sign(x) * log(|x| + sqrt(x^2 + 1)).
void Asinh(Op& op) {
  One(op, [](GraphBuilder& g, Value x) {
    const Value size = Magnitude(g, x);
    const Value root = Root(g, g.Add(g.Mul(x, x), g.Float(1)));
    return g.Mul(g.Sign(x), Log(g, g.Add(size, root)));
  });
}

void Acosh(Op& op) {
  One(op, [](GraphBuilder& g, Value x) {
    return Log(g, g.Add(x, Root(g, g.Sub(g.Mul(x, x), g.Float(1)))));
  });
}

void Atanh(Op& op) {
  One(op, [](GraphBuilder& g, Value x) {
    return Half(g, Log(g, g.Div(g.Add(g.Float(1), x), g.Sub(g.Float(1), x))));
  });
}

// atan(x) for any x, by argument reduction: |x| > 1 gives pi/2 - atan(1/|x|), and |x| above
// tan(pi/8) gives pi/4 + atan((|x| - 1) / (|x| + 1)); then the odd series, whose first term left
// out is below tan(pi/8)^15 / 15 = 1.2e-7.
Value Atan(GraphBuilder& g, Value x) {
  constexpr float kHalfPi = 1.57079633f, kQuarterPi = 0.785398163f, kTanEighth = 0.414213562f;
  const Value size = Magnitude(g, x);
  const Value large = g.Compare(OpType::kGreater, size, g.Float(1));
  const Value a = g.Select(large, g.Div(g.Float(1), g.Maximum(size, g.Float(1))), size);
  const Value middle = g.Compare(OpType::kGreater, a, g.Float(kTanEighth));
  const Value reduced = g.Div(g.Sub(a, g.Float(1)), g.Add(a, g.Float(1)));
  const Value b = g.Select(middle, reduced, a);
  const Value square = g.Mul(b, b);
  Value series = g.Float(1.0f / 13);
  for (int k = 11; k >= 1; k -= 2) {
    const float term = 1.0f / static_cast<float>(k);
    series = g.Sub(g.Float(term), g.Mul(square, series));
  }
  Value angle = g.Mul(b, series);
  angle = g.Add(angle, g.Select(middle, g.Float(kQuarterPi), g.Float(0)));
  angle = g.Select(large, g.Sub(g.Float(kHalfPi), angle), angle);
  return g.Mul(g.Sign(x), angle);
}

void AtanOp(Op& op) {
  One(op, [](GraphBuilder& g, Value x) { return Atan(g, x); });
}

// asin(x) = 2 atan(x / (1 + sqrt(1 - x^2))), which is defined at both ends.
Value Asin(GraphBuilder& g, Value x) {
  const Value root = Root(g, g.Mul(g.Sub(g.Float(1), x), g.Add(g.Float(1), x)));
  return g.Mul(Atan(g, g.Div(x, g.Add(g.Float(1), root))), g.Float(2));
}

void AsinOp(Op& op) {
  One(op, [](GraphBuilder& g, Value x) { return Asin(g, x); });
}

void AcosOp(Op& op) {
  One(op, [](GraphBuilder& g, Value x) { return g.Sub(g.Float(1.57079633f), Asin(g, x)); });
}

void IsNan(Op& op) {
  One(op, [](GraphBuilder& g, Value x) { return g.Compare(OpType::kNotEqual, x, x); });
}

void IsInf(Op& op) {
  const bool above = op.Int("detect_positive", 1) != 0, below = op.Int("detect_negative", 1) != 0;
  One(op, [&](GraphBuilder& g, Value x) {
    if (above && below) x = Magnitude(g, x);
    if (!above && !below) return g.Compare(OpType::kLess, Magnitude(g, x), g.Float(-1));
    return g.Compare(OpType::kEqual, x, g.Float(above ? kInf : -kInf));
  });
}

void Not(Op& op) {
  One(op, [](GraphBuilder& g, Value x) { return g.LogicalNot(x); });
}

void Shrink(Op& op) {
  const float bias = op.Float("bias", 0), lambda = op.Float("lambd", 0.5f);
  One(op, [&](GraphBuilder& g, Value x) {
    const Value above = g.Select(g.Compare(OpType::kGreater, x, g.Float(lambda)),
                                 g.Sub(x, g.Float(bias)), g.Float(0));
    return g.Select(g.Compare(OpType::kLess, x, g.Float(-lambda)), g.Add(x, g.Float(bias)), above);
  });
}

void Clip(Op& op) {
  Order order;
  Value x = op.Raw(0, &order);
  GraphBuilder& g = op.g;
  const bool attributes = op.version < 11;
  const auto constant = [&](size_t i) { return !op.has(i) || op.Constant(i); };
  if (g.type(x) == DType::kFloat32 && (attributes || (constant(1) && constant(2)))) {
    Bounds bounds;
    const auto lo = op.FloatOf("min", attributes ? 9 : 1);
    const auto hi = op.FloatOf("max", attributes ? 9 : 2);
    if (lo && *lo > -std::numeric_limits<float>::max()) bounds.lo = *lo;
    if (hi && *hi < std::numeric_limits<float>::max()) bounds.hi = *hi;
    if (bounds.lo > bounds.hi) bounds.lo = bounds.hi;  // ONNX: min(max(x, lo), hi)
    return op.Set(0, g.Clamp(x, bounds), order);
  }
  if (op.has(1)) x = BinaryOf(g, OpType::kMaximum, x, op.Plain(1));
  if (op.has(2)) x = BinaryOf(g, OpType::kMinimum, x, op.Plain(2));
  op.Set(0, x, order);
}

void Cast(Op& op) {
  const auto to = static_cast<DataType>(op.Int("to", 0));
  DType type;
  const bool small = to == DataType::kInt4 || to == DataType::kUint4;
  if (!WhitTypeOf(to, &type) || small) return op.Unsupported("a cast to " + DataTypeName(to));
  // Half floats are float32 here: their rounding is left out.
  One(op, [&](GraphBuilder& g, Value x) { return g.Cast(x, type); });
}

void CastLike(Op& op) {
  const DType type = op.Type(1);
  One(op, [&](GraphBuilder& g, Value x) { return g.Cast(x, type); });
}

// ---- two operands and more ----

// Both operands. Sets before 7 have an axis at which the shape of the second one begins.
std::vector<Value> Pair(Op& op, Order* order) {
  const int rank = op.Rank(0);
  if (op.version >= 7 || op.Int("broadcast", 0) == 0 || !op.Has("axis"))
    return op.Aligned({0, 1}, order);
  const int axis = op.Axis(op.Int("axis", 0), rank);
  Ints dims(static_cast<size_t>(axis), 1);
  for (int64_t d : op.Dims(1)) dims.push_back(d);
  if (static_cast<int>(dims.size()) < rank) dims.resize(static_cast<size_t>(rank), 1);
  const Value a = op.Raw(0, order);
  return {a, Reorder(op.g, op.g.Reshape(op.Plain(1), dims), {}, *order)};
}

template <OpType kType>
void Binary(Op& op) {
  Order order;
  const auto v = Pair(op, &order);
  op.Set(0, BinaryOf(op.g, kType, v[0], v[1]), order);
}

template <OpType kType>
void Compare(Op& op) {
  Order order;
  const auto v = Pair(op, &order);
  op.Set(0, op.g.Compare(kType, v[0], v[1]), order);
}

// Integer division of ONNX cuts towards 0.
void Div(Op& op) {
  Order order;
  auto v = Pair(op, &order);
  GraphBuilder& g = op.g;
  const DType whole = g.type(v[0]);
  for (Value& x : v) {
    if (Narrow(whole)) x = g.Cast(x, DType::kInt32);
  }
  const DType type = g.type(v[0]);
  if (type != DType::kInt32 && type != DType::kInt64) return op.Set(0, g.Div(v[0], v[1]), order);
  const Value down = g.Binary(OpType::kFloorDiv, v[0], v[1]);
  const Value rest = g.Sub(v[0], g.Mul(down, v[1]));
  const Value up =
      g.Cast(g.Compare(OpType::kLogicalAnd, g.Compare(OpType::kLess, down, Scalar(g, type, 0)),
                       g.Compare(OpType::kNotEqual, rest, Scalar(g, type, 0))),
             type);
  op.Set(0, g.Cast(g.Add(down, up), whole), order);
}

void Pow(Op& op) {
  Order order;
  auto v = Pair(op, &order);
  GraphBuilder& g = op.g;
  const auto exponent = op.ConstFloats(1);
  if (exponent && exponent->size() == 1 && g.type(v[0]) == DType::kFloat32) {
    const Value x = v[0];
    if (exponent->front() == 2) return op.Set(0, g.Unary(OpType::kSquare, x), order);
    if (exponent->front() == 0.5f) return op.Set(0, g.Unary(OpType::kSqrt, x), order);
    if (exponent->front() == 1) return op.Set(0, x, order);
    if (exponent->front() == 3) return op.Set(0, g.Mul(g.Unary(OpType::kSquare, x), x), order);
  }
  // The result has the base's type.
  const DType type = g.type(v[0]);
  if (g.type(v[1]) != type) {
    if (type == DType::kFloat32) {
      v[1] = g.Cast(v[1], type);
    } else {
      const Value real = g.Pow(g.Cast(v[0], DType::kFloat32), g.Cast(v[1], DType::kFloat32));
      return op.Set(0, g.Cast(real, type), order);
    }
  }
  op.Set(0, g.Pow(v[0], v[1]), order);
}

void Mod(Op& op) {
  Order order;
  const auto v = Pair(op, &order);
  GraphBuilder& g = op.g;
  if (op.Int("fmod", 0) == 0) return op.Set(0, BinaryOf(g, OpType::kFloorMod, v[0], v[1]), order);
  // C's fmod has the sign of the dividend: of magnitudes both rules agree.
  const DType whole = g.type(v[0]);
  Value a = v[0], b = v[1];
  if (Narrow(whole)) a = g.Cast(a, DType::kInt32), b = g.Cast(b, DType::kInt32);
  const Value rest = g.Binary(OpType::kFloorMod, Magnitude(g, a), Magnitude(g, b));
  op.Set(0, g.Cast(g.Mul(g.Sign(a), rest), whole), order);
}

void Xor(Op& op) {
  Order order;
  const auto v = Pair(op, &order);
  op.Set(0, op.g.Compare(OpType::kNotEqual, v[0], v[1]), order);
}

void PRelu(Op& op) {
  Order order;
  if (op.version < 7 && op.has(1) && op.Rank(1) == 1 && op.Rank(0) > 2 && op.Dims(1)[0] > 1) {
    const Value slope = op.Plain(1);  // one a channel
    return op.Set(0, op.g.PRelu(op.Channels(0), slope), ChannelsLast(op.Rank(0)));
  }
  const auto v = op.Aligned({0, 1}, &order);
  op.Set(0, op.g.PRelu(v[0], v[1]), order);
}

void Where(Op& op) {
  Order order;
  const auto v = op.Aligned({0, 1, 2}, &order);
  op.Set(0, op.g.Select(v[0], v[1], v[2]), order);
}

std::vector<size_t> All(const Op& op) {
  std::vector<size_t> all(op.inputs());
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  return all;
}

template <OpType kType>
Value Joined(Op& op, Order* order) {
  for (size_t i = 0; i < op.inputs(); ++i) {
    if (!op.has(i)) return op.g.Invalid("input " + std::to_string(i) + " is absent");
  }
  const auto v = op.Aligned(All(op), order);
  Value joined = v[0];
  for (size_t i = 1; i < v.size(); ++i) joined = BinaryOf(op.g, kType, joined, v[i]);
  return joined;
}

template <OpType kType>
void Variadic(Op& op) {
  Order order;
  const Value joined = Joined<kType>(op, &order);
  op.Set(0, joined, order);
}

void Mean(Op& op) {
  Order order;
  const Value sum = Joined<OpType::kAdd>(op, &order);
  op.Set(0, op.g.Mul(sum, op.g.Float(1.0f / static_cast<float>(op.inputs()))), order);
}

}  // namespace

std::span<const Row> ElementwiseRows() {
  static constexpr Row kRows[] = {
      {"Abs", Unary<OpType::kAbs>, 1},
      {"Neg", Unary<OpType::kNeg>, 1},
      {"Sqrt", Unary<OpType::kSqrt>, 1},
      {"Exp", Unary<OpType::kExp>, 1},
      {"Log", Unary<OpType::kLog>, 1},
      {"Sin", Unary<OpType::kSin>, 1},
      {"Cos", Unary<OpType::kCos>, 1},
      {"Floor", Unary<OpType::kFloor>, 1},
      {"Ceil", Unary<OpType::kCeil>, 1},
      {"Round", Unary<OpType::kRound>, 1},
      {"Sigmoid", Unary<OpType::kLogistic>, 1},
      {"Tanh", Unary<OpType::kTanh>, 1},
      {"HardSwish", Unary<OpType::kHardSwish>, 1},
      {"Relu", Relu, 1},
      {"LeakyRelu", LeakyRelu, 1},
      {"Elu", Elu, 1},
      {"Celu", Celu, 1},
      {"Selu", Selu, 1},
      {"ThresholdedRelu", ThresholdedRelu, 1},
      {"HardSigmoid", HardSigmoid, 1},
      {"Softplus", Softplus, 1},
      {"Softsign", Softsign, 1},
      {"Mish", Mish, 1},
      {"Swish", Swish, 1},
      {"QuickGelu", Swish, 1, 1, 1000, false, "com.microsoft"},
      {"Gelu", Gelu, 1},
      {"Gelu", Gelu, 1, 1, 1000, false, "com.microsoft"},
      {"FastGelu", FastGelu, 1, 1, 1000, false, "com.microsoft"},
      {"Erf", Erf, 1},
      {"Reciprocal", Reciprocal, 1},
      {"Sign", Sign, 1},
      {"Tan", Tan, 1},
      {"Sinh", Sinh, 1},
      {"Cosh", Cosh, 1},
      {"Asinh", Asinh, 1},
      {"Acosh", Acosh, 1},
      {"Atanh", Atanh, 1},
      {"Atan", AtanOp, 1},
      {"Asin", AsinOp, 1},
      {"Acos", AcosOp, 1},
      {"IsNaN", IsNan, 1},
      {"IsInf", IsInf, 1},
      {"Not", Not, 1},
      {"Shrink", Shrink, 1},
      {"Clip", Clip, 1},
      {"Cast", Cast, 1},
      {"CastLike", CastLike, 2},
      {"Add", Binary<OpType::kAdd>, 2},
      {"Sub", Binary<OpType::kSub>, 2},
      {"Mul", Binary<OpType::kMul>, 2},
      {"Div", Div, 2},
      {"Pow", Pow, 2},
      {"Mod", Mod, 2},
      {"Equal", Compare<OpType::kEqual>, 2},
      {"Less", Compare<OpType::kLess>, 2},
      {"Greater", Compare<OpType::kGreater>, 2},
      {"LessOrEqual", Compare<OpType::kLessEqual>, 2},
      {"GreaterOrEqual", Compare<OpType::kGreaterEqual>, 2},
      {"And", Compare<OpType::kLogicalAnd>, 2},
      {"Or", Compare<OpType::kLogicalOr>, 2},
      {"Xor", Xor, 2},
      {"PRelu", PRelu, 2},
      {"Where", Where, 3},
      {"Min", Variadic<OpType::kMinimum>, 1},
      {"Max", Variadic<OpType::kMaximum>, 1},
      {"Sum", Variadic<OpType::kAdd>, 1},
      {"Mean", Mean, 1},
  };
  return kRows;
}

}  // namespace whit::tools::onnx
