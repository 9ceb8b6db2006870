// GraphBuilder: operators element by element, of one, two and three operands, and what is composed
// of them.
#include <algorithm>
#include <cmath>

#include "tools/import/axes.h"
#include "tools/import/graph_builder.h"
#include "tools/import/tables.h"

namespace whit::tools {

// ---- two operands ----

Value GraphBuilder::Binary(OpType op, Value a, Value b, const std::optional<QuantizedType>& out) {
  if (const Value known = Pattern(op, a, b); known.present()) return known;
  const Value y = EmitBinary(op, a, b, out);
  if (failed(y) || constant(y) || type(y) != DType::kFloat32) return y;
  if (const auto term = TermOfBinary(op, a, b)) terms_[y.index_] = *term;
  return y;
}

Result<Shape> GraphBuilder::ShapeOfTwo(Value a, Value b) {
  WHIT_RETURN_IF_ERROR(ExpectPresent({a, b}));
  if (type(a) != type(b)) {
    return scope().Unsupported(std::string("operands of two types, ") + DTypeName(type(a)) +
                               " and " + DTypeName(type(b)));
  }
  return BroadcastShape(scope(), shape(a), shape(b));
}

Value GraphBuilder::EmitBinary(OpType op, Value a, Value b,
                               const std::optional<QuantizedType>& out) {
  return Try({a, b}, [&]() -> Result<int> {
    WHIT_ASSIGN_OR_RETURN(const Shape s, ShapeOfTwo(a, b));
    WHIT_ASSIGN_OR_RETURN(const GraphTensor like, ResultType(a, out));
    WHIT_ASSIGN_OR_RETURN(const int y, NewOf(like, Dims(s)));
    int from_a = a.index_, from_b = b.index_;
    if (like.quantized() && (op == OpType::kMaximum || op == OpType::kMinimum)) {
      WHIT_ASSIGN_OR_RETURN(from_a, scope().Requantized(from_a, like));
      WHIT_ASSIGN_OR_RETURN(from_b, scope().Requantized(from_b, like));
    }
    WHIT_RETURN_IF_ERROR(scope().Emit(op, fbs::BinaryOptionsT(), {from_a, from_b}, {y}));
    return y;
  });
}

Value GraphBuilder::Add(Value a, Value b, const std::optional<QuantizedType>& out) {
  return Binary(OpType::kAdd, a, b, out);
}
Value GraphBuilder::Sub(Value a, Value b, const std::optional<QuantizedType>& out) {
  return Binary(OpType::kSub, a, b, out);
}
Value GraphBuilder::Mul(Value a, Value b, const std::optional<QuantizedType>& out) {
  return Binary(OpType::kMul, a, b, out);
}
Value GraphBuilder::Div(Value a, Value b, const std::optional<QuantizedType>& out) {
  return Binary(OpType::kDiv, a, b, out);
}

Value GraphBuilder::Compare(OpType op, Value a, Value b) {
  return Try({a, b}, [&]() -> Result<int> {
    WHIT_ASSIGN_OR_RETURN(const Shape s, ShapeOfTwo(a, b));
    GraphTensor like;
    like.type = DType::kBool;
    WHIT_ASSIGN_OR_RETURN(const int y, NewOf(like, Dims(s)));
    WHIT_RETURN_IF_ERROR(scope().Emit(op, fbs::BinaryOptionsT(), {a.index_, b.index_}, {y}));
    return y;
  });
}

Value GraphBuilder::Select(Value condition, Value a, Value b) {
  return Try({condition, a, b}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectPresent({condition, a, b}));
    if (type(a) != type(b) || type(condition) != DType::kBool) {
      return scope().Unsupported(std::string("condition ") + DTypeName(type(condition)) +
                                 ", choices " + DTypeName(type(a)) + " and " + DTypeName(type(b)));
    }
    WHIT_ASSIGN_OR_RETURN(Shape s, BroadcastShape(scope(), shape(a), shape(b)));
    WHIT_ASSIGN_OR_RETURN(s, BroadcastShape(scope(), shape(condition), s));
    const GraphTensor like = Info(a);
    int from_b = b.index_;
    if (like.quantized()) {
      WHIT_ASSIGN_OR_RETURN(from_b, scope().Requantized(from_b, like));
    }
    WHIT_ASSIGN_OR_RETURN(const int y, NewLike(a, Dims(s)));
    WHIT_RETURN_IF_ERROR(scope().Emit(OpType::kSelect, fbs::SelectOptionsT(),
                                      {condition.index_, a.index_, from_b}, {y}));
    return y;
  });
}

Value GraphBuilder::PRelu(Value x, Value alpha) {
  return Try({x, alpha}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectFloat(x, "the input"));
    WHIT_RETURN_IF_ERROR(ExpectFloat(alpha, "alpha"));
    WHIT_ASSIGN_OR_RETURN(const Shape s, BroadcastShape(scope(), shape(x), shape(alpha)));
    WHIT_ASSIGN_OR_RETURN(const int y, NewFloat(s));
    WHIT_RETURN_IF_ERROR(
        scope().Emit(OpType::kPRelu, fbs::PReluOptionsT(), {x.index_, alpha.index_}, {y}));
    return y;
  });
}

// ---- one operand ----

Result<int> GraphBuilder::EmitUnary(OpType op, Value x, const fbs::UnaryOptionsT& options,
                                    const std::optional<QuantizedType>& out) {
  WHIT_RETURN_IF_ERROR(ExpectPresent({x}));
  WHIT_ASSIGN_OR_RETURN(const GraphTensor like, ResultType(x, out));
  WHIT_ASSIGN_OR_RETURN(const int y, NewOf(like, Dims(shape(x))));
  const GraphTensor& in = Info(x);
  if ((in.q8() && like.q8()) || (in.q16() && like.q16())) {
    WHIT_RETURN_IF_ERROR(EmitTable(scope(), op, options, x.index_, y));
    return y;
  }
  if (in.quantized() || like.quantized()) {
    return scope().Unsupported(std::string("types ") + DTypeName(in.type) + " -> " +
                               DTypeName(like.type));
  }
  WHIT_RETURN_IF_ERROR(scope().Emit(op, options, {x.index_}, {y}));
  return y;
}

Value GraphBuilder::Unary(OpType op, Value x, float alpha,
                          const std::optional<QuantizedType>& out) {
  fbs::UnaryOptionsT o;
  o.alpha = op == OpType::kElu ? 1 : alpha;
  return Try({x}, [&] { return EmitUnary(op, x, o, out); });
}

Value GraphBuilder::LogicalNot(Value x) { return Unary(OpType::kLogicalNot, x); }

Value GraphBuilder::Gelu(Value x, bool tanh) {
  fbs::UnaryOptionsT o;
  o.approximate = tanh;
  return Try({x}, [&] { return EmitUnary(OpType::kGelu, x, o, {}); });
}

Value GraphBuilder::Elu(Value x, float alpha) {
  if (alpha == 1) return Unary(OpType::kElu, x, 1);
  // max(x, 0) + alpha * elu(min(x, 0))
  const Value negative = Unary(OpType::kElu, Minimum(x, Float(0)), 1);
  return Add(Relu(x), Mul(negative, Float(alpha)));
}

// A clamp of a float tensor as the operator that is nearest to it; FuseGraph moves it into the
// operator before it.
Value GraphBuilder::Clamp(Value x, const Bounds& b) {
  if (b.lo == -kInf && b.hi == kInf) return x;
  if (!(b.lo <= b.hi))
    return Invalid("a clamp to " + std::to_string(b.lo) + ".." + std::to_string(b.hi));
  if (Info(x).quantized()) return ClampStored(x, b);
  if (b.lo == 0 && b.hi == kInf) return Unary(OpType::kRelu, x);
  if (b.lo == 0 && b.hi == 6) return Unary(OpType::kRelu6, x);
  if (b.lo == -1 && b.hi == 1) return Unary(OpType::kReluN1To1, x);
  if (b.lo > -kInf) x = Maximum(x, Float(b.lo));
  return b.hi < kInf ? Minimum(x, Float(b.hi)) : x;
}

Value GraphBuilder::ClampStored(Value x, const Bounds& bounds) {
  return Try({x}, [&]() -> Result<int> {
    WHIT_ASSIGN_OR_RETURN(const int y, NewLike(x, Dims(shape(x))));
    const tools::Clamp clamp = StoredClamp(Info(x), bounds.lo, bounds.hi);
    fbs::QuantizeOptionsT o;
    o.lo = clamp.lo, o.hi = clamp.hi;
    WHIT_RETURN_IF_ERROR(scope().Emit(OpType::kQuantize, std::move(o), {x.index_}, {y}));
    return y;
  });
}

Value GraphBuilder::HardSigmoid(Value x, float alpha, float beta) {
  return Clamp(Add(Mul(x, Float(alpha)), Float(beta)), {.lo = 0, .hi = 1});
}

Value GraphBuilder::Softplus(Value x) {
  // max(x, 0) + log(1 + exp(-|x|)); the logarithm through log_softmax's own care is not needed: its
  // argument lies in (1, 2].
  const Value small = Unary(OpType::kExp, Unary(OpType::kNeg, Unary(OpType::kAbs, x)));
  return Add(Relu(x), Unary(OpType::kLog, Add(small, Float(1))));
}

Value GraphBuilder::Erf(Value x) {
  // gelu(y) = y / 2 * (1 + erf(y / sqrt 2)), so erf(x) = gelu(y) / (y / 2) - 1 with y = x * sqrt 2.
  // Near 0 that cancels; there erf(x) = 2 / sqrt(pi) * (x - x^3 / 3), whose next term is below
  // 3e-9.
  constexpr float kRootTwo = 1.41421356f, kSlope = 1.12837917f, kSmall = 0.03f;
  const Value small = Compare(OpType::kLess, Unary(OpType::kAbs, x), Float(kSmall));
  const Value safe = Select(small, Float(1), x);
  const Value half = Mul(safe, Float(kRootTwo / 2));
  const Value large = Sub(Div(Gelu(Mul(safe, Float(kRootTwo))), half), Float(1));
  const Value cubic = Sub(Float(1), Mul(Mul(x, x), Float(1.0f / 3)));
  const Value y = Select(small, Mul(Mul(x, Float(kSlope)), cubic), large);
  NoteErf(x, y);
  return y;
}

Value GraphBuilder::Sign(Value x) {
  if (!Ready({&x, 1})) return Value(Value::kFailed);
  const DType t = type(x);
  const Value zero = Cast(Float(0), t);
  const Value above = Cast(Compare(OpType::kGreater, x, zero), t);
  return Sub(above, Cast(Compare(OpType::kLess, x, zero), t));
}

Value GraphBuilder::Cast(Value x, DType to) {
  return Try({x}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectPresent({x}));
    if (Info(x).quantized()) return scope().Unsupported("the cast of a quantized tensor");
    if (type(x) == to) return x.index_;
    GraphTensor like;
    like.type = to;
    WHIT_ASSIGN_OR_RETURN(const int y, NewOf(like, Dims(shape(x))));
    WHIT_RETURN_IF_ERROR(scope().Emit(OpType::kCast, fbs::CastOptionsT(), {x.index_}, {y}));
    return y;
  });
}

// ---- quantization ----

Value GraphBuilder::Quantize(Value x, const QuantizedType& to) {
  return Try({x}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectPresent({x}));
    WHIT_ASSIGN_OR_RETURN(const GraphTensor like, ResultType(x, to));
    WHIT_ASSIGN_OR_RETURN(const int y, NewOf(like, Dims(shape(x))));
    WHIT_RETURN_IF_ERROR(scope().Emit(OpType::kQuantize, fbs::QuantizeOptionsT(), {x.index_}, {y}));
    return y;
  });
}

Value GraphBuilder::Dequantize(Value x) {
  return Try({x}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectPresent({x}));
    if (!Info(x).quantized() && type(x) != DType::kFloat16)
      return scope().Invalid(std::string("the input, ") + DTypeName(type(x)) +
                             ", is not quantized");
    WHIT_ASSIGN_OR_RETURN(const int y, NewFloat(shape(x)));
    WHIT_RETURN_IF_ERROR(
        scope().Emit(OpType::kDequantize, fbs::QuantizeOptionsT(), {x.index_}, {y}));
    return y;
  });
}

}  // namespace whit::tools
