// Constant arrays in another order of their axes.
#ifndef WHIT_TOOLS_IMPORT_PERMUTE_H_
#define WHIT_TOOLS_IMPORT_PERMUTE_H_

#include <span>
#include <vector>

#include "tools/import/scope.h"

namespace whit::tools {

/// The row-major array `values` of `shape`, elements of `size` bytes: axis i of the result is axis
/// perm[i] of the source. Charges the work of `l`. REQUIRES that perm is a permutation of the axes.
Result<Bytes> Permuted(Scope& l, std::span<const std::byte> values, const Shape& shape,
                       const std::vector<int>& perm, size_t size);

/// The shape that goes with it.
Shape Permuted(const Shape& shape, const std::vector<int>& perm);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_PERMUTE_H_
