// Convolution and fully connected with int8 weights on the SIMD tiers.
#ifndef WHIT_KERNELS_SIMD_PANEL_CONV_H_
#define WHIT_KERNELS_SIMD_PANEL_CONV_H_

#include <string>

#include "kernels/op.h"

namespace whit {

/// Implementation "panel" of Conv2D and FullyConnected: 8-bit activations times panel16_i8.
Status PreparePanelConv(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                        std::string* why_not);

}  // namespace whit

#endif  // WHIT_KERNELS_SIMD_PANEL_CONV_H_
