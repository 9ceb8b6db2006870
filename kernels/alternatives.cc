// Implementations tried before the reference, best first: an ordered table an operator, printed by
// `whit ops`. The reference itself is the operator's row in ops.inc and stands last.
#include "kernels/op.h"

#if defined(WHIT_XNNPACK)
#include "kernels/xnnpack/xnnpack.h"
#endif

namespace whit {

std::span<const Implementation> AlternativesOf(OpType type) {
#if defined(WHIT_XNNPACK)
  return XnnpackAlternatives(type);
#else
  static_cast<void>(type);
  return {};
#endif
}

}  // namespace whit
