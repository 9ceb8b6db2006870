// Transpose in square tiles, where elements that are neighbours in the output are none in the
// input.
#ifndef WHIT_KERNELS_SIMD_VECTOR_TRANSPOSE_H_
#define WHIT_KERNELS_SIMD_VECTOR_TRANSPOSE_H_

#include <string>

#include "kernels/op.h"

namespace whit {

Status PrepareVectorTranspose(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                              std::string* why_not);

}  // namespace whit

#endif  // WHIT_KERNELS_SIMD_VECTOR_TRANSPOSE_H_
