// Quantize: float32 to int8, uint8 storage, int16 or int32, and any of those to any other.
// Dequantize: the same four, per tensor or per axis, and float16, to float32.
// docs/arithmetic.md, 4. Tasks are elements.
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/elementwise.h"
#include "kernels/float16.h"
#include "kernels/op.h"
#include "kernels/options.h"
#include "kernels/quantize.h"
#include "kernels/requantize.h"
#include "schema/model_generated.h"

namespace whit {

namespace {

int32_t StoreWide(double scaled, const WideRequant& r) {
  const double clamped = std::clamp(std::isnan(scaled) ? 0.0 : scaled, r.lo, r.hi);
  return static_cast<int32_t>(r.zero_point + static_cast<int64_t>(std::nearbyint(clamped)));
}

template <typename In, typename Out>
struct QuantizeFunction {
  QuantizeParams p;

  Out operator()(In x) const {
    if constexpr (std::is_same_v<Out, int32_t>) {
      if constexpr (std::is_same_v<In, float>) {
        return StoreWide(static_cast<double>(x) / static_cast<double>(p.scale_out), p.wide);
      } else {
        return StoreWide(static_cast<double>(x - p.zero_in) * p.wide_multiplier, p.wide);
      }
    } else if constexpr (std::is_same_v<In, float>) {
      const float scaled = x / p.scale_out;
      return static_cast<Out>(StoreRounded(scaled == scaled ? scaled : 0.0f, p.requant));
    } else if constexpr (std::is_same_v<In, int32_t>) {
      const float scaled =
          static_cast<float>(x - p.zero_in) * p.multiplier;  // the difference has 33 bits
      return static_cast<Out>(StoreRounded(scaled, p.requant));
    } else {
      const int32_t less = x - static_cast<int32_t>(p.zero_in);
      return static_cast<Out>(Requantize(less, p.multiplier, p.requant));
    }
  }
};

template <typename In, typename Out>
KernelCode RunQuantize(const RunContext& ctx) {
  const QuantizeFunction<In, Out> f{ctx.As<QuantizeParams>()};
  const In* in = ctx.in[0].as<In>();
  Out* out = ctx.out[0].mut<Out>();
  const int64_t end = ctx.tasks.end;
  WHIT_INDEPENDENT
  for (int64_t i = ctx.tasks.begin; i < end; ++i) out[i] = f(in[i]);
  return KernelCode::kOk;
}

template <typename In>
KernelFn PickOut(DType out) {
  switch (out) {
    case DType::kInt8:
    case DType::kUint8:  // the low byte of the result is right for both
      return &RunQuantize<In, uint8_t>;
    case DType::kInt16:
      return &RunQuantize<In, int16_t>;
    default:
      return &RunQuantize<In, int32_t>;
  }
}

KernelFn PickQuantize(DType in, DType out) {
  switch (in) {
    case DType::kFloat32:
      return PickOut<float>(out);
    case DType::kInt8:
      return PickOut<int8_t>(out);
    case DType::kUint8:
      return PickOut<uint8_t>(out);
    case DType::kInt16:
      return PickOut<int16_t>(out);
    default:
      return PickOut<int32_t>(out);
  }
}

Status SetOutput(const PrepareContext& ctx, float lo, float hi, QuantizeParams* p) {
  const View& out = ctx.out[0];
  if (out.type != DType::kInt32) {
    WHIT_ASSIGN_OR_RETURN(p->requant, MakeRequant(ctx, out, lo, hi));
  } else {
    WHIT_RETURN_IF_ERROR(ctx.ExpectPerTensorQuant("the output", out));
    WHIT_RETURN_IF_ERROR(CheckClamp(ctx, lo, hi));
    const IntRange<int32_t> range = MakeIntRange<int32_t>(lo, hi);
    const int64_t zero = out.quant.zero_point[0];
    p->wide = {static_cast<double>(range.lo - zero), static_cast<double>(range.hi - zero), zero};
  }
  p->scale_out = out.quant.scale[0];
  return OkStatus();
}

Status SetInput(const PrepareContext& ctx, QuantizeParams* p) {
  const View& in = ctx.in[0];
  if (in.type == DType::kFloat32) return OkStatus();
  WHIT_RETURN_IF_ERROR(ctx.ExpectPerTensorQuant("the input", in));
  p->zero_in = in.quant.zero_point[0];
  // Small types: keep the difference inside int32.
  if (in.type != DType::kInt32 && (p->zero_in < -65536 || p->zero_in > 65536)) {
    return ctx.Error(StatusCode::kInvalidModel, "the input's zero point " +
                                                    std::to_string(p->zero_in) + " is outside " +
                                                    DTypeName(in.type));
  }
  p->wide_multiplier = static_cast<double>(in.quant.scale[0]) / static_cast<double>(p->scale_out);
  WHIT_ASSIGN_OR_RETURN(p->multiplier, MakeMultiplier(ctx, "s_in / s_out", p->wide_multiplier));
  return OkStatus();
}

// ---- Dequantize ----

template <typename In>
KernelCode RunDequantize(const RunContext& ctx) {
  const auto& p = ctx.As<DequantizeParams>();
  const In* in = ctx.in[0].as<In>();
  float* out = ctx.out[0].mut<float>();
  const float lo = p.lo, hi = p.hi;
  const int64_t channels = static_cast<int64_t>(p.scale.size());
  for (int64_t i = ctx.tasks.begin; i < ctx.tasks.end;) {
    // One channel's run: up to the end of its row, or everything where there is one scale.
    const int64_t stop =
        channels == 1 ? ctx.tasks.end : std::min(ctx.tasks.end, (i / p.inner + 1) * p.inner);
    const size_t c = static_cast<size_t>(i / p.inner % channels);
    const float scale = p.scale[c];
    const int64_t zero = p.zero_point[c];
    if constexpr (sizeof(In) < sizeof(int32_t)) {
      const int32_t small_zero = static_cast<int32_t>(zero);
      WHIT_INDEPENDENT
      for (int64_t k = i; k < stop; ++k) {
        out[k] = ClampKeepNan(static_cast<float>(in[k] - small_zero) * scale, lo, hi);
      }
    } else {
      WHIT_INDEPENDENT
      for (int64_t k = i; k < stop; ++k) {
        out[k] = ClampKeepNan(static_cast<float>(in[k] - zero) * scale, lo, hi);
      }
    }
    i = stop;
  }
  return KernelCode::kOk;
}

KernelCode RunDequantizeHalf(const RunContext& ctx) {
  const auto& p = ctx.As<DequantizeParams>();
  const uint16_t* in = ctx.in[0].as<uint16_t>();
  float* out = ctx.out[0].mut<float>();
  for (int64_t i = ctx.tasks.begin; i < ctx.tasks.end; ++i) {
    out[i] = ClampKeepNan(FloatFromHalf(in[i]), p.lo, p.hi);
  }
  return KernelCode::kOk;
}

KernelFn PickDequantize(DType in) {
  switch (in) {
    case DType::kInt8:
      return &RunDequantize<int8_t>;
    case DType::kUint8:
      return &RunDequantize<uint8_t>;
    case DType::kInt16:
      return &RunDequantize<int16_t>;
    case DType::kInt32:
      return &RunDequantize<int32_t>;
    default:
      return &RunDequantizeHalf;
  }
}

// Scales and zero points of the input, per tensor or per axis.
Status SetScales(const PrepareContext& ctx, DequantizeParams* p) {
  const View& in = ctx.in[0];
  const Quant& q = in.quant;
  if (q.scale.empty() || q.scale.size() != q.zero_point.size()) {
    return ctx.Error(StatusCode::kInvalidModel,
                     "the input has " + std::to_string(q.scale.size()) + " scales and " +
                         std::to_string(q.zero_point.size()) + " zero points");
  }
  if (q.scale.size() > 1) {
    if (q.axis < 0 || q.axis >= in.shape.rank() ||
        in.shape[q.axis] != static_cast<int64_t>(q.scale.size())) {
      return ctx.Error(StatusCode::kInvalidModel,
                       std::to_string(q.scale.size()) + " scales do not fit axis " +
                           std::to_string(q.axis) + " of " + in.shape.ToString());
    }
    p->inner = in.shape.Product(q.axis + 1, in.shape.rank());
  }
  for (size_t i = 0; i < q.scale.size(); ++i) {
    if (!std::isfinite(q.scale[i]) ||
        (in.type != DType::kInt32 && std::abs(int64_t{q.zero_point[i]}) > 65536)) {
      return ctx.Error(StatusCode::kInvalidModel,
                       "scale " + std::to_string(q.scale[i]) + " or zero point " +
                           std::to_string(q.zero_point[i]) + " of the input is out of range");
    }
    p->scale.push_back(q.scale[i]);
    p->zero_point.push_back(q.zero_point[i]);
  }
  return OkStatus();
}

Status PrepareShapes(const PrepareContext& ctx, Prepared* out) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(0, ctx.in[0].shape));
  out->tasks = ctx.out[0].elements();
  out->macs = out->tasks;
  return OkStatus();
}

}  // namespace

Status PrepareQuantize(const PrepareContext& ctx, Prepared* out) {
  WHIT_RETURN_IF_ERROR(PrepareShapes(ctx, out));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::QuantizeOptions>(ctx));
  WHIT_RETURN_IF_ERROR(
      ctx.ExpectType("the input", ctx.in[0].type,
                     {DType::kFloat32, DType::kInt8, DType::kUint8, DType::kInt16, DType::kInt32}));
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("the output", ctx.out[0].type,
                                      {DType::kInt8, DType::kUint8, DType::kInt16, DType::kInt32}));
  QuantizeParams p;
  WHIT_RETURN_IF_ERROR(SetOutput(ctx, options->lo(), options->hi(), &p));
  WHIT_RETURN_IF_ERROR(SetInput(ctx, &p));
  out->run = PickQuantize(ctx.in[0].type, ctx.out[0].type);
  out->in_place = ctx.in[0].type == ctx.out[0].type;
  out->SetParams(p);
  return OkStatus();
}

Status PrepareDequantize(const PrepareContext& ctx, Prepared* out) {
  WHIT_RETURN_IF_ERROR(PrepareShapes(ctx, out));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::QuantizeOptions>(ctx));
  WHIT_RETURN_IF_ERROR(
      ctx.ExpectType("the input", ctx.in[0].type,
                     {DType::kInt8, DType::kUint8, DType::kInt16, DType::kInt32, DType::kFloat16}));
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("the output", ctx.out[0].type, {DType::kFloat32}));
  WHIT_RETURN_IF_ERROR(CheckClamp(ctx, options->lo(), options->hi()));
  DequantizeParams p;
  p.lo = options->lo();
  p.hi = options->hi();
  if (ctx.in[0].type != DType::kFloat16) WHIT_RETURN_IF_ERROR(SetScales(ctx, &p));
  out->run = PickDequantize(ctx.in[0].type);
  out->SetParams(p);
  return OkStatus();
}

const char* const kTypesQuantize = "float32 int8 uint8 int16 int32";
const char* const kTypesDequantize = "int8 uint8 int16 int32 float16";

}  // namespace whit
