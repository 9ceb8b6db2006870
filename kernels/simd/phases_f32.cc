#include "kernels/simd/phases_f32.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "kernels/row_product.h"
#include "kernels/simd/row_blocks.h"
#include "kernels/simd/tiers.h"

namespace whit {
namespace {

constexpr auto kFloatBytes = static_cast<int64_t>(sizeof(float));

struct PhasesF32 {
  RowProduct product;  // as the reference sees it
  const simd::F32Kernels* kernels = nullptr;
  int64_t left = 0;        // columns of padding in front of a copied input line
  int64_t line_bytes = 0;  // of a copied line
  int64_t most_lines = 1;  // of input under one line of output
  int64_t out_stride = 0;  // between output pixels
  Part lines, rows, offsets, index;
};

class Worker {
 public:
  explicit Worker(const RunContext& ctx)
      : p_(ctx.As<PhasesF32>()),
        g_(p_.product.g),
        x_(ctx.in[0].as<float>()),
        y_(ctx.out[0].mut<float>()),
        lines_(p_.lines.In<uint8_t>(ctx.scratch)),
        rows_(p_.rows.In<const uint8_t*>(ctx.scratch)),
        offsets_(p_.offsets.In<int32_t>(ctx.scratch)),
        index_(p_.index.In<int32_t>(ctx.scratch)) {
    const int64_t pixel = g_.in_c * kFloatBytes;
    std::memset(lines_, 0,
                static_cast<size_t>(p_.most_lines * p_.line_bytes));  // the padding stays
    for (int64_t j = 0; j < CeilDiv(g_.out_w, g_.stride_w); ++j) {
      rows_[j] = lines_ + (p_.left + j) * pixel;
    }
  }

  /// Output line `line` of all images.
  void Run(int64_t line) {
    const int64_t image = line / g_.out_h, oy = line % g_.out_h;
    const int64_t in_line = g_.in_w * g_.in_c;
    lines_used_ = 0;
    for (int64_t ky = 0; ky < g_.kernel_h; ++ky) {
      const int64_t y = oy + g_.pad_top - ky;
      if (y < 0 || y % g_.stride_h != 0 || y / g_.stride_h >= g_.in_h) continue;
      std::memcpy(lines_ + lines_used_ * p_.line_bytes + p_.left * g_.in_c * kFloatBytes,
                  x_ + (image * g_.in_h + y / g_.stride_h) * in_line,
                  static_cast<size_t>(in_line * kFloatBytes));
      kernel_row_[lines_used_++] = ky;
    }
    const int64_t phases = std::min(g_.stride_w, g_.out_w);
    for (int64_t phase = 0; phase < phases; ++phase) {
      RunPhase(phase, y_ + (line * g_.out_w + phase) * p_.out_stride);
    }
  }

 private:
  /// Outputs phase, phase + stride, ... of the line: output j reads tap (line, kx) from input pixel
  /// j + (phase + pad - kx) / stride.
  void RunPhase(int64_t phase, float* out) const {
    int64_t runs = 0;
    for (int64_t line = 0; line < lines_used_; ++line) {
      for (int64_t kx = 0; kx < g_.kernel_w; ++kx) {
        const int64_t at = phase + g_.pad_left - kx;
        if (at % g_.stride_w != 0) continue;
        index_[runs] = static_cast<int32_t>(kernel_row_[line] * g_.kernel_w + kx);
        offsets_[runs++] =
            static_cast<int32_t>(line * p_.line_bytes + at / g_.stride_w * g_.in_c * kFloatBytes);
      }
    }
    const WeightDims& d = p_.product.dims;
    const ChannelOutput& o = p_.product.out;
    simd::ProductF32 a;
    a.rows = rows_, a.count = CeilDiv(g_.out_w - phase, g_.stride_w);
    a.offsets = offsets_, a.runs = runs, a.run_length = d.run_length;
    a.run_index = index_, a.panel_runs = d.runs;
    a.weights = reinterpret_cast<const float*>(p_.product.weights);
    a.n = d.n, a.panel_end = d.panels();
    a.bias = reinterpret_cast<const float*>(o.bias);
    a.lo = o.lo, a.hi = o.hi;
    a.out = out, a.out_stride = g_.stride_w * p_.out_stride;
    p_.kernels->product(a);
  }

  const PhasesF32& p_;
  const ConvGeometry& g_;
  const float* x_;
  float* y_;
  uint8_t* lines_;
  const uint8_t** rows_;
  int32_t *offsets_, *index_;
  int64_t lines_used_ = 0;
  std::array<int64_t, 64> kernel_row_;  // of each copied line
};

KernelCode Run(const RunContext& ctx) {
  Worker worker(ctx);
  for (int64_t t = ctx.tasks.begin; t < ctx.tasks.end; ++t) worker.Run(t);
  return KernelCode::kOk;
}

/// Input lines with the padding that any tap of any output may read.
void SetLines(PhasesF32* p) {
  const ConvGeometry& g = p->product.g;
  p->most_lines = CeilDiv(g.kernel_h, g.stride_h);
  p->left = CeilDiv(std::max<int64_t>(0, g.kernel_w - 1 - g.pad_left), g.stride_w);
  const int64_t last = (g.out_w - 1 + g.pad_left) / g.stride_w;  // pixel that a tap may ask for
  const int64_t width = p->left + std::max(g.in_w, last + 1);
  p->line_bytes = SaturatingProduct(width, g.in_c, kFloatBytes);
}

const char* WhyNot(const PrepareContext& ctx, const PhasesF32& p) {
  const ConvGeometry& g = p.product.g;
  if (ctx.tier == nullptr || ctx.tier->f32 == nullptr) return "no SIMD tier";
  if (p.product.out.kind != ProductKind::kFloat) return "serves float32 activations and weights";
  if (g.out_pixels() == 0) return "no output pixels";
  if (p.most_lines > 64) return "a kernel of more than 64 lines a stride";
  if (SaturatingProduct(p.most_lines, p.line_bytes, 1) > std::numeric_limits<int32_t>::max()) {
    return "lines of more than 2 GiB";
  }
  return nullptr;
}

}  // namespace

Status PreparePhasesF32(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                        std::string* why_not) {
  *accepted = false;
  Prepared reference;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, &reference));
  PhasesF32 p;
  p.product = *static_cast<const RowProduct*>(reference.params.get());
  SetLines(&p);
  if (const char* why = WhyNot(ctx, p)) {
    *why_not = why;
    return OkStatus();
  }
  const ConvGeometry& g = p.product.g;
  p.kernels = ctx.tier->f32;
  prepared->strided_out = ctx.out_row_elems != 0;
  p.out_stride = prepared->strided_out ? ctx.out_row_elems : p.product.dims.n;
  ScratchParts parts;
  p.lines = parts.Take(p.most_lines * p.line_bytes);
  p.rows = parts.Take(CeilDiv(g.out_w, g.stride_w) * static_cast<int64_t>(sizeof(void*)));
  p.offsets = parts.Take(4 * p.product.dims.runs);
  p.index = parts.Take(4 * p.product.dims.runs);
  prepared->scratch_per_thread = static_cast<size_t>(parts.bytes);
  prepared->tasks = g.batch * g.out_h;
  prepared->macs = reference.macs;
  prepared->cost_ns = static_cast<double>(reference.macs) /
                      static_cast<double>(g.stride_h * g.stride_w) / ctx.tier->float_rate;
  prepared->exact = false;
  prepared->implementation = "phases_f32";
  prepared->tier = p.kernels->tier;
  prepared->run = &Run;
  prepared->SetParams(p);
  *accepted = true;
  return OkStatus();
}

}  // namespace whit
