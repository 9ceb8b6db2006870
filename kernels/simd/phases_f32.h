// Transposed convolution with float32 weights on the SIMD tiers.
#ifndef WHIT_KERNELS_SIMD_PHASES_F32_H_
#define WHIT_KERNELS_SIMD_PHASES_F32_H_

#include <string>

#include "kernels/op.h"

namespace whit {

/// Implementation "phases_f32" of TransposeConv2D: the outputs of a line that lie a stride apart
/// have the same taps, so they are a product of rows with some of the runs.
Status PreparePhasesF32(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                        std::string* why_not);

}  // namespace whit

#endif  // WHIT_KERNELS_SIMD_PHASES_F32_H_
