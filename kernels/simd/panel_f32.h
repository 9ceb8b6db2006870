// Convolution and fully connected with float32 weights on the SIMD tiers.
#ifndef WHIT_KERNELS_SIMD_PANEL_F32_H_
#define WHIT_KERNELS_SIMD_PANEL_F32_H_

#include <string>

#include "kernels/op.h"

namespace whit {

/// Implementation "panel_f32" of Conv2D and FullyConnected: floats times panel16_f32.
Status PreparePanelF32(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                       std::string* why_not);

}  // namespace whit

#endif  // WHIT_KERNELS_SIMD_PANEL_F32_H_
