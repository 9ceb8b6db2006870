// AveragePool2D and MaxPool2D over x[N,H,W,C]. Only real pixels count: borders are neither averaged
// nor compared.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/options.h"
#include "kernels/pool.h"
#include "kernels/rescale.h"

namespace whit {

const char* const kTypesAveragePool2D = "float32 int8 uint8 int16";
const char* const kTypesMaxPool2D = "float32 int8 uint8 int16";

namespace {

// Channels summed at once: accumulators stay in registers and L1, and need no scratch.
constexpr int64_t kBlock = 64;

// What a pool does with the values of one window. Acc: the running value; T: the stored type.
template <typename T>
struct Average {
  using Acc = std::conditional_t<std::is_same_v<T, float>, float,
                                 std::conditional_t<sizeof(T) == 1, int32_t, int64_t>>;
  static Acc Init() { return 0; }
  static Acc Step(Acc acc, T x) { return acc + static_cast<Acc>(x); }
  static T Finish(Acc acc, int64_t count, float multiplier, const PoolParams& params) {
    if constexpr (std::is_same_v<T, float>) {
      return std::min(std::max(acc / static_cast<float>(count), params.clamp.lo), params.clamp.hi);
    } else {
      const int64_t sum = static_cast<int64_t>(acc) - count * params.rescale.in_zero;
      return static_cast<T>(RequantizeSum<T>(sum, multiplier, params.rescale.out));
    }
  }
  static float Multiplier(int64_t count, const PoolParams& params) {
    return params.rescale.Multiplier(count);
  }
};

template <typename T>
struct Maximum {
  using Acc = T;
  static Acc Init() {
    if constexpr (std::is_same_v<T, float>) return -INFINITY;
    return std::numeric_limits<T>::lowest();
  }
  static Acc Step(Acc acc, T x) { return x > acc ? x : acc; }
  static T Finish(Acc acc, int64_t, float multiplier, const PoolParams& params) {
    if constexpr (std::is_same_v<T, float>) {
      return std::min(std::max(acc, params.clamp.lo), params.clamp.hi);
    } else {
      return static_cast<T>(
          RequantizeSum<T>(acc - params.rescale.in_zero, multiplier, params.rescale.out));
    }
  }
  static float Multiplier(int64_t, const PoolParams& params) { return params.max_multiplier; }
};

// One output pixel of all channels; `image` is x[n].
template <typename Pool, typename T>
void PoolPixel(const PoolParams& params, const T* image, int64_t oy, int64_t ox, T* out) {
  const int64_t y0 = params.h.Begin(oy), y1 = params.h.End(oy);
  const int64_t x0 = params.w.Begin(ox), x1 = params.w.End(ox);
  const int64_t count = (y1 - y0) * (x1 - x0);
  const float multiplier = Pool::Multiplier(count, params);
  typename Pool::Acc acc[kBlock];
  for (int64_t c0 = 0; c0 < params.channels; c0 += kBlock) {
    const int64_t n = std::min(kBlock, params.channels - c0);
    std::fill_n(acc, n, Pool::Init());
    for (int64_t y = y0; y < y1; ++y) {
      const T* pixel = image + (y * params.w.in + x0) * params.channels + c0;
      for (int64_t x = x0; x < x1; ++x, pixel += params.channels) {
        for (int64_t c = 0; c < n; ++c) acc[c] = Pool::Step(acc[c], pixel[c]);
      }
    }
    for (int64_t c = 0; c < n; ++c) out[c0 + c] = Pool::Finish(acc[c], count, multiplier, params);
  }
}

// A task is one row of output pixels.
template <typename Pool, typename T>
KernelCode RunPool(const RunContext& ctx) {
  const auto& params = ctx.As<PoolParams>();
  const int64_t image = params.h.in * params.w.in * params.channels;
  const int64_t out_row = params.w.out * params.channels;
  for (int64_t task = ctx.tasks.begin; task < ctx.tasks.end; ++task) {
    const T* x = ctx.in[0].as<T>() + task / params.h.out * image;
    T* out = ctx.out[0].mut<T>() + task * out_row;
    for (int64_t ox = 0; ox < params.w.out; ++ox, out += params.channels) {
      PoolPixel<Pool, T>(params, x, task % params.h.out, ox, out);
    }
  }
  return KernelCode::kOk;
}

template <template <typename> typename Pool>
KernelFn KernelOf(DType type) {
  switch (type) {
    case DType::kFloat32:
      return &RunPool<Pool<float>, float>;
    case DType::kInt8:
      return &RunPool<Pool<int8_t>, int8_t>;
    case DType::kUint8:
      return &RunPool<Pool<uint8_t>, uint8_t>;
    default:
      return &RunPool<Pool<int16_t>, int16_t>;
  }
}

Result<PoolAxis> ReadAxis(const PrepareContext& ctx, const char* name, int64_t in, int64_t filter,
                          int64_t stride, int64_t before, int64_t after) {
  if (filter < 1 || stride < 1 || before >= filter || after >= filter || in < 1 ||
      in + before + after < filter) {
    return ctx.Error(StatusCode::kInvalidModel,
                     std::string(name) + ": filter " + std::to_string(filter) + ", stride " +
                         std::to_string(stride) + ", padding " + std::to_string(before) + " and " +
                         std::to_string(after) + " do not pool " + std::to_string(in) + " pixels");
  }
  return PoolAxis{in, (in + before + after - filter) / stride + 1, filter, stride, before};
}

Status PreparePool(const PrepareContext& ctx, bool average, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  const View& x = ctx.in[0];
  WHIT_RETURN_IF_ERROR(ctx.ExpectType(
      "the input", x.type, {DType::kFloat32, DType::kInt8, DType::kUint8, DType::kInt16}));
  WHIT_RETURN_IF_ERROR(ExpectSameElements(ctx, 0, 0));
  WHIT_ASSIGN_OR_RETURN(const auto* o, OptionsOf<fbs::PoolOptions>(ctx));
  if (x.shape.rank() != 4) {
    return ctx.Error(StatusCode::kInvalidModel,
                     "the input must be [N,H,W,C], is " + x.shape.ToString());
  }
  PoolParams params;
  WHIT_ASSIGN_OR_RETURN(params.h, ReadAxis(ctx, "height", x.shape[1], o->filter_h(), o->stride_h(),
                                           o->pad_top(), o->pad_bottom()));
  WHIT_ASSIGN_OR_RETURN(params.w, ReadAxis(ctx, "width", x.shape[2], o->filter_w(), o->stride_w(),
                                           o->pad_left(), o->pad_right()));
  params.channels = x.shape[3];
  WHIT_RETURN_IF_ERROR(
      ctx.ExpectOutShape(0, {x.shape[0], params.h.out, params.w.out, params.channels}));
  const int64_t most =
      std::min(params.h.filter, params.h.in) * std::min(params.w.filter, params.w.in);
  if (x.type == DType::kFloat32) {
    params.clamp = OutputClamp(ctx, ctx.out[0], o->lo(), o->hi());
    p->exact = false;
  } else {
    WHIT_ASSIGN_OR_RETURN(params.rescale, MakeRescale(ctx, x, ctx.out[0], o->lo(), o->hi()));
    params.max_multiplier = params.rescale.Multiplier(1);
    if (average && most > (int64_t{1} << 23)) {  // 255 * 2^23 < 2^31: int32 sums hold
      return ctx.Error(StatusCode::kUnsupported, "a window of " + std::to_string(most) +
                                                     " pixels, at most 8388608 can be averaged");
    }
  }
  p->tasks = ctx.out[0].elements() == 0 ? 0 : x.shape[0] * params.h.out;
  p->macs = ctx.out[0].elements() * most;
  p->run = average ? KernelOf<Average>(x.type) : KernelOf<Maximum>(x.type);
  p->SetParams(params);
  return OkStatus();
}

}  // namespace

Status PrepareAveragePool2D(const PrepareContext& ctx, Prepared* p) {
  return PreparePool(ctx, /*average=*/true, p);
}
Status PrepareMaxPool2D(const PrepareContext& ctx, Prepared* p) {
  return PreparePool(ctx, /*average=*/false, p);
}

}  // namespace whit
