// Pools, reductions over whole pixels and bilinear resizing in registers of channels.
#ifndef WHIT_KERNELS_SIMD_VECTOR_WINDOW_H_
#define WHIT_KERNELS_SIMD_VECTOR_WINDOW_H_

#include <string>

#include "kernels/op.h"

namespace whit {

/// AveragePool2D and MaxPool2D of 8 bits and floats.
Status PrepareVectorPool(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                         std::string* why_not);
/// Mean, Sum, ReduceMax and ReduceMin of 8 bits and floats over axes that lie together.
Status PrepareVectorReduce(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                           std::string* why_not);
/// ResizeBilinear of 8 bits and floats.
Status PrepareVectorResize(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                           std::string* why_not);

}  // namespace whit

#endif  // WHIT_KERNELS_SIMD_VECTOR_WINDOW_H_
