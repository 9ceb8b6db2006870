#include "tools/inspect/perturbed_weights.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/inspect/entries.h"

namespace whit::tools {
namespace {

class TwoTensors : public WeightFile {
 public:
  TwoTensors() {
    format_ = "PyTorch zip";
    tensors_ = {Entry({2, 3}, ElementType::kFloat32, "floats"),
                Entry({2, 3}, ElementType::kInt8, "codes")};
    tensors_[1].codes = {{1, 1}, {0, 5}, 0};
  }
  Result<std::span<const std::byte>> ReadElements(size_t i,
                                                  std::vector<std::byte>*) const override {
    return i == 0 ? BytesOf(floats_) : BytesOf(codes_);
  }

 private:
  std::vector<float> floats_ = {127, 0.6f, 3, 7, -7, 1.4f};
  std::vector<int8_t> codes_ = {127, 9, -128, 7, -9, 100};
};

template <typename T>
std::vector<T> ValuesOf(const WeightFile& file, size_t i) {
  std::vector<std::byte> scratch;
  const auto bytes = file.Read(i, &scratch);
  EXPECT_TRUE(bytes.ok());
  std::vector<T> values(bytes->size() / sizeof(T));
  std::memcpy(values.data(), bytes->data(), bytes->size());
  return values;
}

TEST(PerturbedWeightsTest, OneTensorChanges) {
  const TwoTensors base;
  using Floats = std::vector<float>;
  using Codes = std::vector<int8_t>;
  const Floats floats = ValuesOf<float>(base, 0);
  const Codes codes = ValuesOf<int8_t>(base, 1);
  EXPECT_EQ(ValuesOf<float>(*Perturb(base, 0, Perturbation::kNone), 0), floats);
  const auto int8 = Perturb(base, 0, Perturbation::kInt8);
  EXPECT_EQ(ValuesOf<float>(*int8, 0), (Floats{127, 1, 3, 7, -7, 1}));
  EXPECT_EQ(ValuesOf<int8_t>(*int8, 1), codes);
  // Steps of 127 / 7 in the first channel, of 1 in the second.
  EXPECT_EQ(ValuesOf<float>(*Perturb(base, 0, Perturbation::kInt4), 0),
            (Floats{127, 0, 0, 7, -7, 1}));
  EXPECT_EQ(ValuesOf<float>(*Perturb(base, 0, Perturbation::kRemove, 3), 0),
            (Floats{127, 0.6f, 3, 0, -7, 1.4f}));
  const auto int4 = Perturb(base, 1, Perturbation::kInt4);
  EXPECT_EQ(ValuesOf<int8_t>(*int4, 1), (Codes{112, 16, -112, 0, -16, 96}));
  EXPECT_EQ(ValuesOf<float>(*int4, 0), floats);
  EXPECT_EQ(ValuesOf<int8_t>(*Perturb(base, 1, Perturbation::kRemove, 4), 1),
            (Codes{127, 9, -128, 7, 5, 100}));
}

TEST(PerturbedWeightsTest, WhatCanBePerturbed) {
  EXPECT_TRUE(CanPerturb(Entry({2, 2}, ElementType::kFloat16), Perturbation::kInt8));
  EXPECT_FALSE(CanPerturb(Entry({4}), Perturbation::kInt8));
  EXPECT_TRUE(CanPerturb(Entry({2, 2}, ElementType::kInt8), Perturbation::kInt4));
  EXPECT_FALSE(CanPerturb(Entry({2, 2}, ElementType::kInt8), Perturbation::kInt8));
  EXPECT_FALSE(CanPerturb(Entry({2, 2}, ElementType::kUint8), Perturbation::kInt4));
  EXPECT_FALSE(CanPerturb(Entry({0, 2}), Perturbation::kInt4));
}

}  // namespace
}  // namespace whit::tools
