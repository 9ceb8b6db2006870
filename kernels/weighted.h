// What every operator with packed weights shares: which kind of arithmetic its types ask for, the
// checks of weights, bias and multiplier, and how an accumulator becomes an output
// (docs/arithmetic.md, 2 and 3).
#ifndef WHIT_KERNELS_WEIGHTED_H_
#define WHIT_KERNELS_WEIGHTED_H_

#include <cstdint>
#include <cstring>

#include "kernels/op.h"
#include "kernels/requantize.h"

namespace whit {

enum class ProductKind : uint8_t {
  kInt8,    // 8-bit activations, int8 weights, int32 accumulator
  kInt16,   // int16 activations, int8 weights, int64 accumulator
  kFloat,   // float activations and weights
  kHybrid,  // float activations quantized on the way, int8 weights
};

/// How 8-bit activations are stored, and the zero point in canonical int8 units (0 for int16).
struct InputCode {
  uint8_t flip = 0;  // canonical int8 = stored ^ flip
  int32_t zero_point = 0;
  uint8_t stored_zero_point() const { return static_cast<uint8_t>(zero_point) ^ flip; }
};

/// From accumulators to stored outputs, per output channel.
struct ChannelOutput {
  ProductKind kind = ProductKind::kInt8;
  const uint8_t* bias = nullptr;      // int32, int64 (kInt16) or float; 4-aligned; null: 0
  const float* multiplier = nullptr;  // requantization, or weight scale (kHybrid)
  int32_t weight_zero_point = 0;
  Requant requant;       // integers
  float lo = 0, hi = 0;  // floats
  size_t element_bytes = 1;
};

/// Of input 0, output 0 and the weights; kUnsupported for any other combination of types.
Result<ProductKind> KindOf(const PrepareContext& ctx, const PackedWeights& weights);

/// Sizes, layout (one of the two, by element type), and the bound on K. The reader has checked the
/// same against the file; kernels check again what their addresses depend on.
Status CheckWeights(const PrepareContext& ctx, const PackedWeights& weights,
                    PackedWeights::Layout integers, PackedWeights::Layout floats);

/// Of an input by its type: one scale and a zero point that the type can hold (int16: 0 only); the
/// default for floats.
Result<InputCode> ReadInputCode(const PrepareContext& ctx, size_t input);

/// `bias` and `multiplier` are blob indices of the option table, -1 where absent.
Result<ChannelOutput> ReadChannelOutput(const PrepareContext& ctx, ProductKind kind,
                                        const PackedWeights& weights, int bias, int multiplier,
                                        float lo, float hi);

/// kSmall: all of `n` multipliers are below 1, so no accumulator times one of them reaches 2^31.
/// kLarge: all are positive and finite. kInvalid: the rest, which only a damaged file holds.
enum class MultiplierRange : uint8_t { kSmall, kLarge, kInvalid };
MultiplierRange RangeOfMultipliers(const float* multiplier, int64_t n);

/// a * b * c, at most INT64_MAX. REQUIRES all >= 0.
int64_t SaturatingProduct(int64_t a, int64_t b, int64_t c);

/// min(max(x, lo), hi) that leaves NaN alone.
inline float ClampOrNan(float x, float lo, float hi) { return x < lo ? lo : x > hi ? hi : x; }

/// Element i of a 4-aligned array in the mapping.
template <typename T>
inline T LoadAt(const uint8_t* array, int64_t i) {
  T value;
  std::memcpy(&value, array + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

// Start values of 16 accumulators of channels n .. n+count-1: the bias, 0 behind `count` and for
// kHybrid.
inline void StartChannels(const ChannelOutput& o, int64_t n, int64_t count, int32_t* acc) {
  const bool has_bias = o.kind == ProductKind::kInt8 && o.bias != nullptr;
  for (int64_t c = 0; c < 16; ++c) {
    acc[c] = has_bias && c < count ? LoadAt<int32_t>(o.bias, n + c) : 0;
  }
}
inline void StartChannels(const ChannelOutput& o, int64_t n, int64_t count, int64_t* acc) {
  for (int64_t c = 0; c < 16; ++c) {
    acc[c] = o.bias != nullptr && c < count ? LoadAt<int64_t>(o.bias, n + c) : 0;
  }
}
inline void StartChannels(const ChannelOutput& o, int64_t n, int64_t count, float* acc) {
  for (int64_t c = 0; c < 16; ++c) {
    acc[c] = o.bias != nullptr && c < count ? LoadAt<float>(o.bias, n + c) : 0.0f;
  }
}

// acc -= zw * (sum of the row's activations), modulo the accumulator's width.
inline void SubtractRowSum(const ChannelOutput& o, int64_t row_sum, int32_t* acc) {
  const auto minus = static_cast<uint32_t>(o.weight_zero_point * row_sum);
  for (int c = 0; c < 16; ++c) acc[c] = static_cast<int32_t>(static_cast<uint32_t>(acc[c]) - minus);
}
inline void SubtractRowSum(const ChannelOutput& o, int64_t row_sum, int64_t* acc) {
  const auto minus = static_cast<uint64_t>(o.weight_zero_point * row_sum);
  for (int c = 0; c < 16; ++c) acc[c] = static_cast<int64_t>(static_cast<uint64_t>(acc[c]) - minus);
}
inline void SubtractRowSum(const ChannelOutput&, int64_t /*row_sum*/, float* /*acc*/) {}

// Stores channels n .. n+count-1 of one output row or pixel; `dst` is where channel n goes.
void FinishChannels(const ChannelOutput& o, int64_t n, int64_t count, float row_scale,
                    const int32_t* acc, uint8_t* dst);
void FinishChannels(const ChannelOutput& o, int64_t n, int64_t count, float row_scale,
                    const int64_t* acc, uint8_t* dst);
void FinishChannels(const ChannelOutput& o, int64_t n, int64_t count, float row_scale,
                    const float* acc, uint8_t* dst);

}  // namespace whit

#endif  // WHIT_KERNELS_WEIGHTED_H_
