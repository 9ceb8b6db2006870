// DepthwiseConv2D: x[N,H,W,C] with dw16 weights [KH,KW,O], O = C * multiplier -> [N,OH,OW,O].
// Output channel o reads input channel o / multiplier. Arithmetic: docs/arithmetic.md, 3.
#include <algorithm>

#include "kernels/conv_geometry.h"
#include "kernels/depthwise.h"
#include "kernels/hybrid.h"
#include "kernels/options.h"
#include "kernels/pack.h"
#include "kernels/weighted.h"

namespace whit {
namespace {

// What differs between the kinds of arithmetic. Src: as stored; W: weights as used, widened and
// less their zero point. Every Add handles 16 channels.
struct Int8Taps {
  using Src = uint8_t;
  using W = int16_t;
  using Acc = int32_t;
  explicit Int8Taps(const Depthwise& p) : flip(p.in.flip), pad(p.in.stored_zero_point()) {}
  void Begin(const Src*, int64_t) {}
  float scale() const { return 1; }
  void Add(const Src* x, const W* w, Acc* acc) const {
    // In three passes over locals: bytes may alias anything, and gcc vectorizes each of them alone.
    int16_t value[16];
    for (int c = 0; c < 16; ++c) {
      value[c] = static_cast<int16_t>(static_cast<int8_t>(x[c] ^ flip));
    }
    int32_t product[16];
    for (int c = 0; c < 16; ++c) product[c] = int32_t{value[c]} * int32_t{w[c]};
    for (int c = 0; c < 16; ++c) {
      acc[c] = static_cast<Acc>(static_cast<uint32_t>(acc[c]) + static_cast<uint32_t>(product[c]));
    }
  }
  uint8_t flip;
  Src pad;
};

struct Int16Taps {
  using Src = int16_t;
  using W = int16_t;
  using Acc = int64_t;
  explicit Int16Taps(const Depthwise&) {}
  void Begin(const Src*, int64_t) {}
  float scale() const { return 1; }
  void Add(const Src* x, const W* w, Acc* acc) const {
    for (int c = 0; c < 16; ++c) {  // unsigned: a hostile bias may wrap
      acc[c] = static_cast<Acc>(static_cast<uint64_t>(acc[c]) +
                                static_cast<uint64_t>(int64_t{x[c] * w[c]}));
    }
  }
  Src pad = 0;
};

struct FloatTaps {
  using Src = float;
  using W = float;
  using Acc = float;
  explicit FloatTaps(const Depthwise&) {}
  void Begin(const Src*, int64_t) {}
  float scale() const { return 1; }
  void Add(const Src* x, const W* w, Acc* acc) const {
    for (int c = 0; c < 16; ++c) acc[c] += x[c] * w[c];
  }
  Src pad = 0;
};

struct HybridTaps {
  using Src = float;
  using W = int16_t;
  using Acc = int32_t;
  explicit HybridTaps(const Depthwise&) {}
  void Begin(const Src* image, int64_t count) { quant = QuantOf(image, count); }
  float scale() const { return quant.scale; }
  void Add(const Src* x, const W* w, Acc* acc) const {
    for (int c = 0; c < 16; ++c) {
      const int32_t product = QuantizeOne(x[c], quant) * w[c];
      acc[c] = static_cast<Acc>(static_cast<uint32_t>(acc[c]) + static_cast<uint32_t>(product));
    }
  }
  Src pad = 0;
  DynamicQuant quant;
};

template <typename Kind>
class Worker {
 public:
  using Src = typename Kind::Src;
  using W = typename Kind::W;
  using Acc = typename Kind::Acc;

  explicit Worker(const RunContext& ctx)
      : p_(ctx.As<Depthwise>()),
        kind_(p_),
        x_(ctx.in[0].template as<Src>()),
        y_(ctx.out[0].template mut<uint8_t>()),
        taps_(reinterpret_cast<W*>(ctx.scratch)) {
    std::fill_n(pad_, 16, kind_.pad);
  }

  /// Task t is chunk t % chunk_tasks of output line t / chunk_tasks.
  void Run(TaskRange tasks) {
    for (int64_t t = tasks.begin; t < tasks.end; ++t) {
      const int64_t line = t / p_.chunk_tasks;
      if (p_.chunk_tasks > 1) {
        RunChunk(line, t % p_.chunk_tasks);
        continue;
      }
      for (int64_t chunk = 0; chunk < p_.chunks; ++chunk) RunChunk(line, chunk);
    }
  }

 private:
  void RunChunk(int64_t line, int64_t chunk) {
    const ConvGeometry& g = p_.g;
    const int64_t n = 16 * chunk, count = std::min<int64_t>(16, g.out_c - n);
    const int64_t image = line / g.out_h, oy = line % g.out_h,
                  image_elems = g.in_h * g.in_w * g.in_c;
    if (image != image_) kind_.Begin(x_ + image * image_elems, image_elems);
    image_ = image;
    LoadWeights(chunk);
    Acc start[16];
    StartChannels(p_.out, n, count, start);
    for (int64_t ox = 0; ox < g.out_w; ++ox) {
      Acc acc[16];
      std::copy_n(start, 16, acc);
      AddPixel(image, oy, ox, n, count, acc);
      const int64_t at =
          ((line * g.out_w + ox) * g.out_c + n) * static_cast<int64_t>(p_.out.element_bytes);
      FinishChannels(p_.out, n, count, kind_.scale(), acc, y_ + at);
    }
  }

  /// Weights of a chunk into scratch: widened, less the zero point, so that sums over activations
  /// are not needed. Less than one output line's work; a chunk is used for a whole line.
  void LoadWeights(int64_t chunk) {
    const int64_t values = p_.g.kernel_h * p_.g.kernel_w * 16;
    if constexpr (std::is_same_v<W, float>) {
      std::memcpy(taps_, p_.weights + chunk * values * 4, static_cast<size_t>(values) * 4);
    } else {
      const auto* w = reinterpret_cast<const int8_t*>(p_.weights) + chunk * values;
      for (int64_t i = 0; i < values; ++i) {
        taps_[i] = static_cast<W>(w[i] - p_.out.weight_zero_point);
      }
    }
  }

  void AddPixel(int64_t image, int64_t oy, int64_t ox, int64_t n, int64_t count, Acc* acc) {
    const ConvGeometry& g = p_.g;
    const W* w = taps_;
    for (int64_t ky = 0; ky < g.kernel_h; ++ky) {
      const int64_t iy = oy * g.stride_h - g.pad_top + ky * g.dilation_h;
      const bool row_inside = iy >= 0 && iy < g.in_h;
      const Src* row = row_inside ? x_ + (image * g.in_h + iy) * g.in_w * g.in_c : nullptr;
      for (int64_t kx = 0; kx < g.kernel_w; ++kx, w += 16) {
        const int64_t ix = ox * g.stride_w - g.pad_left + kx * g.dilation_w;
        const bool inside = row_inside && ix >= 0 && ix < g.in_w;
        kind_.Add(inside ? Channels(row + ix * g.in_c, n, count) : pad_, w, acc);
      }
    }
  }

  /// 16 readable inputs of output channels n .. n+count-1 of one pixel.
  const Src* Channels(const Src* pixel, int64_t n, int64_t count) {
    if (p_.multiplier == 1 && count == 16) return pixel + n;
    for (int64_t c = 0; c < count; ++c) gathered_[c] = pixel[(n + c) / p_.multiplier];
    return gathered_;
  }

  const Depthwise& p_;
  Kind kind_;
  const Src* x_;
  uint8_t* y_;
  W* taps_;  // [taps][16]
  int64_t image_ = -1;
  Src pad_[16];
  Src gathered_[16] = {};
};

template <typename Kind>
KernelCode Run(const RunContext& ctx) {
  Worker<Kind>(ctx).Run(ctx.tasks);
  return KernelCode::kOk;
}

KernelFn RunOf(ProductKind kind) {
  switch (kind) {
    case ProductKind::kInt8:
      return &Run<Int8Taps>;
    case ProductKind::kInt16:
      return &Run<Int16Taps>;
    case ProductKind::kFloat:
      return &Run<FloatTaps>;
    case ProductKind::kHybrid:
      return &Run<HybridTaps>;
  }
  return nullptr;
}

Status CheckChannels(const PrepareContext& ctx, const PackedWeights& w, const ConvGeometry& g) {
  const bool shape_ok = w.shape[2] == w.n && w.runs == g.kernel_h * g.kernel_w;
  if (shape_ok && g.in_c > 0 && w.n % g.in_c == 0) return OkStatus();
  return ctx.Error(StatusCode::kInvalidModel,
                   "weights '" + w.name + "' of shape " + w.shape.ToString() + " hold " +
                       std::to_string(w.runs) + " taps of " + std::to_string(w.n) +
                       " channels, the input has " + std::to_string(g.in_c) + " channels");
}

}  // namespace

const char* const kTypesDepthwiseConv2D = "int8 uint8 int16 float32 float32xint8";

Status PrepareDepthwiseConv2D(const PrepareContext& ctx, Prepared* p) {
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::ConvOptions>(ctx));
  WHIT_ASSIGN_OR_RETURN(const PackedWeights* w, ctx.Weights(options->weights()));
  Depthwise dw;
  WHIT_ASSIGN_OR_RETURN(dw.g, ReadConvGeometry(ctx, *options, *w, ConvForm::kDepthwise));
  WHIT_RETURN_IF_ERROR(
      CheckWeights(ctx, *w, PackedWeights::Layout::kDw16I8, PackedWeights::Layout::kDw16F32));
  WHIT_RETURN_IF_ERROR(CheckChannels(ctx, *w, dw.g));
  WHIT_ASSIGN_OR_RETURN(const ProductKind kind, KindOf(ctx, *w));
  WHIT_ASSIGN_OR_RETURN(dw.in, ReadInputCode(ctx, 0));
  WHIT_ASSIGN_OR_RETURN(dw.out,
                        ReadChannelOutput(ctx, kind, *w, options->bias(), options->multiplier(),
                                          options->lo(), options->hi()));
  dw.weights = static_cast<const uint8_t*>(w->data);
  dw.sums = w->sums;
  dw.multiplier = w->n / dw.g.in_c;
  dw.chunks = CeilDiv(w->n, 16);
  const int64_t lines = dw.g.batch * dw.g.out_h;
  dw.chunk_tasks = lines < 2 * std::max(1, ctx.max_threads) ? dw.chunks : 1;
  const int64_t weight_bytes = kind == ProductKind::kFloat ? 4 : 2;
  p->scratch_per_thread = static_cast<size_t>(RoundUp64(w->runs * 16 * weight_bytes));
  p->tasks = lines * dw.chunk_tasks;
  p->macs = SaturatingProduct(dw.g.out_pixels(), w->n, w->runs);
  p->exact = kind == ProductKind::kInt8 || kind == ProductKind::kInt16;
  p->run = RunOf(kind);
  p->SetParams(dw);
  return OkStatus();
}

}  // namespace whit
