// ResizeBilinear and ResizeNearest of x[N,H,W,C] to the spatial size of the output. Positions and
// weights are computed once, in prepare, by IEEE operations in a stated order (docs/arithmetic.md,
// 4).
#include <algorithm>

#include "kernels/copy_short.h"
#include "kernels/options.h"
#include "kernels/requantize.h"
#include "kernels/resize.h"

namespace whit {

const char* const kTypesResizeBilinear = "float32 int8 uint8 int16";
const char* const kTypesResizeNearest = "any";

namespace {

// A table entry an output row and column: a picture of 1 x 2^30 bytes is within the budgets, its
// table is not.
constexpr int64_t kMaxSide = 1 << 20;

float ScaleOf(int64_t in, int64_t out, bool align_corners) {
  const int64_t ends = align_corners && out > 1 ? 1 : 0;
  return static_cast<float>(in - ends) / static_cast<float>(out - ends);
}

std::vector<Tap> BilinearTaps(int64_t in, int64_t out, const fbs::ResizeOptions& options,
                              int weight_bits) {
  const float scale = ScaleOf(in, out, options.align_corners());
  const float offset = options.half_pixel_centers() ? 0.5f * scale - 0.5f : 0.0f;
  const float last = static_cast<float>(in - 1);
  std::vector<Tap> taps(static_cast<size_t>(out));
  for (int64_t i = 0; i < out; ++i) {
    const float at = ClampFloat(static_cast<float>(i) * scale + offset, 0, last);
    Tap& tap = taps[static_cast<size_t>(i)];
    tap.low = std::min(static_cast<int64_t>(at), in - 1);
    tap.high = std::min(tap.low + 1, in - 1);
    tap.weight = at - static_cast<float>(tap.low);
    tap.fixed_weight = RoundSmall(tap.weight * static_cast<float>(1 << weight_bits));
  }
  return taps;
}

std::vector<Tap> NearestTaps(int64_t in, int64_t out, const fbs::ResizeOptions& options,
                             int /*weight_bits*/) {
  const float scale = ScaleOf(in, out, options.align_corners());
  const float offset = options.half_pixel_centers() ? 0.5f : 0.0f;
  std::vector<Tap> taps(static_cast<size_t>(out));
  for (int64_t i = 0; i < out; ++i) {
    const float at = (static_cast<float>(i) + offset) * scale;
    auto index = static_cast<int64_t>(at);  // at >= 0: truncation is floor
    if (options.align_corners() && at - static_cast<float>(index) >= 0.5f) ++index;
    taps[static_cast<size_t>(i)].low = std::min(index, in - 1);
  }
  return taps;
}

// ---- one channel of one pixel; tl, tr, bl, br: top left to bottom right ----

float Blend(float tl, float tr, float bl, float br, const Tap& y, const Tap& x) {
  const float top = tl + (tr - tl) * x.weight, bottom = bl + (br - bl) * x.weight;
  return top + (bottom - top) * y.weight;
}

template <typename T>
T Blend(T tl, T tr, T bl, T br, const Tap& y, const Tap& x) {
  using Acc = std::conditional_t<sizeof(T) == 1, int32_t, int64_t>;
  constexpr int kBits = WeightBits(sizeof(T));
  constexpr Acc kOne = 1 << kBits;
  const Acc top = Acc{tl} * kOne + (Acc{tr} - Acc{tl}) * x.fixed_weight;
  const Acc bottom = Acc{bl} * kOne + (Acc{br} - Acc{bl}) * x.fixed_weight;
  const Acc acc = top * kOne + (bottom - top) * y.fixed_weight;
  return static_cast<T>((acc + kOne * kOne / 2) >> (2 * kBits));  // floor: half rounds up
}

// A task is one row of output pixels.
template <typename T>
KernelCode RunBilinear(const RunContext& ctx) {
  const auto& params = ctx.As<ResizeParams>();
  const int64_t channels = params.channels, in_row = params.in_w * channels;
  for (int64_t task = ctx.tasks.begin; task < ctx.tasks.end; ++task) {
    const Tap& y = params.rows[static_cast<size_t>(task % params.out_h)];
    const T* image = ctx.in[0].as<T>() + task / params.out_h * params.in_h * in_row;
    const T* top = image + y.low * in_row;
    const T* bottom = image + y.high * in_row;
    T* out = ctx.out[0].mut<T>() + task * params.out_w * channels;
    for (const Tap& x : params.columns) {
      const int64_t left = x.low * channels, right = x.high * channels;
      for (int64_t c = 0; c < channels; ++c) {
        *out++ = Blend(top[left + c], top[right + c], bottom[left + c], bottom[right + c], y, x);
      }
    }
  }
  return KernelCode::kOk;
}

KernelCode RunNearest(const RunContext& ctx) {
  const auto& params = ctx.As<ResizeParams>();
  const size_t bytes = params.pixel_bytes;
  for (int64_t task = ctx.tasks.begin; task < ctx.tasks.end; ++task) {
    const int64_t y = params.rows[static_cast<size_t>(task % params.out_h)].low;
    const int64_t first = (task / params.out_h * params.in_h + y) * params.in_w;
    const uint8_t* row = ctx.in[0].as<uint8_t>() + static_cast<size_t>(first) * bytes;
    uint8_t* to = ctx.out[0].mut<uint8_t>() + static_cast<size_t>(task * params.out_w) * bytes;
    for (const Tap& x : params.columns) {
      CopyShort(to, row + static_cast<size_t>(x.low) * bytes, bytes);
      to += bytes;
    }
  }
  return KernelCode::kOk;
}

Status PrepareResize(const PrepareContext& ctx, bool bilinear, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_RETURN_IF_ERROR(ExpectSameQuantization(ctx, 0, 0));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::ResizeOptions>(ctx));
  const Shape& x = ctx.in[0].shape;
  const Shape& y = ctx.out[0].shape;
  const bool fits = x.rank() == 4 && y.rank() == 4 && x[0] == y[0] && x[3] == y[3];
  if (!fits || x[1] < 1 || x[2] < 1 || y[1] < 1 || y[2] < 1) {
    return ctx.Error(StatusCode::kInvalidModel, "shape " + x.ToString() + " does not resize to " +
                                                    y.ToString() +
                                                    ": [N,H,W,C] with equal N and C expected");
  }
  if (std::max(y[1], y[2]) > kMaxSide) {
    return ctx.Error(StatusCode::kUnsupported, "an output side of " +
                                                   std::to_string(std::max(y[1], y[2])) +
                                                   ", at most " + std::to_string(kMaxSide));
  }
  if (options->align_corners() && options->half_pixel_centers()) {
    return ctx.Error(StatusCode::kInvalidModel,
                     "align_corners and half_pixel_centers exclude each other");
  }
  p->run = bilinear ? &RunBilinear<float> : &RunNearest;
  ResizeParams params{{}, {}, x[1], x[2], y[1], y[2], x[3], 0};
  params.pixel_bytes = static_cast<size_t>(x[3]) * DTypeSize(ctx.in[0].type);
  p->tasks = y.elements() == 0 ? 0 : y[0] * y[1];
  p->macs = y.elements() * (bilinear ? 4 : 1);
  if (p->tasks > 0) {  // so the tables are never larger than the output
    const auto taps = bilinear ? &BilinearTaps : &NearestTaps;
    const int weight_bits = WeightBits(DTypeSize(ctx.in[0].type));
    params.rows = taps(x[1], y[1], *options, weight_bits);
    params.columns = taps(x[2], y[2], *options, weight_bits);
  }
  p->SetParams(std::move(params));
  return OkStatus();
}

}  // namespace

Status PrepareResizeBilinear(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  const DType type = ctx.in[0].type;
  WHIT_RETURN_IF_ERROR(ctx.ExpectType(
      "the input", type, {DType::kFloat32, DType::kInt8, DType::kUint8, DType::kInt16}));
  WHIT_RETURN_IF_ERROR(PrepareResize(ctx, /*bilinear=*/true, p));
  p->exact = type != DType::kFloat32;
  if (type == DType::kInt8) p->run = &RunBilinear<int8_t>;
  if (type == DType::kUint8) p->run = &RunBilinear<uint8_t>;
  if (type == DType::kInt16) p->run = &RunBilinear<int16_t>;
  return OkStatus();
}

Status PrepareResizeNearest(const PrepareContext& ctx, Prepared* p) {
  return PrepareResize(ctx, /*bilinear=*/false, p);
}

}  // namespace whit
