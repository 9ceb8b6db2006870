// Operators that map stored integers of one quantization to another by a factor: pooling,
// reductions.
#ifndef WHIT_KERNELS_RESCALE_H_
#define WHIT_KERNELS_RESCALE_H_

#include "kernels/requantize.h"

namespace whit {

/// y = requantize(sum of (x - in_zero), m) with m = Multiplier(count).
struct Rescale {
  int32_t in_zero = 0;
  double ratio = 1;  // s_in / s_out
  Requant out;

  /// f32(s_in / s_out / count), formed in double; 1 divides by nothing.
  float Multiplier(int64_t count) const {
    return static_cast<float>(ratio / static_cast<double>(count));
  }
};

/// For int8, uint8 and int16 tensors. Both quantized per tensor, or both plain (then scale 1, zero
/// point 0, and no fused clamp). lo and hi as in MakeRequant.
Result<Rescale> MakeRescale(const PrepareContext& ctx, const View& in, const View& out, float lo,
                            float hi);

/// Section 2's rule by the type of the output: the product is formed in float for 8-bit outputs (a
/// sum beyond int32 is rounded to float once), in double for int16.
template <typename T>
int32_t RequantizeSum(int64_t acc, float multiplier, const Requant& r) {
  if constexpr (sizeof(T) == 1) return StoreRounded(static_cast<float>(acc) * multiplier, r);
  return Requantize64(acc, multiplier, r);
}

}  // namespace whit

#endif  // WHIT_KERNELS_RESCALE_H_
