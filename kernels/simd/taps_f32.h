// Depthwise convolution with float32 weights on the SIMD tiers.
#ifndef WHIT_KERNELS_SIMD_TAPS_F32_H_
#define WHIT_KERNELS_SIMD_TAPS_F32_H_

#include <string>

#include "kernels/op.h"

namespace whit {

/// Implementation "taps_f32" of DepthwiseConv2D: floats times dw16_f32.
Status PrepareTapsF32(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                      std::string* why_not);

}  // namespace whit

#endif  // WHIT_KERNELS_SIMD_TAPS_F32_H_
