#include "tools/inspect/super_weights.h"

#include <gtest/gtest.h>

#include "tests/inspect/entries.h"

namespace whit::tools {
namespace {

std::vector<SuperWeight> Of(const TensorEntry& entry, const std::vector<float>& values) {
  const ChannelLayout layout = ChannelsOf(entry, "PyTorch zip");
  return SuperWeightsOf(entry, BytesOf(values), layout,
                        StatisticsOf(entry, BytesOf(values), layout));
}

TEST(SuperWeightsTest, OnePlantedIsTheOnlyOne) {
  std::vector<float> values = RandomWeights(256 * 512);
  EXPECT_TRUE(Of(Entry({256, 512}), values).empty());
  values[100 * 512 + 33] = -60;
  const auto found = Of(Entry({256, 512}), values);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].channel, 100u);
  EXPECT_EQ(found[0].column, 33u);
  EXPECT_EQ(found[0].element, 100u * 512 + 33);
  EXPECT_EQ(found[0].value, -60);
  EXPECT_NEAR(found[0].channel_share, 3600.0 / (3600 + 512), 0.02);
  EXPECT_NEAR(found[0].column_share, 3600.0 / (3600 + 256), 0.02);
}

// A channel that is large as a whole dominates its columns, but none of its weights does alone.
TEST(SuperWeightsTest, ALargeChannelIsNone) {
  std::vector<float> values = RandomWeights(256 * 512);
  for (size_t k = 0; k < 512; ++k) values[k] *= 20;
  EXPECT_TRUE(Of(Entry({256, 512}), values).empty());
}

TEST(SuperWeightsTest, TenAtTheMostTheLargestFirst) {
  std::vector<float> values = RandomWeights(256 * 256);
  for (size_t k = 0; k < 20; ++k) values[k * 257] = 40 + static_cast<float>(k);
  const auto found = Of(Entry({256, 256}), values);
  ASSERT_EQ(found.size(), kMostSuperWeights);
  EXPECT_EQ(found[0].channel, 19u);
  EXPECT_EQ(found[9].channel, 10u);
}

TEST(SuperWeightsTest, SmallTensorsHaveNone) {
  std::vector<float> values = RandomWeights(32 * 512);
  values[5] = 100;
  EXPECT_TRUE(Of(Entry({32, 512}), values).empty());
}

}  // namespace
}  // namespace whit::tools
