// L2Normalization: x / |x| over the last axis. float32, int8 (either storage), int16.
// docs/arithmetic.md, 4. Tasks are rows.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/elementwise.h"
#include "kernels/l2_normalization.h"
#include "kernels/op.h"
#include "kernels/options.h"
#include "kernels/requantize.h"
#include "schema/model_generated.h"

namespace whit {

namespace {

KernelCode RunFloat(const RunContext& ctx) {
  const auto& p = ctx.As<L2Params>();
  for (int64_t row = ctx.tasks.begin; row < ctx.tasks.end; ++row) {
    const float* in = ctx.in[0].as<float>() + row * p.depth;
    float* out = ctx.out[0].mut<float>() + row * p.depth;
    float sum = 0;
    for (int64_t i = 0; i < p.depth; ++i) sum += in[i] * in[i];
    const float norm = std::max(std::sqrt(sum), kSmallestNorm);
    for (int64_t i = 0; i < p.depth; ++i) out[i] = ClampKeepNan(in[i] / norm, p.lo, p.hi);
  }
  return KernelCode::kOk;
}

template <typename T>
KernelCode RunInteger(const RunContext& ctx) {
  const auto& p = ctx.As<L2Params>();
  const Operand<T> x = p.in.As<T>();
  for (int64_t row = ctx.tasks.begin; row < ctx.tasks.end; ++row) {
    const T* in = ctx.in[0].as<T>() + row * p.depth;
    T* out = ctx.out[0].mut<T>() + row * p.depth;
    uint64_t sum = 0;  // 2^32 a term at most: exact below 2^31 terms
    for (int64_t i = 0; i < p.depth; ++i) {
      const int64_t value = x.Less(in[i]);
      sum += static_cast<uint64_t>(value * value);
    }
    const double norm = std::sqrt(static_cast<double>(std::max<uint64_t>(sum, 1)));
    const float multiplier = static_cast<float>(p.inverse_scale / norm);
    for (int64_t i = 0; i < p.depth; ++i) {
      out[i] = static_cast<T>(Requantize(x.Less(in[i]), multiplier, p.requant));
    }
  }
  return KernelCode::kOk;
}

}  // namespace

Status PrepareL2Normalization(const PrepareContext& ctx, Prepared* out) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::L2NormOptions>(ctx));
  const View& in = ctx.in[0];
  WHIT_RETURN_IF_ERROR(ctx.ExpectType(
      "the input", in.type, {DType::kFloat32, DType::kInt8, DType::kUint8, DType::kInt16}));
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("the output", ctx.out[0].type, {in.type}));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(0, in.shape));
  L2Params p;
  p.depth = in.shape.rank() == 0 ? 1 : in.shape.back();
  p.lo = options->lo();
  p.hi = options->hi();
  if (in.type == DType::kFloat32) {
    WHIT_RETURN_IF_ERROR(CheckClamp(ctx, p.lo, p.hi));
    out->run = &RunFloat;
    out->exact = false;
  } else {
    WHIT_ASSIGN_OR_RETURN(p.in, ReadOperand(ctx, "the input", in));
    WHIT_ASSIGN_OR_RETURN(p.requant, MakeRequant(ctx, ctx.out[0], p.lo, p.hi));
    p.inverse_scale = 1 / static_cast<double>(ctx.out[0].quant.scale[0]);
    out->run = in.type == DType::kInt16 ? &RunInteger<int16_t> : &RunInteger<uint8_t>;
  }
  out->tasks = p.depth == 0 ? 0 : in.elements() / p.depth;
  out->macs = in.elements();
  out->SetParams(p);
  return OkStatus();
}

const char* const kTypesL2Normalization = "int8 uint8 int16 float32";

}  // namespace whit
