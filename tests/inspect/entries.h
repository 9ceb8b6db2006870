// Tensors for the tests of what looks at them.
#ifndef WHIT_TESTS_INSPECT_ENTRIES_H_
#define WHIT_TESTS_INSPECT_ENTRIES_H_

#include <random>
#include <string>
#include <vector>

#include "tools/import/weights/weights.h"

namespace whit::tools {

inline TensorEntry Entry(std::vector<int64_t> shape, ElementType type = ElementType::kFloat32,
                         std::string name = "w") {
  TensorEntry entry;
  entry.name = std::move(name), entry.type = type, entry.shape = std::move(shape);
  return entry;
}

template <typename T>
std::span<const std::byte> BytesOf(const std::vector<T>& values) {
  return std::as_bytes(std::span<const T>(values));
}

/// Gaussian, deviation 1.
inline std::vector<float> RandomWeights(size_t n, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& v : values) v = normal(random);
  return values;
}

}  // namespace whit::tools

#endif  // WHIT_TESTS_INSPECT_ENTRIES_H_
