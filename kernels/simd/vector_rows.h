// Softmax, norms of rows, and where extremes lie.
#ifndef WHIT_KERNELS_SIMD_VECTOR_ROWS_H_
#define WHIT_KERNELS_SIMD_VECTOR_ROWS_H_

#include <string>

#include "kernels/op.h"

namespace whit {

/// Softmax of 8 bits and floats.
Status PrepareVectorSoftmax(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                            std::string* why_not);
/// L2Normalization of 8 bits and floats.
Status PrepareVectorL2Norm(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                           std::string* why_not);
/// ArgMax and ArgMin of 8 bits.
Status PrepareVectorArg(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                        std::string* why_not);

}  // namespace whit

#endif  // WHIT_KERNELS_SIMD_VECTOR_ROWS_H_
