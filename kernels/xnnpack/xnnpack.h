// XNNPACK as an implementation of float operators, through its subgraph API: one operator is a
// subgraph of one node. Never of integer operators: its bytes differ from ours between CPUs
// (docs/arithmetic.md).
#ifndef WHIT_KERNELS_XNNPACK_XNNPACK_H_
#define WHIT_KERNELS_XNNPACK_XNNPACK_H_

#include <span>

#include "kernels/op.h"

namespace whit {

/// Empty for operators that XNNPACK does not serve.
std::span<const Implementation> XnnpackAlternatives(OpType type);

}  // namespace whit

#endif  // WHIT_KERNELS_XNNPACK_XNNPACK_H_
