// The kernel of every operator that is one strided copy of its first input: Reshape, Transpose,
// Slice, Tile, ...
#ifndef WHIT_KERNELS_COPY_OP_H_
#define WHIT_KERNELS_COPY_OP_H_

#include "kernels/op.h"
#include "kernels/strides.h"

namespace whit {

/// out[0], read in row-major order as an array of `dims`, is in[0] at element `base` plus index
/// times `strides`. Checks nothing: the caller proved that every offset lies inside the input.
void SetStridedCopy(const PrepareContext& ctx, std::span<const int64_t> dims,
                    std::span<const int64_t> strides, int64_t base, Prepared* p);

/// out[0] has the bytes of in[0].
void SetPlainCopy(const PrepareContext& ctx, Prepared* p);

}  // namespace whit

#endif  // WHIT_KERNELS_COPY_OP_H_
