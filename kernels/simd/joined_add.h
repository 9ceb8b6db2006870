// The Add that joins a float product (PrepareContext::joined_add).
#ifndef WHIT_KERNELS_SIMD_JOINED_ADD_H_
#define WHIT_KERNELS_SIMD_JOINED_ADD_H_

#include "kernels/op.h"

namespace whit {

struct JoinedAddF32 {
  bool joins = false;
  float lo = 0, hi = 0;  // clamp of the sum
};

/// Takes a joined Add over, if there is one. REQUIRES prepared->strided_out to be set.
Status JoinFloatAdd(const PrepareContext& ctx, JoinedAddF32* add, Prepared* prepared);

}  // namespace whit

#endif  // WHIT_KERNELS_SIMD_JOINED_ADD_H_
