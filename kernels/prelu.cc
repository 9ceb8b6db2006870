// PRelu: x where it is >= 0, else x * alpha, alpha broadcast over x. float32, int8 (either
// storage), int16. docs/arithmetic.md, 4. Tasks are output elements.
#include <cmath>
#include <cstdint>
#include <string>

#include "kernels/binary.h"
#include "kernels/elementwise.h"
#include "kernels/op.h"
#include "kernels/requantize.h"

namespace whit {

namespace {

struct FloatPRelu {
  explicit FloatPRelu(const PReluParams&) {}
  float operator()(float x, float alpha) const { return x >= 0 ? x : x * alpha; }
};

template <typename T>
struct QuantPRelu {
  Operand<T> x, alpha;
  float multiplier_positive, multiplier_negative;
  Requant requant;
  explicit QuantPRelu(const PReluParams& p)
      : x(p.x.As<T>()),
        alpha(p.alpha.As<T>()),
        multiplier_positive(p.multiplier_positive),
        multiplier_negative(p.multiplier_negative),
        requant(p.requant) {}
  T operator()(T stored_x, T stored_alpha) const {
    const float value = static_cast<float>(x.Less(stored_x));
    const float slope = static_cast<float>(alpha.Less(stored_alpha));
    // Factors are chosen, not results, so that no branch is left; times 1 changes nothing.
    const float factor = value >= 0 ? 1.0f : slope;
    const float multiplier = value >= 0 ? multiplier_positive : multiplier_negative;
    return static_cast<T>(StoreRounded((value * factor) * multiplier, requant));
  }
};

template <typename T, typename F>
KernelCode Run(const RunContext& ctx) {
  const auto& p = ctx.As<PReluParams>();
  const T* x = ctx.in[0].as<T>();
  const T* alpha = ctx.in[1].as<T>();
  T* out = ctx.out[0].mut<T>();
  ForEachSpan<2>(p.broadcast, ctx.tasks, [&](int64_t at, int64_t n, const auto& base) {
    ApplySpan(x + base[0], p.broadcast.inner_stride(0), alpha + base[1],
              p.broadcast.inner_stride(1), out + at, n, F(p));
  });
  return KernelCode::kOk;
}

Status PrepareQuantized(const PrepareContext& ctx, PReluParams* p) {
  WHIT_ASSIGN_OR_RETURN(p->x, ReadOperand(ctx, "input 0", ctx.in[0]));
  WHIT_ASSIGN_OR_RETURN(p->alpha, ReadOperand(ctx, "alpha", ctx.in[1]));
  WHIT_ASSIGN_OR_RETURN(p->requant, MakeRequant(ctx, ctx.out[0], -INFINITY, INFINITY));
  const double so = ctx.out[0].quant.scale[0];
  WHIT_ASSIGN_OR_RETURN(p->multiplier_positive,
                        MakeMultiplier(ctx, "the multiplier of x", p->x.scale / so));
  WHIT_ASSIGN_OR_RETURN(p->multiplier_negative, MakeMultiplier(ctx, "the multiplier of x * alpha",
                                                               p->x.scale * p->alpha.scale / so));
  return OkStatus();
}

}  // namespace

Status PreparePRelu(const PrepareContext& ctx, Prepared* out) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(2, 2));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  const DType type = ctx.out[0].type;
  WHIT_RETURN_IF_ERROR(ctx.ExpectType(
      "the output", type, {DType::kFloat32, DType::kInt8, DType::kUint8, DType::kInt16}));
  for (size_t i = 0; i < 2; ++i) {
    const DType in = ctx.in[i].type;
    if (in != type && !(IsEightBit(in) && IsEightBit(type))) {
      return ctx.Error(StatusCode::kUnsupported, "input " + std::to_string(i) + " is " +
                                                     DTypeName(in) + ", the output " +
                                                     DTypeName(type));
    }
  }
  PReluParams p;
  WHIT_ASSIGN_OR_RETURN(p.broadcast, MakeBroadcast(ctx, 2));
  if (type == DType::kFloat32) {
    out->run = &Run<float, FloatPRelu>;
    out->exact = false;
  } else {
    WHIT_RETURN_IF_ERROR(PrepareQuantized(ctx, &p));
    out->run = type == DType::kInt16 ? &Run<int16_t, QuantPRelu<int16_t>>
                                     : &Run<uint8_t, QuantPRelu<uint8_t>>;
  }
  out->tasks = ctx.out[0].elements();
  out->macs = out->tasks;
  out->in_place = MayShare(ctx, 0);
  out->SetParams(p);
  return OkStatus();
}

const char* const kTypesPRelu = "int8 uint8 int16 float32";

}  // namespace whit
