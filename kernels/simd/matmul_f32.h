// Batched products of two float activations on the SIMD tiers.
#ifndef WHIT_KERNELS_SIMD_MATMUL_F32_H_
#define WHIT_KERNELS_SIMD_MATMUL_F32_H_

#include <string>

#include "kernels/op.h"

namespace whit {

/// Implementation "panel_f32" of BatchMatMul: some panels of one side are packed into scratch and
/// meet every row of the other.
Status PrepareMatMulF32(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                        std::string* why_not);

}  // namespace whit

#endif  // WHIT_KERNELS_SIMD_MATMUL_F32_H_
