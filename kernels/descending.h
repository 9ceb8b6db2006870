// The order in which TopK and the detectors list scores.
#ifndef WHIT_KERNELS_DESCENDING_H_
#define WHIT_KERNELS_DESCENDING_H_

#include <cstdint>

namespace whit {

/// Whether value `a` at index_a is listed before `b` at index_b: greater first, NaN after every
/// number, equal values (and NaNs) by index. Total, so that results do not depend on the sorting
/// algorithm.
template <typename T>
bool ListedBefore(T a, int64_t index_a, T b, int64_t index_b) {
  const bool nan_a = a != a, nan_b = b != b;
  if (nan_a != nan_b) return nan_b;
  if (!nan_a && a != b) return a > b;
  return index_a < index_b;
}

}  // namespace whit

#endif  // WHIT_KERNELS_DESCENDING_H_
