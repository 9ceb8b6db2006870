#include "tools/inspect/duplicates.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/inspect/entries.h"

namespace whit::tools {
namespace {

Duplicates DuplicatesOf(const TensorEntry& entry, const std::vector<float>& values) {
  const ChannelLayout layout = ChannelsOf(entry, "PyTorch zip");
  return DuplicatesOf(entry, BytesOf(values), layout, StatisticsOf(entry, BytesOf(values), layout));
}

TEST(DuplicatesTest, EqualToTheBit) {
  constexpr size_t kColumns = 50;
  std::vector<float> values = RandomWeights(8 * kColumns);
  for (size_t k = 0; k < kColumns; ++k) {
    values[5 * kColumns + k] = values[6 * kColumns + k] = values[2 * kColumns + k];
    values[1 * kColumns + k] = values[3 * kColumns + k] = 0;  // dead ones are no duplicates
  }
  Duplicates d = DuplicatesOf(Entry({8, kColumns}), values);
  ASSERT_EQ(d.equal.size(), 2u);
  EXPECT_EQ(d.equal[0].channel, 5u);
  EXPECT_EQ(d.equal[1].channel, 6u);
  EXPECT_EQ(d.equal[1].of, 2u);
  EXPECT_TRUE(d.near.empty());
  values[6 * kColumns] += 1e-6f * values[6 * kColumns];
  d = DuplicatesOf(Entry({8, kColumns}), values);
  EXPECT_EQ(d.equal.size(), 1u);
  EXPECT_EQ(d.near.size(), 1u);
}

TEST(DuplicatesTest, NearAlongAnyAxis) {
  constexpr size_t kChannels = 40, kColumns = 300;
  const std::vector<float> noise = RandomWeights(kChannels * kColumns, 2),
                           more = RandomWeights(kColumns, 3);
  for (const int axis : {0, 1}) {
    TensorEntry entry = axis == 0 ? Entry({kChannels, kColumns}) : Entry({kColumns, kChannels});
    entry.channel_axis = axis;
    std::vector<float> values = noise;
    const auto at = [&](size_t channel, size_t column) -> float& {
      return values[axis == 0 ? channel * kColumns + column : column * kChannels + channel];
    };
    for (size_t k = 0; k < kColumns; ++k) at(17, k) = 2 * at(4, k) + 0.06f * more[k];
    const Duplicates d = DuplicatesOf(entry, values);
    ASSERT_EQ(d.near.size(), 1u) << "axis " << axis;
    EXPECT_EQ(d.near[0].channel, 17u);
    EXPECT_EQ(d.near[0].of, 4u);
    EXPECT_NEAR(d.near[0].cosine, 1 / std::sqrt(1 + 0.03 * 0.03), 2e-4);
    for (size_t k = 0; k < kColumns; ++k) at(17, k) = at(4, k) + 0.048f * more[k];  // 0.9988
    EXPECT_TRUE(DuplicatesOf(entry, values).near.empty());
  }
}

}  // namespace
}  // namespace whit::tools
