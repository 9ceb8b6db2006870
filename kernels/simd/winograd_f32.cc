#include "kernels/simd/winograd_f32.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "kernels/row_product.h"
#include "kernels/simd/joined_add.h"
#include "kernels/simd/row_blocks.h"
#include "kernels/simd/tiers.h"

namespace whit {
namespace {

constexpr auto kFloatBytes = static_cast<int64_t>(sizeof(float));
/// Transformed inputs and sums of a block of tiles stay in L2 (256 KB on the smallest targets).
constexpr int64_t kBlockBytes = 192 * 1024;
/// Transformed weights should stay there too, beside them or in turn.
constexpr int64_t kMostWeightBytes = 384 * 1024;
/// Fewer tiles do not pay for the weights, fewer channels not for the inputs and sums.
constexpr int64_t kLeastTiles = 12, kLeastIn = 16, kLeastOut = 12;

/// Floats between positions: one cache line more than whole pages, else the 16 of them fall on the
/// same set of L1.
constexpr int64_t Step(int64_t floats) { return floats + 16; }

struct WinogradF32 {
  RowProduct product;  // as the reference sees it
  const simd::F32Kernels* kernels = nullptr;
  int64_t tiles_w = 0, image_tiles = 0;
  int64_t tasks = 1, block_tiles = 1;
  int64_t cin = 0, cout = 0;  // in whole panels
  int64_t out_stride = 0;     // between output pixels
  JoinedAddF32 add;
  Part weights, inputs, sums, patch, rows;
  int64_t scratch_bytes = 0;

  int64_t tiles() const { return product.g.batch * image_tiles; }
};

class Worker {
 public:
  explicit Worker(const RunContext& ctx)
      : p_(ctx.As<WinogradF32>()),
        g_(p_.product.g),
        x_(ctx.in[0].as<float>()),
        y_(ctx.out[0].mut<float>()),
        addend_(p_.add.joins ? ctx.in.back().as<float>() : nullptr),
        weights_(p_.weights.In<float>(ctx.scratch)),
        inputs_(p_.inputs.In<float>(ctx.scratch)),
        sums_(p_.sums.In<float>(ctx.scratch)),
        patch_(p_.patch.In<float>(ctx.scratch)),
        rows_(p_.rows.In<const uint8_t*>(ctx.scratch)) {
    simd::WinogradWeights w;
    w.cin = g_.in_c, w.u_step = Step(g_.in_c * p_.cout);
    for (int64_t n = 0; n < p_.cout; n += 16) {
      w.panel = reinterpret_cast<const float*>(p_.product.weights) + n * 9 * g_.in_c;
      w.u = weights_ + n * g_.in_c;
      p_.kernels->winograd_weights(w);
    }
  }

  void Run(TaskRange tasks) {
    const int64_t all = p_.tiles();
    const int64_t end = all * tasks.end / p_.tasks;
    for (int64_t t = all * tasks.begin / p_.tasks; t < end; t += p_.block_tiles) {
      RunBlock(t, std::min(p_.block_tiles, end - t));
    }
  }

 private:
  void RunBlock(int64_t first, int64_t count) {
    simd::WinogradInput in;
    in.channels = g_.in_c, in.v_step = Step(count * p_.cin);
    for (int64_t i = 0; i < count; ++i) {
      in.v = inputs_ + i * p_.cin;
      FindPatch(first + i, &in);
      p_.kernels->winograd_input(in);
    }
    Multiply(count);
    for (int64_t i = 0; i < count; ++i)
      Store(first + i, sums_ + i * p_.cout, Step(count * p_.cout));
  }

  /// The 4 x 4 inputs of a tile: as they lie, or a copy with zeros outside the image.
  void FindPatch(int64_t tile, simd::WinogradInput* in) {
    const int64_t image = tile / p_.image_tiles, at = tile % p_.image_tiles;
    const int64_t y = at / p_.tiles_w * 2 - g_.pad_top, x = at % p_.tiles_w * 2 - g_.pad_left;
    const int64_t c = g_.in_c, line = g_.in_w * c;
    const float* from = x_ + image * g_.in_h * line;
    in->pixel = c;
    if (y >= 0 && x >= 0 && y + 4 <= g_.in_h && x + 4 <= g_.in_w) {
      in->x = from + y * line + x * c, in->line = line;
      return;
    }
    in->x = patch_, in->line = 4 * c;
    std::memset(patch_, 0, static_cast<size_t>(16 * c * kFloatBytes));
    const int64_t x0 = std::max<int64_t>(0, -x), x1 = std::min<int64_t>(4, g_.in_w - x);
    if (x1 <= x0) return;
    for (int64_t i = std::max<int64_t>(0, -y); i < std::min<int64_t>(4, g_.in_h - y); ++i) {
      std::memcpy(patch_ + (4 * i + x0) * c, from + (y + i) * line + (x + x0) * c,
                  static_cast<size_t>((x1 - x0) * c * kFloatBytes));
    }
  }

  /// The 16 products of a block.
  void Multiply(int64_t count) {
    static constexpr int32_t kNoOffset = 0;
    for (int64_t i = 0; i < count; ++i) {
      rows_[i] = reinterpret_cast<const uint8_t*>(inputs_ + i * p_.cin);
    }
    simd::ProductF32 a;
    a.rows = rows_, a.count = count;
    a.offsets = &kNoOffset, a.runs = 1, a.run_length = g_.in_c;
    a.weights = weights_;
    a.n = g_.out_c, a.panel_end = p_.cout / 16;
    a.lo = -std::numeric_limits<float>::infinity(), a.hi = -a.lo;
    a.out = sums_, a.out_stride = p_.cout;
    for (int position = 0; position < 16; ++position) {
      p_.kernels->product(a);
      a.row_shift += Step(count * p_.cin) * kFloatBytes;
      a.weights += Step(g_.in_c * p_.cout);
      a.out += Step(count * p_.cout);
    }
  }

  void Store(int64_t tile, const float* sums, int64_t step) const {
    const int64_t image = tile / p_.image_tiles, at = tile % p_.image_tiles;
    const int64_t y = at / p_.tiles_w * 2, x = at % p_.tiles_w * 2;
    const int64_t pixel = (image * g_.out_h + y) * g_.out_w + x;
    const ChannelOutput& out = p_.product.out;
    simd::WinogradOutput o;
    o.m = sums, o.m_step = step, o.channels = g_.out_c;
    o.bias = reinterpret_cast<const float*>(out.bias), o.lo = out.lo, o.hi = out.hi;
    if (addend_ != nullptr) {
      o.addend = addend_ + pixel * g_.out_c;
      o.addend_line = g_.out_w * g_.out_c, o.addend_pixel = g_.out_c;
      o.sum_lo = p_.add.lo, o.sum_hi = p_.add.hi;
    }
    o.out = y_ + pixel * p_.out_stride;
    o.out_line = g_.out_w * p_.out_stride, o.out_pixel = p_.out_stride;
    o.lines = static_cast<int>(std::min<int64_t>(2, g_.out_h - y));
    o.pixels = static_cast<int>(std::min<int64_t>(2, g_.out_w - x));
    p_.kernels->winograd_output(o);
  }

  const WinogradF32& p_;
  const ConvGeometry& g_;
  const float* x_;
  float* y_;
  const float* addend_;
  float *weights_, *inputs_, *sums_, *patch_;
  const uint8_t** rows_;
};

KernelCode Run(const RunContext& ctx) {
  Worker(ctx).Run(ctx.tasks);
  return KernelCode::kOk;
}

const char* WhyNot(const PrepareContext& ctx, const WinogradF32& p) {
  const ConvGeometry& g = p.product.g;
  if (ctx.tier == nullptr || ctx.tier->f32 == nullptr) return "no SIMD tier";
  if (p.product.out.kind != ProductKind::kFloat) return "serves float32 activations and weights";
  const bool nine = g.kernel_h == 3 && g.kernel_w == 3 && p.product.dims.groups == 1;
  if (!nine || g.stride_h != 1 || g.stride_w != 1 || g.dilation_h != 1 || g.dilation_w != 1) {
    return "serves 3x3 at stride 1";
  }
  if (ctx.in[0].data != nullptr) return "a constant input, which must not be over-read";
  if (g.in_c < kLeastIn || g.out_c < kLeastOut) return "too few channels to pay";
  if (p.tiles() < kLeastTiles) return "too few pixels to pay";
  if (16 * g.in_c * p.cout * kFloatBytes > kMostWeightBytes) {
    return "weights too large to be transformed in every run";
  }
  return nullptr;
}

void SetBlocks(WinogradF32* p, int64_t threads, int64_t block_bytes) {
  const ConvGeometry& g = p->product.g;
  p->tasks = std::min(threads, p->tiles());
  const int64_t per_task = CeilDiv(p->tiles(), p->tasks);
  const int64_t fits = std::max(kLeastTiles, block_bytes / (16 * (p->cin + p->cout) * kFloatBytes));
  p->block_tiles = CeilDiv(per_task, CeilDiv(per_task, fits));
  ScratchParts parts;
  p->weights = parts.Take(16 * Step(g.in_c * p->cout) * kFloatBytes);
  p->inputs = parts.Take(16 * Step(p->block_tiles * p->cin) * kFloatBytes);
  p->sums = parts.Take(16 * Step(p->block_tiles * p->cout) * kFloatBytes);
  p->patch = parts.Take(16 * g.in_c * kFloatBytes + 64);  // read in whole registers
  p->rows = parts.Take(p->block_tiles * static_cast<int64_t>(sizeof(void*)));
  p->scratch_bytes = parts.bytes;
}

}  // namespace

Status PrepareWinogradF32(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                          std::string* why_not) {
  *accepted = false;
  Prepared reference;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, &reference));
  WinogradF32 p;
  p.product = *static_cast<const RowProduct*>(reference.params.get());
  const ConvGeometry& g = p.product.g;
  p.tiles_w = CeilDiv(g.out_w, 2), p.image_tiles = p.tiles_w * CeilDiv(g.out_h, 2);
  p.cin = CeilDiv(g.in_c, 16) * 16, p.cout = CeilDiv(g.out_c, 16) * 16;
  if (const char* why = WhyNot(ctx, p)) {
    *why_not = why;
    return OkStatus();
  }
  p.kernels = ctx.tier->f32;
  prepared->strided_out = ctx.out_row_elems != 0;
  p.out_stride = prepared->strided_out ? ctx.out_row_elems : p.product.dims.n;
  WHIT_RETURN_IF_ERROR(JoinFloatAdd(ctx, &p.add, prepared));
  SetBlocks(&p, std::max(1, ctx.max_threads), ShiftedBytes(kBlockBytes, ctx.block_shift));
  prepared->scratch_per_thread = static_cast<size_t>(p.scratch_bytes);
  prepared->tasks = p.tasks;
  prepared->macs = reference.macs;
  prepared->cost_ns = 0.7 * static_cast<double>(reference.macs) / ctx.tier->float_rate;
  prepared->exact = false;
  prepared->implementation = "winograd_f32";
  prepared->tier = p.kernels->tier;
  prepared->run = &Run;
  prepared->SetParams(p);
  *accepted = true;
  return OkStatus();
}

}  // namespace whit
