#include "kernels/xnnpack/xnnpack.h"

namespace whit {

std::span<const Implementation> XnnpackAlternatives(OpType) { return {}; }

}  // namespace whit
