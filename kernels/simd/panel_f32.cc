#include "kernels/simd/panel_f32.h"

#include <algorithm>
#include <limits>

#include "kernels/row_product.h"
#include "kernels/simd/joined_add.h"
#include "kernels/simd/row_blocks.h"
#include "kernels/simd/tiers.h"

namespace whit {
namespace {

constexpr auto kFloatBytes = static_cast<int64_t>(sizeof(float));

struct PanelF32 {
  RowProduct product;  // as the reference sees it
  const simd::F32Kernels* kernels = nullptr;
  RowBlocks blocks;
  int64_t out_stride = 0;  // between output pixels
  JoinedAddF32 add;
};

class Worker {
 public:
  explicit Worker(const RunContext& ctx)
      : p_(ctx.As<PanelF32>()),
        d_(p_.product.dims),
        y_(ctx.out[0].mut<float>()),
        addend_(p_.add.joins ? ctx.in.back().as<float>() : nullptr),
        rows_(p_.blocks, ctx.in[0].as<uint8_t>(), ctx.scratch) {}

  void BeginBlock(int64_t block) { rows_.Begin(block, 0); }

  void RunPanels(int64_t group, int64_t begin, int64_t end) {
    const int64_t n = d_.group_n();
    simd::ProductF32 a;
    a.rows = rows_.rows(), a.count = rows_.count();
    a.row_shift = group * p_.blocks.cin * kFloatBytes;
    a.offsets = p_.blocks.run_offsets.data();
    a.runs = d_.runs, a.run_length = d_.run_length;
    a.weights = reinterpret_cast<const float*>(p_.product.weights + group * GroupBytes(d_));
    a.n = n, a.panel_begin = begin, a.panel_end = end;
    const ChannelOutput& out = p_.product.out;
    a.bias = reinterpret_cast<const float*>(out.bias);
    if (a.bias != nullptr) a.bias += group * n;
    a.whole_panels = d_.groups == 1 || n % 16 == 0;
    a.lo = out.lo, a.hi = out.hi;
    if (p_.add.joins) {
      a.addend = addend_ + rows_.first_pixel() * d_.n + group * n, a.addend_stride = d_.n;
      a.sum_lo = p_.add.lo, a.sum_hi = p_.add.hi;
    }
    a.out = y_ + rows_.first_pixel() * p_.out_stride + group * n, a.out_stride = p_.out_stride;
    p_.kernels->product(a);
  }

 private:
  const PanelF32& p_;
  const WeightDims& d_;
  float* y_;
  const float* addend_;  // of a joined Add, as large as y
  BlockRows rows_;
};

KernelCode Run(const RunContext& ctx) {
  Worker worker(ctx);
  RunBlockTasks(ctx.As<PanelF32>().blocks, ctx.tasks, &worker);
  return KernelCode::kOk;
}

/// Kernels keep the distance of a run from a pixel's first tap in 32 bits.
bool OffsetsFit(const RowProduct& p) {
  const ConvGeometry& g = p.g;
  const int64_t width = std::max(g.in_w, (g.out_w - 1) * g.stride_w + g.kernel_w * g.dilation_w);
  const int64_t lines = (g.kernel_h - 1) * g.dilation_h + 1;
  return SaturatingProduct(lines, width, g.in_c * kFloatBytes) <=
         std::numeric_limits<int32_t>::max();
}

/// Why this step is left to another implementation, or null.
const char* WhyNot(const PrepareContext& ctx, const RowProduct& p) {
  if (ctx.tier == nullptr || ctx.tier->f32 == nullptr) return "no SIMD tier";
  if (p.out.kind != ProductKind::kFloat) return "serves float32 activations and weights";
  if (p.g.out_pixels() == 0) return "no output pixels";
  if (!OffsetsFit(p)) return "a kernel that reaches 2 GiB far";
  return nullptr;
}

}  // namespace

Status PreparePanelF32(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                       std::string* why_not) {
  *accepted = false;
  Prepared reference;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, &reference));
  PanelF32 p;
  p.product = *static_cast<const RowProduct*>(reference.params.get());
  if (const char* why = WhyNot(ctx, p.product)) {
    *why_not = why;
    return OkStatus();
  }
  p.kernels = ctx.tier->f32;
  prepared->strided_out = ctx.out_row_elems != 0;
  p.out_stride = prepared->strided_out ? ctx.out_row_elems : p.product.dims.n;
  WHIT_RETURN_IF_ERROR(JoinFloatAdd(ctx, &p.add, prepared));
  p.blocks = MakeRowBlocks(p.product, {kFloatBytes, kFloatBytes, kFloatBytes},
                           BlockLimits{}.Shifted(ctx.block_shift), std::max(1, ctx.max_threads));
  ScratchParts parts;
  p.blocks.TakeScratch(&parts);
  prepared->scratch_per_thread = static_cast<size_t>(parts.bytes);
  prepared->tasks = p.blocks.tasks();
  prepared->macs = reference.macs;
  // Each output is also clamped and stored: as much as about 4 k.
  prepared->cost_ns = static_cast<double>(p.product.rows * p.product.dims.n) *
                      static_cast<double>(p.product.dims.k() + 4) / ctx.tier->float_rate;
  prepared->exact = false;
  prepared->implementation = "panel_f32";
  prepared->tier = p.kernels->tier;
  prepared->run = &Run;
  prepared->SetParams(std::move(p));
  *accepted = true;
  return OkStatus();
}

}  // namespace whit
