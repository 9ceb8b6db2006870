#include "kernels/simd/tiers.h"

namespace whit::simd {

const char* FirstWrongKernel(const Kernels&, int32_t) { return nullptr; }

}  // namespace whit::simd
