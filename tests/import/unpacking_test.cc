// Packing and unpacking through a file, for every layout: what goes in comes out.
#include "tools/import/unpacking.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "kernels/pack.h"
#include "tests/schema/tiny_model.h"

namespace whit::tools {
namespace {

struct UnpackCase {
  PackedWeights::Layout layout;
  int64_t n, groups, runs, run_length;
  std::vector<uint32_t> shape;
};

constexpr auto kPanel = PackedWeights::Layout::kPanel16I8;
constexpr auto kPanelFloat = PackedWeights::Layout::kPanel16F32;
constexpr auto kDepthwise = PackedWeights::Layout::kDw16I8;
constexpr auto kDepthwiseFloat = PackedWeights::Layout::kDw16F32;

template <typename T>
std::vector<T> Random(size_t count, std::mt19937* random) {
  std::vector<T> values(count);
  for (T& v : values) v = static_cast<T>(static_cast<int8_t>((*random)()));
  return values;
}

template <typename T>
PackedArrays Pack(const UnpackCase& c, const std::vector<T>& values);
template <>
PackedArrays Pack(const UnpackCase& c, const std::vector<int8_t>& values) {
  return c.layout == kDepthwise ? PackDw16I8(values, c.runs, c.n)
                                : PackPanel16I8(values, c.n, c.groups, c.runs, c.run_length);
}
template <>
PackedArrays Pack(const UnpackCase& c, const std::vector<float>& values) {
  return c.layout == kDepthwiseFloat ? PackDw16F32(values, c.runs, c.n)
                                     : PackPanel16F32(values, c.n, c.groups, c.runs, c.run_length);
}

// A record of `arrays` behind the one that TinyModel has.
void AddRecord(FileWriter* writer, const PackedArrays& arrays, std::vector<uint32_t> shape) {
  auto w = std::make_unique<fbs::WeightsT>();
  w->layout = static_cast<fbs::Layout>(arrays.layout);
  w->groups = static_cast<uint32_t>(arrays.groups);
  w->n = static_cast<uint32_t>(arrays.n);
  w->runs = static_cast<uint32_t>(arrays.runs);
  w->run_length = static_cast<uint32_t>(arrays.run_length);
  w->shape = std::move(shape);
  const auto add = [writer](const auto& values) {
    return values.empty() ? -1 : writer->AddBlob(std::as_bytes(std::span(values)));
  };
  w->data = add(arrays.data), w->sums = add(arrays.sums);
  w->limits = add(arrays.limits), w->pair_flags = add(arrays.pair_flags);
  if (!arrays.View().is_float()) w->scale.assign(arrays.n, 0.5f), w->zero_point = -3;
  writer->graph.weights.push_back(std::move(w));
}

template <typename T>
void ExpectRoundTrip(const UnpackCase& c, std::mt19937* random) {
  const auto values = Random<T>(static_cast<size_t>(c.n * c.runs * c.run_length), random);
  FileWriter writer = TinyModel();
  AddRecord(&writer, Pack(c, values), c.shape);
  const std::vector<std::byte> bytes = *writer.Serialize();
  const auto file = OpenBytes(bytes);
  ASSERT_TRUE(file.ok()) << file.status().message();
  const fbs::Weights& record = *file.value()->graph().weights()->Get(1);
  const auto form = LogicalFormOf(record);
  ASSERT_TRUE(form.ok()) << form.status().message();
  EXPECT_EQ(form.value().shape, std::vector<int64_t>(c.shape.begin(), c.shape.end()));
  EXPECT_EQ(form.value().shape[static_cast<size_t>(form.value().channel_axis)], c.n);
  EXPECT_EQ(form.value().type, (std::is_same_v<T, float> ? DType::kFloat32 : DType::kInt8));
  EXPECT_EQ(form.value().scale.size(),
            (std::is_same_v<T, float> ? 0u : c.shape[c.layout == kPanel ? 0 : 2]));
  const std::vector<std::byte> unpacked = UnpackWeights(*file.value(), record);
  ASSERT_EQ(unpacked.size(), values.size() * sizeof(T));
  EXPECT_EQ(std::memcmp(unpacked.data(), values.data(), unpacked.size()), 0)
      << "n " << c.n << ", runs " << c.runs << " of " << c.run_length;
}

TEST(UnpackingTest, IsTheInverseOfPackingForEveryLayout) {
  std::mt19937 random(11);
  for (uint32_t n : {1u, 8u, 9u, 16u, 17u, 24u, 40u}) {
    for (uint32_t kernel : {1u, 3u}) {
      for (uint32_t cin : {1u, 3u, 4u, 7u}) {
        const std::vector<uint32_t> ohwi = {n, kernel, kernel, cin};
        // A kernel row a run, and a tap a run.
        for (const auto& [runs, length] :
             {std::pair{kernel, kernel * cin}, std::pair{kernel * kernel, cin}}) {
          ExpectRoundTrip<int8_t>({kPanel, n, 1, runs, length, ohwi}, &random);
          ExpectRoundTrip<float>({kPanelFloat, n, 1, runs, length, ohwi}, &random);
        }
        const std::vector<uint32_t> grouped = {3 * n, kernel, kernel, cin};
        ExpectRoundTrip<int8_t>({kPanel, 3 * n, 3, kernel * kernel, cin, grouped}, &random);
        ExpectRoundTrip<float>({kPanelFloat, 3 * n, 3, kernel * kernel, cin, grouped}, &random);
      }
      const std::vector<uint32_t> hwc = {kernel, kernel, n};
      ExpectRoundTrip<int8_t>({kDepthwise, n, 1, kernel * kernel, 1, hwc}, &random);
      ExpectRoundTrip<float>({kDepthwiseFloat, n, 1, kernel * kernel, 1, hwc}, &random);
    }
  }
}

TEST(UnpackingTest, AShapeWithoutTheChannelsIsRefused) {
  std::mt19937 random(3);
  FileWriter writer = TinyModel();
  AddRecord(&writer, PackPanel16I8(Random<int8_t>(12, &random), 4, 1, 1, 3), {3, 4});
  const std::vector<std::byte> bytes = *writer.Serialize();
  const auto file = OpenBytes(bytes);
  ASSERT_TRUE(file.ok()) << file.status().message();
  const auto form = LogicalFormOf(*file.value()->graph().weights()->Get(1));
  ASSERT_FALSE(form.ok());
  EXPECT_EQ(form.status().code(), StatusCode::kInvalidModel);
  EXPECT_EQ(form.status().message(), "the shape has 3 channels on axis 0, the packed array has 4");
}

}  // namespace
}  // namespace whit::tools
