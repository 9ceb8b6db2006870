// Depthwise convolution with int8 weights on the SIMD tiers.
#ifndef WHIT_KERNELS_SIMD_COLUMN_DEPTHWISE_H_
#define WHIT_KERNELS_SIMD_COLUMN_DEPTHWISE_H_

#include <string>

#include "kernels/op.h"

namespace whit {

/// Implementation "columns" of DepthwiseConv2D: 8-bit activations times dw16_i8.
Status PrepareColumnDepthwise(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                              std::string* why_not);

}  // namespace whit

#endif  // WHIT_KERNELS_SIMD_COLUMN_DEPTHWISE_H_
