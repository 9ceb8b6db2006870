// A file of weights cut and changed in every place: an error or a list of tensors, never more.
#ifndef WHIT_TESTS_WEIGHTS_DAMAGED_H_
#define WHIT_TESTS_WEIGHTS_DAMAGED_H_

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tools/import/weights/weights.h"

namespace whit::tools {

/// Limits under which a small file of a test cannot ask for much.
inline WeightLimits SmallLimits() {
  WeightLimits limits;
  limits.tensor_bytes = 1 << 24;
  return limits;
}

/// Opens and reads every tensor; how many could be read. A refusal must say something.
inline size_t ReadEverything(std::span<const std::byte> bytes, const std::string& path = "test") {
  const auto file = OpenWeightBytes(bytes, path, SmallLimits());
  if (!file.ok()) {
    EXPECT_FALSE(file.status().message().empty());
    return 0;
  }
  std::vector<std::byte> scratch;
  size_t read = 0;
  for (size_t i = 0; i < (*file)->tensors().size(); ++i) {
    const auto data = (*file)->Read(i, &scratch);
    if (!data.ok()) {
      EXPECT_FALSE(data.status().message().empty());
      continue;
    }
    EXPECT_EQ(data->size(), (*file)->tensors()[i].bytes());
    ++read;
  }
  return read;
}

/// Cuts the file at every position, and changes each byte to 0, 255 and a few random values. Bytes
/// are copied to memory of exactly their size, so that the sanitizers see a step too far.
inline void ReadDamaged(const std::vector<std::byte>& bytes) {
  for (size_t size = 0; size < bytes.size(); ++size) {
    SCOPED_TRACE("cut at " + std::to_string(size));
    ReadEverything(std::vector<std::byte>(bytes.begin(), bytes.begin() + static_cast<long>(size)));
  }
  std::mt19937 random(5);
  std::vector<std::byte> changed = bytes;
  for (size_t i = 0; i < bytes.size(); ++i) {
    SCOPED_TRACE("byte " + std::to_string(i));
    for (const int value : {0, 255, static_cast<int>(random() % 256),
                            ~std::to_integer<int>(bytes[i]), std::to_integer<int>(bytes[i]) + 1}) {
      changed[i] = static_cast<std::byte>(value);
      ReadEverything(changed);
    }
    changed[i] = bytes[i];
  }
}

}  // namespace whit::tools

#endif  // WHIT_TESTS_WEIGHTS_DAMAGED_H_
