// Seeded random tensors for operator tests, the same on every machine.
#ifndef WHIT_TESTS_KERNELS_RANDOM_H_
#define WHIT_TESTS_KERNELS_RANDOM_H_

#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "tests/kernels/nd.h"

namespace whit {

inline constexpr float kInf = std::numeric_limits<float>::infinity();
inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// n values: integers of [lo, hi], floats between them.
template <typename T>
std::vector<T> RandomValues(int64_t n, double lo, double hi, uint64_t seed) {
  Random random(seed);
  if constexpr (std::is_floating_point_v<T>) {
    std::vector<T> values = random.Floats(n);
    for (T& v : values) v = static_cast<T>(lo + (v + 1) / 2 * (hi - lo));
    return values;
  } else {
    return random.Values<T>(n, static_cast<int64_t>(lo), static_cast<int64_t>(hi));
  }
}

}  // namespace whit

#endif  // WHIT_TESTS_KERNELS_RANDOM_H_
