// Functions of one float, element by element; Abs, Neg and Square also of int32 and int64,
// LogicalNot of bool. Quantized tensors never come here: an 8-bit or 16-bit function is a Table or
// Table16. docs/arithmetic.md, 4. Tasks are elements.
#include <cmath>
#include <cstdint>
#include <string>
#include <type_traits>

#include "kernels/elementwise.h"
#include "kernels/float_math.h"
#include "kernels/op.h"
#include "kernels/options.h"
#include "kernels/unary.h"
#include "schema/model_generated.h"

namespace whit {

namespace {

// Operators are types constructed from the parameters. Integer results wrap.
template <typename T>
T WrapMultiply(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return a * b;
  } else {
    using U = std::make_unsigned_t<T>;
    return static_cast<T>(static_cast<U>(a) * static_cast<U>(b));
  }
}
template <typename T>
T WrapNegate(T x) {
  if constexpr (std::is_floating_point_v<T>) {
    return -x;
  } else {
    using U = std::make_unsigned_t<T>;
    return static_cast<T>(U{0} - static_cast<U>(x));
  }
}

template <typename T>
struct AbsOp {
  explicit AbsOp(const UnaryParams&) {}
  T operator()(T x) const {
    if constexpr (std::is_floating_point_v<T>) return std::fabs(x);
    return x < 0 ? WrapNegate(x) : x;
  }
};
template <typename T>
struct NegOp {
  explicit NegOp(const UnaryParams&) {}
  T operator()(T x) const { return WrapNegate(x); }
};
template <typename T>
struct SquareOp {
  explicit SquareOp(const UnaryParams&) {}
  T operator()(T x) const { return WrapMultiply(x, x); }
};

#define WHIT_FLOAT_FUNCTION(Name, expression)                   \
  struct Name##Op {                                             \
    [[maybe_unused]] float alpha;                               \
    explicit Name##Op(const UnaryParams& p) : alpha(p.alpha) {} \
    float operator()(float x) const { return expression; }      \
  };
WHIT_FLOAT_FUNCTION(Sqrt, std::sqrt(x))
WHIT_FLOAT_FUNCTION(Rsqrt, 1.0f / std::sqrt(x))
WHIT_FLOAT_FUNCTION(Exp, ExpFloat(x))
WHIT_FLOAT_FUNCTION(Log, std::log(x))
WHIT_FLOAT_FUNCTION(Sin, std::sin(x))
WHIT_FLOAT_FUNCTION(Cos, std::cos(x))
WHIT_FLOAT_FUNCTION(Floor, std::floor(x))
WHIT_FLOAT_FUNCTION(Ceil, std::ceil(x))
WHIT_FLOAT_FUNCTION(Round, std::nearbyint(x))  // ties to even: a run sets that mode
WHIT_FLOAT_FUNCTION(Tanh, TanhFloat(x))
WHIT_FLOAT_FUNCTION(Logistic, LogisticFloat(x))
// Comparisons are written so that NaN stays NaN.
WHIT_FLOAT_FUNCTION(Relu, x < 0.0f ? 0.0f : x)
WHIT_FLOAT_FUNCTION(Relu6, ClampKeepNan(x, 0.0f, 6.0f))
WHIT_FLOAT_FUNCTION(ReluN1To1, ClampKeepNan(x, -1.0f, 1.0f))
WHIT_FLOAT_FUNCTION(LeakyRelu, x > 0.0f ? x : x * alpha)
WHIT_FLOAT_FUNCTION(Elu, x > 0.0f ? x : std::expm1(x) * alpha)
WHIT_FLOAT_FUNCTION(HardSwish, x* ClampKeepNan(x + 3.0f, 0.0f, 6.0f) / 6.0f)
WHIT_FLOAT_FUNCTION(GeluExact, 0.5f * x * std::erfc(x * -0.70710678118654752f))
// (1 + tanh(u)) / 2 = logistic(2 u), which does not cancel for negative u; 1.59... = 2 sqrt(2 /
// pi).
WHIT_FLOAT_FUNCTION(GeluTanh, LogisticFloat(1.5957691216057308f * (x + 0.044715f * x * x * x)) * x)
#undef WHIT_FLOAT_FUNCTION

struct LogicalNotOp {
  explicit LogicalNotOp(const UnaryParams&) {}
  uint8_t operator()(uint8_t x) const { return x == 0 ? 1 : 0; }
};

template <typename T, typename Op>
KernelCode Run(const RunContext& ctx) {
  const Op op(ctx.As<UnaryParams>());
  const T* in = ctx.in[0].as<T>();
  T* out = ctx.out[0].mut<T>();
  const int64_t end = ctx.tasks.end;
  WHIT_INDEPENDENT
  for (int64_t i = ctx.tasks.begin; i < end; ++i) out[i] = op(in[i]);
  return KernelCode::kOk;
}

Status PrepareUnary(const PrepareContext& ctx, Prepared* out, std::initializer_list<DType> types,
                    KernelFn (*pick)(DType, const fbs::UnaryOptions&)) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::UnaryOptions>(ctx));
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("the input", ctx.in[0].type, types));
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("the output", ctx.out[0].type, {ctx.in[0].type}));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(0, ctx.in[0].shape));
  out->run = pick(ctx.in[0].type, *options);
  out->tasks = ctx.out[0].elements();
  out->macs = out->tasks;
  out->exact = ctx.in[0].type != DType::kFloat32;
  out->in_place = true;
  out->SetParams(UnaryParams{options->alpha(), options->approximate()});
  return OkStatus();
}

template <template <typename> typename Op>
KernelFn PickNumber(DType type, const fbs::UnaryOptions&) {
  if (type == DType::kInt32) return &Run<int32_t, Op<int32_t>>;
  if (type == DType::kInt64) return &Run<int64_t, Op<int64_t>>;
  return &Run<float, Op<float>>;
}

KernelFn PickGelu(DType, const fbs::UnaryOptions& options) {
  return options.approximate() ? &Run<float, GeluTanhOp> : &Run<float, GeluExactOp>;
}

}  // namespace

#define WHIT_NUMBER(Name)                                                        \
  Status Prepare##Name(const PrepareContext& ctx, Prepared* p) {                 \
    return PrepareUnary(ctx, p, {DType::kFloat32, DType::kInt32, DType::kInt64}, \
                        &PickNumber<Name##Op>);                                  \
  }                                                                              \
  const char* const kTypes##Name = "int32 int64 float32";
#define WHIT_FLOAT(Name)                                                                    \
  Status Prepare##Name(const PrepareContext& ctx, Prepared* p) {                            \
    return PrepareUnary(                                                                    \
        ctx, p, {DType::kFloat32},                                                          \
        [](DType, const fbs::UnaryOptions&) -> KernelFn { return &Run<float, Name##Op>; }); \
  }                                                                                         \
  const char* const kTypes##Name = "float32";
WHIT_NUMBER(Abs)
WHIT_NUMBER(Neg)
WHIT_NUMBER(Square)
WHIT_FLOAT(Sqrt)
WHIT_FLOAT(Rsqrt)
WHIT_FLOAT(Exp)
WHIT_FLOAT(Log)
WHIT_FLOAT(Sin)
WHIT_FLOAT(Cos)
WHIT_FLOAT(Floor)
WHIT_FLOAT(Ceil)
WHIT_FLOAT(Round)
WHIT_FLOAT(Logistic)
WHIT_FLOAT(Tanh)
WHIT_FLOAT(Relu)
WHIT_FLOAT(Relu6)
WHIT_FLOAT(ReluN1To1)
WHIT_FLOAT(LeakyRelu)
WHIT_FLOAT(Elu)
WHIT_FLOAT(HardSwish)
#undef WHIT_NUMBER
#undef WHIT_FLOAT

Status PrepareGelu(const PrepareContext& ctx, Prepared* p) {
  return PrepareUnary(ctx, p, {DType::kFloat32}, &PickGelu);
}
const char* const kTypesGelu = "float32";

Status PrepareLogicalNot(const PrepareContext& ctx, Prepared* p) {
  return PrepareUnary(ctx, p, {DType::kBool}, [](DType, const fbs::UnaryOptions&) -> KernelFn {
    return &Run<uint8_t, LogicalNotOp>;
  });
}
const char* const kTypesLogicalNot = "bool";

}  // namespace whit
