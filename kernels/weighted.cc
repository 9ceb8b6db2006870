#include "kernels/weighted.h"

#include <algorithm>
#include <cmath>

#include "kernels/pack.h"

namespace whit {
namespace {

bool Is8Bit(DType t) { return t == DType::kInt8 || t == DType::kUint8; }

template <typename T>
Result<const uint8_t*> BiasBytes(const PrepareContext& ctx, int index, int64_t n) {
  WHIT_ASSIGN_OR_RETURN(const T* bias, ctx.Blob<T>(index, n, "bias", /*optional=*/true));
  return reinterpret_cast<const uint8_t*>(bias);
}

/// Requantized channels of one width, so that the compiler sees a constant trip count for whole
/// panels.
template <typename T, typename Acc>
void StoreRequantized(const ChannelOutput& o, int64_t n, int64_t count, const Acc* acc, T* dst) {
  const float* m = o.multiplier + n;
  const Requant r = o.requant;
  const auto one = [&](int64_t c) {
    if constexpr (sizeof(Acc) == 8) {
      return static_cast<T>(Requantize64(acc[c], m[c], r));
    } else {
      return static_cast<T>(Requantize(acc[c], m[c], r));
    }
  };
  if (count == 16) {
    for (int c = 0; c < 16; ++c) dst[c] = one(c);
  } else {
    for (int64_t c = 0; c < count; ++c) dst[c] = one(c);
  }
}

template <typename Acc>
void StoreInteger(const ChannelOutput& o, int64_t n, int64_t count, const Acc* acc, uint8_t* dst) {
  if (o.element_bytes == 1) return StoreRequantized(o, n, count, acc, dst);
  StoreRequantized(o, n, count, acc, reinterpret_cast<int16_t*>(dst));
}

}  // namespace

Result<ProductKind> KindOf(const PrepareContext& ctx, const PackedWeights& weights) {
  const DType x = ctx.in[0].type, y = ctx.out[0].type;
  if (x == DType::kFloat32 && y == DType::kFloat32) {
    return weights.is_float() ? ProductKind::kFloat : ProductKind::kHybrid;
  }
  if (!weights.is_float() && Is8Bit(x) && (y == x || y == DType::kInt16)) return ProductKind::kInt8;
  if (!weights.is_float() && x == DType::kInt16 && y == x) return ProductKind::kInt16;
  return ctx.Error(StatusCode::kUnsupported, std::string("not implemented for ") + DTypeName(x) +
                                                 " input, " +
                                                 (weights.is_float() ? "float32" : "int8") +
                                                 " weights and " + DTypeName(y) + " output");
}

Status CheckWeights(const PrepareContext& ctx, const PackedWeights& weights,
                    PackedWeights::Layout integers, PackedWeights::Layout floats) {
  const std::string name = "weights '" + weights.name + "': ";
  if (weights.layout != integers && weights.layout != floats) {
    return ctx.Error(StatusCode::kInvalidModel,
                     name + "layout " + std::to_string(static_cast<int>(weights.layout)) +
                         " where the operator reads " + std::to_string(static_cast<int>(integers)) +
                         " or " + std::to_string(static_cast<int>(floats)));
  }
  const WeightDims d = DimsOf(weights);
  if (const char* why = WeightDimsError(d)) {
    return ctx.Error(StatusCode::kInvalidModel, name + why);
  }
  const auto want = static_cast<size_t>(WeightDataBytes(d));
  if (weights.data == nullptr || weights.data_bytes != want) {
    return ctx.Error(StatusCode::kInvalidModel, name + std::to_string(want) +
                                                    " bytes expected, the file has " +
                                                    std::to_string(weights.data_bytes));
  }
  if (weights.zero_point < -128 || weights.zero_point > 127) {
    return ctx.Error(StatusCode::kInvalidModel,
                     name + "zero point " + std::to_string(weights.zero_point) + " is not an int8");
  }
  // int16 activations have int64 accumulators.
  const bool int32_sums = !weights.is_float() && ctx.in[0].type != DType::kInt16;
  if (int32_sums && !AccumulatorFits(d.k(), 0, weights.zero_point != 0)) {
    return ctx.Error(StatusCode::kUnsupported,
                     name + "a sum of " + std::to_string(d.k()) +
                         " products can exceed 2^31; at most " +
                         std::to_string(weights.zero_point != 0 ? 33025 : 65793) + " are possible");
  }
  return OkStatus();
}

Result<InputCode> ReadInputCode(const PrepareContext& ctx, size_t input) {
  const View& v = ctx.in[input];
  if (v.type == DType::kFloat32) return InputCode{};
  const std::string name = "input " + std::to_string(input);
  WHIT_RETURN_IF_ERROR(ctx.ExpectPerTensorQuant(name.c_str(), v));
  InputCode code;
  const int64_t shift = v.type == DType::kUint8 ? 128 : 0;
  const int64_t zero_point = int64_t{v.quant.zero_point[0]} - shift;
  const int64_t lo = Is8Bit(v.type) ? -128 : 0, hi = Is8Bit(v.type) ? 127 : 0;
  if (zero_point < lo || zero_point > hi) {
    return ctx.Error(StatusCode::kInvalidModel,
                     name + ": zero point " + std::to_string(zero_point + shift) +
                         " is not possible for " + DTypeName(v.type) + " here");
  }
  code.flip = shift != 0 ? 0x80 : 0;
  code.zero_point = static_cast<int32_t>(zero_point);
  return code;
}

Result<ChannelOutput> ReadChannelOutput(const PrepareContext& ctx, ProductKind kind,
                                        const PackedWeights& weights, int bias, int multiplier,
                                        float lo, float hi) {
  ChannelOutput o;
  o.kind = kind;
  o.element_bytes = DTypeSize(ctx.out[0].type);
  o.lo = lo;
  o.hi = hi;
  if (!weights.is_float()) o.weight_zero_point = weights.zero_point;
  auto bytes = kind == ProductKind::kInt8    ? BiasBytes<int32_t>(ctx, bias, weights.n)
               : kind == ProductKind::kInt16 ? BiasBytes<int64_t>(ctx, bias, weights.n)
                                             : BiasBytes<float>(ctx, bias, weights.n);
  WHIT_ASSIGN_OR_RETURN(o.bias, std::move(bytes));
  if (kind == ProductKind::kFloat) return o;
  WHIT_ASSIGN_OR_RETURN(o.multiplier, ctx.Blob<float>(multiplier, weights.n, "multiplier"));
  if (kind == ProductKind::kHybrid) return o;
  WHIT_ASSIGN_OR_RETURN(o.requant, MakeRequant(ctx, ctx.out[0], lo, hi));
  return o;
}

MultiplierRange RangeOfMultipliers(const float* multiplier, int64_t n) {
  const auto all = [&](float least, float most) {
    return std::all_of(multiplier, multiplier + n, [=](float m) { return m > least && m < most; });
  };
  if (all(-1.0f, 1.0f)) return MultiplierRange::kSmall;
  return all(0.0f, INFINITY) ? MultiplierRange::kLarge : MultiplierRange::kInvalid;
}

int64_t SaturatingProduct(int64_t a, int64_t b, int64_t c) {
  int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product) || __builtin_mul_overflow(product, c, &product)) {
    return INT64_MAX;
  }
  return product;
}

void FinishChannels(const ChannelOutput& o, int64_t n, int64_t count, float row_scale,
                    const int32_t* acc, uint8_t* dst) {
  if (o.kind != ProductKind::kHybrid) return StoreInteger(o, n, count, acc, dst);
  auto* y = reinterpret_cast<float*>(dst);
  for (int64_t c = 0; c < count; ++c) {
    const float bias = o.bias != nullptr ? LoadAt<float>(o.bias, n + c) : 0.0f;
    const float scale = row_scale * o.multiplier[n + c];
    y[c] = ClampOrNan(static_cast<float>(acc[c]) * scale + bias, o.lo, o.hi);
  }
}

void FinishChannels(const ChannelOutput& o, int64_t n, int64_t count, float /*row_scale*/,
                    const int64_t* acc, uint8_t* dst) {
  StoreInteger(o, n, count, acc, dst);
}

void FinishChannels(const ChannelOutput& o, int64_t /*n*/, int64_t count, float /*row_scale*/,
                    const float* acc, uint8_t* dst) {
  auto* y = reinterpret_cast<float*>(dst);
  for (int64_t c = 0; c < count; ++c) y[c] = ClampOrNan(acc[c], o.lo, o.hi);
}

}  // namespace whit
