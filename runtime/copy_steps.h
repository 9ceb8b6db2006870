// Steps that the plan itself adds: copies and the shift between int8 and uint8 storage of one
// quantized tensor.
#ifndef WHIT_RUNTIME_COPY_STEPS_H_
#define WHIT_RUNTIME_COPY_STEPS_H_

#include <cstddef>

#include "kernels/op.h"

namespace whit {

/// Copies `bytes` bytes from in[0] to out[0].
Prepared PrepareCopy(size_t bytes);

/// out = in ^ 0x80 for each of `bytes` bytes: q8 + 128 as uint8, or back (arithmetic.md 1).
Prepared PrepareRebias(size_t bytes);

}  // namespace whit

#endif  // WHIT_RUNTIME_COPY_STEPS_H_
