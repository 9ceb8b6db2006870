// What the recurrent operators share: packed matrices that meet one row at a time, float rows that
// are quantized on the way for int8 weights, and arrays carved from the step's scratch.
#ifndef WHIT_KERNELS_RECURRENT_H_
#define WHIT_KERNELS_RECURRENT_H_

#include <algorithm>
#include <cstdint>
#include <span>

#include "kernels/op.h"
#include "kernels/product.h"
#include "schema/layout_size.h"

namespace whit {
namespace simd {
struct F32Kernels;
}

/// Weights [n][k] in panel16 order, symmetric; borrowed from the mapping.
struct PackedMatrix {
  const uint8_t* data = nullptr;  // null: absent
  WeightDims dims;
  bool is_float = false;
  std::span<const float> scale;              // int8: [1] or [n]
  WideProductFn wide = nullptr;              // of the tier that multiplies int8 weights
  const simd::F32Kernels* floats = nullptr;  // of the tier that multiplies float weights

  bool present() const { return data != nullptr; }
  float scale_of(int64_t n) const { return scale[scale.size() == 1 ? 0 : static_cast<size_t>(n)]; }
};

/// Weights `index` of the model as an [n][k] matrix, or absent where index is -1. Checks layout,
/// sizes, one group and run, zero point 0 and, for int8, that sums fit 32 bits.
Result<PackedMatrix> ReadMatrix(const PrepareContext& ctx, int index, const char* what, int64_t n,
                                int64_t k);

/// sums[n] = bias[n] + row . weights[n] for every channel, modulo 2^32. `row` is widened
/// (product.h); a null bias is 0; sums have room for whole panels of 16.
inline void MultiplyI8(const PackedMatrix& m, const int16_t* row, const int32_t* bias,
                       int32_t* sums) {
  const int64_t n = m.dims.n, steps = m.dims.steps();
  if (bias != nullptr) {
    std::copy_n(bias, n, sums);
  } else {
    std::fill_n(sums, n, 0);
  }
  for (int64_t at = 0; at < n; at += 16) {
    AddPanelI8(m.wide, row, 0, 1, reinterpret_cast<const int8_t*>(m.data) + 4 * at * steps,
               m.dims.panel_width(at / 16), steps, reinterpret_cast<int32_t(*)[16]>(sums + at));
  }
}

/// Calls f(channel, bias[channel] + row . weights[channel]) for every channel, modulo 2^32. `row`
/// is widened (product.h); a null bias is 0.
template <typename F>
void MultiplyI8(const PackedMatrix& m, const int16_t* row, const int32_t* bias, F&& f) {
  const int64_t steps = m.dims.steps();
  for (int64_t n = 0; n < m.dims.n; n += 16) {
    const int64_t count = std::min<int64_t>(16, m.dims.n - n);
    int32_t acc[1][16] = {};
    if (bias != nullptr) std::copy_n(bias + n, count, acc[0]);
    AddPanelI8(m.wide, row, 0, 1, reinterpret_cast<const int8_t*>(m.data) + 4 * n * steps,
               m.dims.panel_width(n / 16), steps, acc);
    for (int64_t c = 0; c < count; ++c) f(n + c, acc[0][c]);
  }
}

/// A row of floats as a matrix meets it: itself, and for int8 weights also quantized.
struct FloatRow {
  const float* values = nullptr;
  const int16_t* widened = nullptr;
  float scale = 1;
};

/// How float rows are quantized for int8 weights (docs/arithmetic.md, Recurrent).
enum class RowCode : uint8_t { kFloat, kSymmetric, kAsymmetric };

/// `widened` holds WidenedLength(k) elements; untouched for kFloat.
FloatRow MakeFloatRow(const float* values, int64_t k, RowCode code, int16_t* widened);

/// out[n] += row . weights[n]. REQUIRES room for whole panels of 16 behind out, in scratch of its
/// own; or that no tier is used for a number of channels that is no multiple of 16.
void AddProduct(const PackedMatrix& m, const FloatRow& row, float* out);

/// Hands out 64-aligned arrays of a step's scratch; without a base it only counts the bytes.
class ScratchCursor {
 public:
  explicit ScratchCursor(uint8_t* base = nullptr) : base_(base) {}
  template <typename T>
  T* Take(int64_t elements) {
    uint8_t* at = base_ == nullptr ? nullptr : base_ + bytes_;
    bytes_ += static_cast<size_t>(RoundUp64(elements * static_cast<int64_t>(sizeof(T))));
    return reinterpret_cast<T*>(at);
  }
  size_t bytes() const { return bytes_; }

 private:
  uint8_t* base_;
  size_t bytes_ = 0;
};

/// Value / 2^shift rounded to nearest, halves away from zero. REQUIRES 0 <= shift <= 30.
inline int32_t RoundingShift(int32_t value, int shift) {
  const int64_t half = shift == 0 ? 0 : int64_t{1} << (shift - 1);
  const int64_t magnitude = value < 0 ? -int64_t{value} : int64_t{value};
  const auto rounded = static_cast<int32_t>((magnitude + half) >> shift);
  return value < 0 ? -rounded : rounded;
}

/// The same of |value| < 2^31 and shift >= 1, which vectorizes.
inline int32_t RoundingShiftSmall(int32_t value, int shift) {
  const int32_t sign = value >> 31;
  const auto magnitude = static_cast<uint32_t>((value ^ sign) - sign);
  const auto rounded = static_cast<int32_t>((magnitude + (uint32_t{1} << (shift - 1))) >> shift);
  return (rounded ^ sign) - sign;
}

inline int16_t SaturateI16(int32_t value) {
  return static_cast<int16_t>(std::clamp<int32_t>(value, -32768, 32767));
}

/// The operators with the inner loops of a tier; null: portable code.
Status PrepareLstmOn(const PrepareContext& ctx, const simd::Tier* tier, Prepared* prepared);
Status PrepareSvdfOn(const PrepareContext& ctx, const simd::Tier* tier, Prepared* prepared);

/// Lets products of `m` run on the tier (null: portable code).
void UseTier(const simd::Tier* tier, PackedMatrix* m);

/// A state of a recurrent operator: input `i` must be a variable of the given shape.
Status ExpectState(const PrepareContext& ctx, size_t i, const char* what, const Shape& want);

/// A multiplier stored in the options: finite and > 0.
Status ExpectMultiplier(const PrepareContext& ctx, const char* what, float m);

}  // namespace whit

#endif  // WHIT_KERNELS_RECURRENT_H_
