// Naive N-d access for the definitions that layout and reduction operators are tested against.
#ifndef WHIT_TESTS_KERNELS_ND_H_
#define WHIT_TESTS_KERNELS_ND_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "kernels/tensor.h"

namespace whit {

using Index = std::vector<int64_t>;

/// Calls `visit` for every index of `shape` in row-major order.
inline void ForEachIndex(const Shape& shape, const std::function<void(const Index&)>& visit) {
  Index at(static_cast<size_t>(shape.rank()), 0);
  for (int64_t n = shape.elements(); n > 0; --n) {
    visit(at);
    for (int a = shape.rank() - 1; a >= 0; --a) {
      if (++at[static_cast<size_t>(a)] < shape[a]) break;
      at[static_cast<size_t>(a)] = 0;
    }
  }
}

inline size_t Linear(const Shape& shape, const Index& at) {
  int64_t linear = 0;
  for (int a = 0; a < shape.rank(); ++a) linear = linear * shape[a] + at[static_cast<size_t>(a)];
  return static_cast<size_t>(linear);
}

/// The output of shape `out` whose element at an index is x at source(index).
template <typename T>
std::vector<T> Naive(const std::vector<T>& x, const Shape& in, const Shape& out,
                     const std::function<Index(const Index&)>& source) {
  std::vector<T> y;
  ForEachIndex(out, [&](const Index& at) { y.push_back(x[Linear(in, source(at))]); });
  return y;
}

/// Distinct values as far as T allows: 1, 2, 3, ...
template <typename T>
std::vector<T> Counting(const Shape& shape) {
  std::vector<T> values;
  for (int64_t i = 0; i < shape.elements(); ++i) values.push_back(static_cast<T>(i + 1));
  return values;
}

/// Reproducible numbers in [lo, hi], the same on every platform.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 2 + 1) {}
  int64_t Int(int64_t lo, int64_t hi) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return lo + static_cast<int64_t>((state_ >> 33) % static_cast<uint64_t>(hi - lo + 1));
  }
  template <typename T>
  std::vector<T> Values(int64_t count, int64_t lo, int64_t hi) {
    std::vector<T> values;
    for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<T>(Int(lo, hi)));
    return values;
  }
  /// In [-1, 1], multiples of 2^-20.
  std::vector<float> Floats(int64_t count) {
    std::vector<float> values;
    for (int64_t i = 0; i < count; ++i) {
      values.push_back(static_cast<float>(Int(-(1 << 20), 1 << 20)) / (1 << 20));
    }
    return values;
  }

 private:
  uint64_t state_;
};

}  // namespace whit

#endif  // WHIT_TESTS_KERNELS_ND_H_
