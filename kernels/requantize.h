// The one rule that turns a wide integer into a stored one (docs/arithmetic.md, 2). Every operator
// that requantizes uses these functions, so one file decides the bits.
#ifndef WHIT_KERNELS_REQUANTIZE_H_
#define WHIT_KERNELS_REQUANTIZE_H_

#include <bit>
#include <cfloat>
#include <cstdint>

#include "kernels/op.h"
#include "platform/status.h"

#if defined(__FAST_MATH__)
#error "whit's integers depend on IEEE float32 operations: build without -ffast-math"
#endif
static_assert(FLT_EVAL_METHOD == 0, "float32 operations must round to float32");

namespace whit {

/// Output side of a requantization. lo and hi are the clamp range less the zero point: integers of
/// at most 17 bits held in floats, lo <= hi.
struct Requant {
  float lo = 0, hi = 0;
  int32_t zero_point = 0;
};

/// Reads zero point and clamp of a quantized output: per-tensor quantization, a zero point inside
/// the type, lo and hi (canonical stored units) integers or infinite, and an interval that is not
/// empty. Integer outputs only.
Result<Requant> MakeRequant(const PrepareContext& ctx, const View& out, float lo, float hi);

/// min(max(x, lo), hi); NaN gives lo (as maxps does), so any multiplier a file may hold yields a
/// defined result.
inline float ClampFloat(float x, float lo, float hi) {
  x = x > lo ? x : lo;
  return x < hi ? x : hi;
}

/// Nearest integer, ties to even, of |x| < 2^22: adding 1.5 * 2^23 leaves no fraction bits, so the
/// addition itself rounds, in the current mode, which a run sets to nearest-even. Vectorizes on
/// every instruction set.
inline int32_t RoundSmall(float x) {
  constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23
  return std::bit_cast<int32_t>(x + kMagic) - std::bit_cast<int32_t>(kMagic);
}

/// A value that already is in units of the output's scale, less its zero point: clamp, round,
/// shift.
inline int32_t StoreRounded(float scaled, const Requant& r) {
  return r.zero_point + RoundSmall(ClampFloat(scaled, r.lo, r.hi));
}

/// z + rne(clamp(f32(acc) * m)) for int32 accumulators.
inline int32_t Requantize(int32_t acc, float multiplier, const Requant& r) {
  return StoreRounded(static_cast<float>(acc) * multiplier, r);
}

/// The same for int64 accumulators (int16 activations): the product is formed in double and rounded
/// once to float.
inline int32_t Requantize64(int64_t acc, float multiplier, const Requant& r) {
  return StoreRounded(
      static_cast<float>(static_cast<double>(acc) * static_cast<double>(multiplier)), r);
}

}  // namespace whit

#endif  // WHIT_KERNELS_REQUANTIZE_H_
