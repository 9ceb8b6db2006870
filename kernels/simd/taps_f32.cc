#include "kernels/simd/taps_f32.h"

#include <algorithm>

#include "kernels/depthwise.h"
#include "kernels/simd/depthwise_tasks.h"
#include "kernels/simd/row_blocks.h"
#include "kernels/simd/tiers.h"
#include "schema/layout_size.h"

namespace whit {
namespace {

/// Input lines of one task: while one register of channels after another passes over them they stay
/// in L2 (256 KB on the smallest targets), with the output beside them.
constexpr int64_t kTaskInputBytes = 96 * 1024;
constexpr auto kFloatBytes = static_cast<int64_t>(sizeof(float));

struct TapsF32 {
  Depthwise dw;
  const simd::F32Kernels* kernels = nullptr;
  DepthwiseTasks tasks;
  int64_t out_stride = 0;  // between output pixels
};

KernelCode Run(const RunContext& ctx) {
  const auto& p = ctx.As<TapsF32>();
  const ConvGeometry& g = p.dw.g;
  simd::DepthwiseF32 a;
  a.in_h = g.in_h, a.in_w = g.in_w, a.in_c = g.in_c;
  a.kernel_h = g.kernel_h, a.kernel_w = g.kernel_w;
  a.stride_h = g.stride_h, a.stride_w = g.stride_w;
  a.dilation_h = g.dilation_h, a.dilation_w = g.dilation_w;
  a.pad_top = g.pad_top, a.pad_left = g.pad_left;
  a.multiplier = p.dw.multiplier;
  a.weights = reinterpret_cast<const float*>(p.dw.weights);
  a.bias = reinterpret_cast<const float*>(p.dw.out.bias);
  a.lo = p.dw.out.lo, a.hi = p.dw.out.hi;
  a.out_w = g.out_w, a.out_stride = p.out_stride;
  for (int64_t t = ctx.tasks.begin; t < ctx.tasks.end; ++t) {
    const DepthwiseTasks::Range range = p.tasks.At(t, g);
    a.x = ctx.in[0].as<float>() + range.image * g.in_h * g.in_w * g.in_c;
    a.out = ctx.out[0].mut<float>() + range.image * g.out_h * g.out_w * p.out_stride;
    a.line_begin = range.line_begin, a.line_end = range.line_end;
    a.channel_begin = range.channel_begin, a.channel_end = range.channel_end;
    p.kernels->depthwise(a);
  }
  return KernelCode::kOk;
}

const char* WhyNot(const PrepareContext& ctx, const Depthwise& dw) {
  if (ctx.tier == nullptr || ctx.tier->f32 == nullptr) return "no SIMD tier";
  if (dw.out.kind != ProductKind::kFloat) return "serves float32 activations and weights";
  if (dw.g.out_pixels() == 0) return "no output pixels";
  if (ctx.in[0].data != nullptr) return "a constant input, which must not be over-read";
  return nullptr;
}

DepthwiseTasks TasksOf(const ConvGeometry& g, int64_t threads, int64_t input_bytes) {
  const int64_t line_bytes = std::max<int64_t>(1, g.in_w * g.in_c * g.stride_h * kFloatBytes);
  return MakeDepthwiseTasks(g, threads, input_bytes / line_bytes, 1);
}

}  // namespace

Status PrepareTapsF32(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                      std::string* why_not) {
  *accepted = false;
  Prepared reference;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, &reference));
  TapsF32 p;
  p.dw = *static_cast<const Depthwise*>(reference.params.get());
  if (const char* why = WhyNot(ctx, p.dw)) {
    *why_not = why;
    return OkStatus();
  }
  p.kernels = ctx.tier->f32;
  prepared->strided_out = ctx.out_row_elems != 0;
  p.out_stride = prepared->strided_out ? ctx.out_row_elems : p.dw.g.out_c;
  p.tasks =
      TasksOf(p.dw.g, std::max(1, ctx.max_threads), ShiftedBytes(kTaskInputBytes, ctx.block_shift));
  prepared->tasks = p.tasks.count(p.dw.g);
  prepared->macs = reference.macs;
  // Half the rate of products: an output has few of them, and takes a store and a clamp.
  prepared->cost_ns = 2 * static_cast<double>(reference.macs) / ctx.tier->float_rate;
  prepared->exact = false;
  prepared->implementation = "taps_f32";
  prepared->tier = p.kernels->tier;
  prepared->run = &Run;
  prepared->SetParams(p);
  *accepted = true;
  return OkStatus();
}

}  // namespace whit
