// 3x3 convolution with float32 weights by Winograd's F(2x2, 3x3) on the SIMD tiers.
#ifndef WHIT_KERNELS_SIMD_WINOGRAD_F32_H_
#define WHIT_KERNELS_SIMD_WINOGRAD_F32_H_

#include <string>

#include "kernels/op.h"

namespace whit {

/// Implementation "winograd_f32" of Conv2D. Nothing outlives a run: weights are transformed into
/// scratch each time, which pays from a dozen tiles on.
Status PrepareWinogradF32(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                          std::string* why_not);

}  // namespace whit

#endif  // WHIT_KERNELS_SIMD_WINOGRAD_F32_H_
