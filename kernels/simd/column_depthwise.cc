#include "kernels/simd/column_depthwise.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "kernels/depthwise.h"
#include "kernels/product_check.h"
#include "kernels/simd/depthwise_check.h"
#include "kernels/simd/depthwise_tasks.h"
#include "kernels/simd/row_blocks.h"
#include "kernels/simd/tiers.h"
#include "schema/layout_size.h"

namespace whit {
namespace {

/// Input lines of one task: while one group of channels after another passes over them they stay in
/// L2 (256 KB on the smallest targets), with the output beside them.
constexpr int64_t kTaskInputBytes = 128 * 1024;

/// Input lines under one or two output lines that are copied where channels are few.
constexpr int64_t kMostRingBytes = 20 * 1024;

struct ColumnDepthwise {
  Depthwise dw;
  const simd::Kernels* kernels = nullptr;
  simd::Requantize8 quant;
  DepthwiseTasks tasks;
  int64_t out_stride = 0;  // between output pixels
  bool flat = false;       // registers span pixels
  DepthwiseCheck check;
};

KernelCode Run(const RunContext& ctx) {
  const auto& p = ctx.As<ColumnDepthwise>();
  const ConvGeometry& g = p.dw.g;
  simd::DepthwiseI8 a;
  a.in_h = g.in_h, a.in_w = g.in_w, a.in_c = g.in_c;
  a.kernel_h = g.kernel_h, a.kernel_w = g.kernel_w;
  a.stride_h = g.stride_h, a.stride_w = g.stride_w;
  a.dilation_h = g.dilation_h, a.dilation_w = g.dilation_w;
  a.pad_top = g.pad_top, a.pad_left = g.pad_left;
  a.multiplier = p.dw.multiplier;
  a.zero = p.dw.in.stored_zero_point();
  a.weights = reinterpret_cast<const int8_t*>(p.dw.weights);
  a.weight_zero_point = p.dw.out.weight_zero_point;
  a.quant = p.quant;
  a.out_w = g.out_w, a.out_stride = p.out_stride;
  a.scratch = ctx.scratch;
  const auto run = p.flat ? p.kernels->depthwise_flat_i8 : p.kernels->depthwise_i8;
  alignas(64) int32_t total[16];
  if (p.check.on) a.total = total;
  bool failed = false;
  for (int64_t t = ctx.tasks.begin; t < ctx.tasks.end; ++t) {
    const DepthwiseTasks::Range range = p.tasks.At(t, g);
    a.x = ctx.in[0].as<uint8_t>() + range.image * g.in_h * g.in_w * g.in_c;
    a.out = ctx.out[0].mut<uint8_t>() + range.image * g.out_h * g.out_w * p.out_stride;
    a.line_begin = range.line_begin, a.line_end = range.line_end;
    a.channel_begin = range.channel_begin, a.channel_end = range.channel_end;
    if (!p.check.on) {
      run(a);
      continue;
    }
    const uint32_t expected = p.check.Expected(*p.kernels, t % p.tasks.image_tasks, a.x);
    std::fill_n(total, 16, 0);
    run(a);
    failed |= TotalOf(total, 0) != expected;
  }
  return failed ? KernelCode::kCheckFailed : KernelCode::kOk;
}

/// Padding, weights of two lines in two sets, and columns: sized for the widest registers (a column
/// of a group of rows takes 256 bytes) and the fewest rows in a group (2).
int64_t ScratchBytes(const ConvGeometry& g) {
  constexpr int64_t kColumn = 256, kMostOutputs = 4;
  const int64_t groups = CeilDiv(g.kernel_h + g.stride_h, 2);
  const int64_t weights = 4 * groups * g.kernel_w * kColumn;
  const int64_t columns = (kMostOutputs - 1) * g.stride_w + (g.kernel_w - 1) * g.dilation_w + 1;
  return 64 + weights + std::max(simd::kDepthwiseColumnBytes, columns * groups * kColumn) + 64;
}

/// Lines of one window of two output lines and of the one after it, with padding.
int64_t RingBytes(const ConvGeometry& g) {
  const int64_t lines = (g.kernel_h - 1) * g.dilation_h + 1 + 3 * g.stride_h;
  const int64_t columns = (g.out_w - 1) * g.stride_w + (g.kernel_w - 1) * g.dilation_w + 1;
  return lines * CeilDiv(columns, g.stride_w) * g.stride_w * g.in_c;
}

/// Start values, multipliers and weights of two lines in two sets until the channels of the widest
/// registers repeat, and the ring, whose memory first holds four rows of taps.
int64_t FlatScratchBytes(const ConvGeometry& g) {
  const int64_t bytes = std::lcm(g.in_c, int64_t{64});
  const int64_t groups = CeilDiv(g.kernel_h + g.stride_h, 2);
  const int64_t ring = std::max(RingBytes(g), 4 * (bytes + g.in_c) + 16);
  return 8 * bytes + 4 * groups * g.kernel_w * 4 * bytes + ring + 64;
}

/// Few channels, or some that would fill half a register each time, and a window that stays in L1
/// beside its weights.
bool IsFlat(const ColumnDepthwise& p) {
  const ConvGeometry& g = p.dw.g;
  const bool few = g.in_c <= p.kernels->flat_channels || (g.in_c < 64 && g.in_c % 16 != 0);
  return few && p.dw.multiplier == 1 && p.out_stride == g.in_c &&
         g.kernel_h + g.stride_h <= simd::kMostFlatTaps && g.kernel_w <= simd::kMostFlatTaps &&
         p.tasks.channel_tasks == 1 && RingBytes(g) <= kMostRingBytes;
}

const char* WhyNot(const PrepareContext& ctx, const Depthwise& dw) {
  if (ctx.tier == nullptr || ctx.tier->kernels == nullptr) return "no SIMD tier";
  if (dw.out.kind != ProductKind::kInt8) return "serves 8-bit activations with int8 weights";
  const DType stored = simd::StoredType(*ctx.tier);
  if (ctx.in[0].type != stored || ctx.out[0].type != stored) {
    return "serves 8-bit activations as the tier stores them";
  }
  if (dw.sums == nullptr) return "weights without their derived arrays";
  if (dw.g.out_pixels() == 0) return "no output pixels";
  if (RangeOfMultipliers(dw.out.multiplier, dw.g.out_c) == MultiplierRange::kInvalid) {
    return "a multiplier that is not positive and finite";
  }
  if (dw.out.weight_zero_point == -128) return "a weight zero point of -128";
  if (ctx.in[0].data != nullptr) return "a constant input, which must not be over-read";
  return nullptr;
}

/// An image of one column is one line to the kernels, which share columns between outputs.
void LieDown(ConvGeometry* g) {
  if (g->in_w != 1 || g->out_w != 1 || g->kernel_w != 1 || g->pad_left != 0) return;
  std::swap(g->in_h, g->in_w), std::swap(g->out_h, g->out_w);
  std::swap(g->kernel_h, g->kernel_w), std::swap(g->stride_h, g->stride_w);
  std::swap(g->dilation_h, g->dilation_w), std::swap(g->pad_top, g->pad_left);
}

/// Pairs of lines share their input, so tasks have an even number of them.
DepthwiseTasks TasksOf(const ConvGeometry& g, int64_t threads, int64_t input_bytes) {
  const int64_t line_bytes = std::max<int64_t>(1, g.in_w * g.in_c * g.stride_h);
  return MakeDepthwiseTasks(g, threads, input_bytes / line_bytes / 2 * 2, 2);
}

/// Tasks of all channels, as many as the threads.
DepthwiseTasks BandsOfLines(const ConvGeometry& g, int64_t threads) {
  DepthwiseTasks tasks;
  tasks.lines = CeilDiv(g.out_h, std::min(threads, g.out_h));
  tasks.image_tasks = CeilDiv(g.out_h, tasks.lines);
  return tasks;
}

/// The checksum channel, of weights that were checked. Threads share the lines alone.
Status PrepareCheck(const PrepareContext& ctx, ColumnDepthwise* p, Prepared* prepared) {
  if (!ctx.self_check || p->kernels->row_dots == nullptr) return OkStatus();
  const ConvGeometry& g = p->dw.g;
  const size_t panels = static_cast<size_t>(CeilDiv(g.out_c, kPanelChannels) * kPanelChannels);
  const auto channels = static_cast<size_t>(g.out_c);
  WHIT_RETURN_IF_ERROR(
      ctx.CheckRead(p->dw.weights, panels * static_cast<size_t>(g.kernel_h * g.kernel_w)));
  WHIT_RETURN_IF_ERROR(ctx.CheckRead(p->dw.sums, 4 * channels));
  WHIT_RETURN_IF_ERROR(ctx.CheckRead(p->dw.out.bias, 4 * channels));
  DepthwiseTasks tasks = p->tasks;
  if (tasks.channel_tasks > 1) tasks = BandsOfLines(g, std::max(1, ctx.max_threads));
  p->check = MakeDepthwiseCheck(p->dw, tasks, ctx.act_bias, p->kernels->dot_bytes);
  if (!p->check.on) return OkStatus();
  p->tasks = tasks;
  prepared->checks_itself = true;
  return OkStatus();
}

}  // namespace

Status PrepareColumnDepthwise(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                              std::string* why_not) {
  *accepted = false;
  Prepared reference;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, &reference));
  ColumnDepthwise p;
  p.dw = *static_cast<const Depthwise*>(reference.params.get());
  if (const char* why = WhyNot(ctx, p.dw)) {
    *why_not = why;
    return OkStatus();
  }
  LieDown(&p.dw.g);
  p.kernels = ctx.tier->kernels;
  const ChannelOutput& out = p.dw.out;
  p.quant.bias = reinterpret_cast<const int32_t*>(out.bias);
  p.quant.sums = p.dw.sums;
  p.quant.multiplier = out.multiplier;
  p.quant.large_multipliers =
      RangeOfMultipliers(out.multiplier, p.dw.g.out_c) == MultiplierRange::kLarge;
  p.quant.act_bias = ctx.act_bias;
  p.quant.sums_minus =
      static_cast<int32_t>(p.dw.g.kernel_h * p.dw.g.kernel_w * out.weight_zero_point);
  p.quant.zero_point = out.requant.zero_point;
  p.quant.lo = out.requant.lo, p.quant.hi = out.requant.hi;
  prepared->strided_out = ctx.out_row_elems != 0;
  p.out_stride = prepared->strided_out ? ctx.out_row_elems : p.dw.g.out_c;
  p.tasks =
      TasksOf(p.dw.g, std::max(1, ctx.max_threads), ShiftedBytes(kTaskInputBytes, ctx.block_shift));
  WHIT_RETURN_IF_ERROR(PrepareCheck(ctx, &p, prepared));
  p.flat = IsFlat(p);
  prepared->scratch_per_thread =
      static_cast<size_t>(p.flat ? FlatScratchBytes(p.dw.g) : ScratchBytes(p.dw.g));
  prepared->tasks = p.tasks.count(p.dw.g);
  prepared->macs = reference.macs;
  // A fifth of the rate of products: half for interleaving, the rest for rounding 9 products.
  prepared->cost_ns = 5 * static_cast<double>(reference.macs) / ctx.tier->int8_rate;
  prepared->exact = reference.exact;
  prepared->implementation = "columns";
  prepared->tier = ctx.tier->name;
  prepared->run = &Run;
  prepared->SetParams(p);
  *accepted = true;
  return OkStatus();
}

}  // namespace whit
