// Add, Sub, Mul, Div, Maximum, Minimum, SquaredDifference, FloorDiv, FloorMod, Pow: out =
// clamp(f(a, b), lo, hi) with numpy broadcasting. float32, int32, int64; the first seven also int8
// (either storage) and int16 quantized. What each computes: docs/arithmetic.md, 4.1. Tasks are
// output elements.
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "kernels/binary.h"
#include "kernels/elementwise.h"
#include "kernels/op.h"
#include "kernels/options.h"
#include "kernels/requantize.h"
#include "schema/model_generated.h"

namespace whit {

namespace {

// ---- plain types: one function an operator, then the clamp ----

template <typename T>
using Bits = std::make_unsigned_t<std::conditional_t<std::is_floating_point_v<T>, int32_t, T>>;

// Integer arithmetic modulo 2^n: in unsigned, where overflow is defined.
template <typename T, typename F>
T Wrap(T a, T b, F f) {
  if constexpr (std::is_floating_point_v<T>) {
    return f(a, b);
  } else {
    return static_cast<T>(f(static_cast<Bits<T>>(a), static_cast<Bits<T>>(b)));
  }
}

// The quotient towards zero; the smallest integer over -1 wraps to itself instead of trapping.
template <typename T>
T WrapDivide(T a, T b) {
  return b == -1 ? static_cast<T>(Bits<T>{0} - static_cast<Bits<T>>(a)) : a / b;
}

template <typename T>
T IntegerPower(T base, T exponent) {
  Bits<T> result = 1, square = static_cast<Bits<T>>(base);
  for (Bits<T> e = static_cast<Bits<T>>(exponent); e != 0; e >>= 1) {
    if ((e & 1) != 0) result *= square;
    square *= square;
  }
  return static_cast<T>(result);
}

// Each operator is a value that maps (a, b) to the result and sets *failed where the quotient does
// not exist.
struct AddOp {
  template <typename T>
  T operator()(T a, T b, bool*) const {
    return Wrap(a, b, [](auto x, auto y) { return x + y; });
  }
};
struct SubOp {
  template <typename T>
  T operator()(T a, T b, bool*) const {
    return Wrap(a, b, [](auto x, auto y) { return x - y; });
  }
};
struct MulOp {
  template <typename T>
  T operator()(T a, T b, bool*) const {
    return Wrap(a, b, [](auto x, auto y) { return x * y; });
  }
};
struct SquaredDifferenceOp {
  template <typename T>
  T operator()(T a, T b, bool*) const {
    return Wrap(a, b, [](auto x, auto y) { return (x - y) * (x - y); });
  }
};
struct MaximumOp {
  template <typename T>
  T operator()(T a, T b, bool*) const {
    return a > b ? a : b;
  }
};
struct MinimumOp {
  template <typename T>
  T operator()(T a, T b, bool*) const {
    return a < b ? a : b;
  }
};
struct DivOp {
  template <typename T>
  T operator()(T a, T b, bool* failed) const {
    if constexpr (std::is_floating_point_v<T>) {
      return a / b;
    } else {
      *failed |= b == 0;
      return b == 0 ? 0 : WrapDivide(a, b);
    }
  }
};
struct FloorDivOp {
  template <typename T>
  T operator()(T a, T b, bool* failed) const {
    if constexpr (std::is_floating_point_v<T>) {
      return static_cast<T>(std::floor(static_cast<double>(a) / static_cast<double>(b)));
    } else {
      *failed |= b == 0;
      if (b == 0) return 0;
      const T quotient = WrapDivide(a, b);
      const bool exact = b == -1 || a % b == 0;
      return exact || (a < 0) == (b < 0) ? quotient : quotient - 1;
    }
  }
};
struct FloorModOp {
  template <typename T>
  T operator()(T a, T b, bool* failed) const {
    T rest = 0;
    if constexpr (std::is_floating_point_v<T>) {
      rest = std::fmod(a, b);
    } else {
      *failed |= b == 0;
      if (b == 0 || b == -1) return 0;
      rest = a % b;
    }
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;  // the sign of the divisor
  }
};
struct PowOp {
  template <typename T>
  T operator()(T a, T b, bool* failed) const {
    if constexpr (std::is_floating_point_v<T>) {
      return std::pow(a, b);
    } else {
      if (b >= 0) return IntegerPower(a, b);
      // 1 / a^|b| towards zero.
      *failed |= a == 0;
      if (a == 1) return 1;
      if (a == -1) return (b & 1) == 0 ? 1 : -1;
      return 0;
    }
  }
};

template <typename T, typename Op>
struct PlainFunction {
  T lo, hi;
  bool failed = false;

  explicit PlainFunction(const BinaryParams& p) {
    if constexpr (std::is_same_v<T, float>) lo = p.lo, hi = p.hi;
    if constexpr (std::is_same_v<T, int32_t>) lo = p.range32.lo, hi = p.range32.hi;
    if constexpr (std::is_same_v<T, int64_t>) lo = p.range64.lo, hi = p.range64.hi;
  }
  T operator()(T a, T b) {
    const T y = Op()(a, b, &failed);
    if constexpr (std::is_same_v<T, float>) return ClampKeepNan(y, lo, hi);
    return std::min(std::max(y, lo), hi);
  }
};

// ---- quantized: every operator forms a float in units of the output's scale, which one rule
// stores ----

struct QuantAdd {
  static float Value(float a, float b, float ma, float mb) { return a * ma + b * mb; }
};
struct QuantSub {
  static float Value(float a, float b, float ma, float mb) { return a * ma - b * mb; }
};
struct QuantMul {
  static float Value(float a, float b, float m, float) { return (a * b) * m; }
};
struct QuantDiv {
  // 0 / 0 is 0; anything else over 0 is infinite and saturates. The divisor is chosen, not the
  // quotient, so that no branch is left.
  static float Value(float a, float b, float m, float) { return (a / (a == 0 ? 1.0f : b)) * m; }
};
struct QuantMaximum {
  static float Value(float a, float b, float ma, float mb) {
    const float x = a * ma, y = b * mb;
    return x > y ? x : y;
  }
};
struct QuantMinimum {
  static float Value(float a, float b, float ma, float mb) {
    const float x = a * ma, y = b * mb;
    return x < y ? x : y;
  }
};
struct QuantSquaredDifference {
  static float Value(float a, float b, float ma, float mb) {
    const float d = a * ma - b * mb;
    return d * d;
  }
};

template <typename T, typename Op>
struct QuantFunction {
  Operand<T> a, b;
  float multiplier_a, multiplier_b;
  Requant requant;
  static constexpr bool failed = false;

  explicit QuantFunction(const BinaryParams& p)
      : a(p.a.As<T>()),
        b(p.b.As<T>()),
        multiplier_a(p.multiplier_a),
        multiplier_b(p.multiplier_b),
        requant(p.requant) {}
  T operator()(T x, T y) const {
    const float value = Op::Value(static_cast<float>(a.Less(x)), static_cast<float>(b.Less(y)),
                                  multiplier_a, multiplier_b);
    return static_cast<T>(StoreRounded(value, requant));  // the low byte serves both storages
  }
};

template <typename T, typename F>
KernelCode Run(const RunContext& ctx) {
  const auto& p = ctx.As<BinaryParams>();
  const T* a = ctx.in[0].as<T>();
  const T* b = ctx.in[1].as<T>();
  T* out = ctx.out[0].mut<T>();
  bool failed = false;
  ForEachSpan<2>(p.broadcast, ctx.tasks, [&](int64_t at, int64_t n, const auto& base) {
    const F done = ApplySpan(a + base[0], p.broadcast.inner_stride(0), b + base[1],
                             p.broadcast.inner_stride(1), out + at, n, F(p));
    failed |= done.failed;
  });
  return failed ? KernelCode::kDivisionByZero : KernelCode::kOk;
}

// ---- prepare ----

enum class QuantRule : uint8_t { kNone, kRatios, kProduct, kQuotient, kSquare };

template <typename Plain, typename Quantized>
KernelFn Pick(DType type) {
  switch (type) {
    case DType::kFloat32:
      return &Run<float, PlainFunction<float, Plain>>;
    case DType::kInt32:
      return &Run<int32_t, PlainFunction<int32_t, Plain>>;
    case DType::kInt64:
      return &Run<int64_t, PlainFunction<int64_t, Plain>>;
    default:
      break;
  }
  if constexpr (!std::is_void_v<Quantized>) {
    if (type == DType::kInt16) return &Run<int16_t, QuantFunction<int16_t, Quantized>>;
    if (IsEightBit(type)) return &Run<uint8_t, QuantFunction<uint8_t, Quantized>>;
  }
  return nullptr;
}

Status ExpectOneType(const PrepareContext& ctx) {
  const DType want = ctx.out[0].type;
  for (size_t i = 0; i < 2; ++i) {
    const DType got = ctx.in[i].type;
    if (got == want || (IsEightBit(got) && IsEightBit(want))) continue;
    return ctx.Error(
        StatusCode::kUnsupported,
        "input " + std::to_string(i) + " is " + DTypeName(got) + ", the output " + DTypeName(want));
  }
  return OkStatus();
}

// The multipliers of docs/arithmetic.md, 4.1.
Status SetMultipliers(const PrepareContext& ctx, QuantRule rule, BinaryParams* p) {
  const double so = ctx.out[0].quant.scale[0];
  double ma = p->a.scale / so, mb = p->b.scale / so;
  if (rule == QuantRule::kProduct) ma = p->a.scale * p->b.scale / so;
  if (rule == QuantRule::kQuotient) ma = p->a.scale / p->b.scale / so;
  if (rule == QuantRule::kSquare) ma = p->a.scale / std::sqrt(so), mb = p->b.scale / std::sqrt(so);
  WHIT_ASSIGN_OR_RETURN(p->multiplier_a, MakeMultiplier(ctx, "the multiplier of input 0", ma));
  if (rule == QuantRule::kProduct || rule == QuantRule::kQuotient) return OkStatus();
  WHIT_ASSIGN_OR_RETURN(p->multiplier_b, MakeMultiplier(ctx, "the multiplier of input 1", mb));
  return OkStatus();
}

Status PrepareQuantized(const PrepareContext& ctx, QuantRule rule, float lo, float hi,
                        BinaryParams* p) {
  WHIT_ASSIGN_OR_RETURN(p->a, ReadOperand(ctx, "input 0", ctx.in[0]));
  WHIT_ASSIGN_OR_RETURN(p->b, ReadOperand(ctx, "input 1", ctx.in[1]));
  WHIT_ASSIGN_OR_RETURN(p->requant, MakeRequant(ctx, ctx.out[0], lo, hi));
  return SetMultipliers(ctx, rule, p);
}

template <typename Plain, typename Quantized>
Status PrepareBinary(const PrepareContext& ctx, Prepared* out, QuantRule rule) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(2, 2));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::BinaryOptions>(ctx));
  const DType type = ctx.out[0].type;
  const KernelFn run = Pick<Plain, Quantized>(type);
  if (run == nullptr) {
    return ctx.Error(StatusCode::kUnsupported,
                     std::string("not implemented for ") + DTypeName(type));
  }
  WHIT_RETURN_IF_ERROR(ExpectOneType(ctx));
  BinaryParams p;
  WHIT_ASSIGN_OR_RETURN(p.broadcast, MakeBroadcast(ctx, 2));
  const bool quantized = IsEightBit(type) || type == DType::kInt16;
  if (quantized) {
    WHIT_RETURN_IF_ERROR(PrepareQuantized(ctx, rule, options->lo(), options->hi(), &p));
  } else {
    WHIT_RETURN_IF_ERROR(CheckClamp(ctx, options->lo(), options->hi()));
    p.lo = options->lo();
    p.hi = options->hi();
    p.range32 = MakeIntRange<int32_t>(p.lo, p.hi);
    p.range64 = MakeIntRange<int64_t>(p.lo, p.hi);
  }
  out->run = run;
  out->tasks = ctx.out[0].elements();
  out->macs = out->tasks;
  out->exact = type != DType::kFloat32;
  out->in_place = MayShare(ctx, 0);
  out->SetParams(p);
  return OkStatus();
}

}  // namespace

Result<QuantizedAdd> ReadQuantizedAdd(const PrepareContext& ctx) {
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::BinaryOptions>(ctx));
  BinaryParams p;
  WHIT_RETURN_IF_ERROR(PrepareQuantized(ctx, QuantRule::kRatios, options->lo(), options->hi(), &p));
  return QuantizedAdd{
      {p.multiplier_a, p.multiplier_b}, {p.a.zero_point, p.b.zero_point}, p.requant};
}

#define WHIT_BINARY(Name, Quantized, rule)                       \
  Status Prepare##Name(const PrepareContext& ctx, Prepared* p) { \
    return PrepareBinary<Name##Op, Quantized>(ctx, p, rule);     \
  }
WHIT_BINARY(Add, QuantAdd, QuantRule::kRatios)
WHIT_BINARY(Sub, QuantSub, QuantRule::kRatios)
WHIT_BINARY(Mul, QuantMul, QuantRule::kProduct)
WHIT_BINARY(Div, QuantDiv, QuantRule::kQuotient)
WHIT_BINARY(Maximum, QuantMaximum, QuantRule::kRatios)
WHIT_BINARY(Minimum, QuantMinimum, QuantRule::kRatios)
WHIT_BINARY(SquaredDifference, QuantSquaredDifference, QuantRule::kSquare)
WHIT_BINARY(FloorDiv, void, QuantRule::kNone)
WHIT_BINARY(FloorMod, void, QuantRule::kNone)
WHIT_BINARY(Pow, void, QuantRule::kNone)
#undef WHIT_BINARY

constexpr const char* kWithQuantized = "int8 uint8 int16 int32 int64 float32";
constexpr const char* kPlain = "int32 int64 float32";
const char* const kTypesAdd = kWithQuantized;
const char* const kTypesSub = kWithQuantized;
const char* const kTypesMul = kWithQuantized;
const char* const kTypesDiv = kWithQuantized;
const char* const kTypesMaximum = kWithQuantized;
const char* const kTypesMinimum = kWithQuantized;
const char* const kTypesSquaredDifference = kWithQuantized;
const char* const kTypesFloorDiv = kPlain;
const char* const kTypesFloorMod = kPlain;
const char* const kTypesPow = kPlain;

}  // namespace whit
