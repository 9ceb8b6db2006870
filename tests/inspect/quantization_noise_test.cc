#include "tools/inspect/quantization_noise.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/inspect/entries.h"

namespace whit::tools {
namespace {

QuantizationNoise NoiseOf(const TensorEntry& entry, const std::vector<float>& values) {
  const ChannelLayout layout = ChannelsOf(entry, "PyTorch zip");
  return QuantizationNoiseOf(entry, BytesOf(values), layout,
                             StatisticsOf(entry, BytesOf(values), layout));
}

TEST(QuantizerTest, RoundsToTheNearestEvenAndClamps) {
  const SymmetricRounding q(127, 127);
  EXPECT_EQ(q(2.4), 2);
  EXPECT_EQ(q(2.5), 2);
  EXPECT_EQ(q(3.5), 4);
  EXPECT_EQ(q(-2.6), -3);
  EXPECT_EQ(q(500), 127);
  EXPECT_EQ(q(-500), -127);
  EXPECT_EQ(SymmetricRounding(0, 127)(1.25), 1.25);
  EXPECT_EQ(SymmetricRounding(5e-324, 127)(5e-324), 5e-324);
}

// Noise of a step's uniform error, step^2 / 12: the textbook's 6.02 dB a bit.
TEST(QuantizationNoiseTest, UniformValuesHaveTheTextbooksNoise) {
  std::vector<float> values(100000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) / 50000.0f - 1;
  const QuantizationNoise n = NoiseOf(Entry({1, 100000}), values);
  const double expected = 10 * std::log10((1.0 / 3) / (1.0 / (127.0 * 127 * 12)));
  EXPECT_NEAR(n.int8_tensor, expected, 0.1);
  EXPECT_NEAR(n.int8_channel, expected, 0.1);
  EXPECT_NEAR(n.int4_channel, 10 * std::log10(4.0 * 49), 0.3);
}

TEST(QuantizationNoiseTest, ScalesByChannelSaveTheSmallOnes) {
  std::vector<float> values = RandomWeights(20000);
  for (size_t i = 0; i < 10000; ++i) values[i] *= 1000;
  const QuantizationNoise n = NoiseOf(Entry({2, 10000}), values);
  EXPECT_NEAR(n.int8_tensor, n.int8_channel, 1);  // the large channel is nearly all of the signal
  values.assign(20000, 0.5f);
  values[0] = 1000;
  const QuantizationNoise lost = NoiseOf(Entry({2, 10000}), values);
  EXPECT_LT(lost.int8_tensor, 30);
}

TEST(QuantizationNoiseTest, NothingToLose) {
  EXPECT_TRUE(std::isinf(NoiseOf(Entry({1, 2}), {127, -127}).int8_tensor));
  EXPECT_EQ(NoiseOf(Entry({1, 2}), {0, 0}).int8_tensor, 0);
}

}  // namespace
}  // namespace whit::tools
