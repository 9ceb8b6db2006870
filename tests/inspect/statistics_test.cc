#include "tools/inspect/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "tests/inspect/entries.h"

namespace whit::tools {
namespace {

template <typename T>
TensorStatistics StatisticsOf(const TensorEntry& entry, const std::vector<T>& values) {
  return StatisticsOf(entry, BytesOf(values), ChannelsOf(entry, "PyTorch zip"));
}

TEST(StatisticsTest, AKnownTensor) {
  const TensorStatistics s =
      StatisticsOf(Entry({2, 4}), std::vector<float>{0, 2, 4, 6, 0, 0, -8, 4});
  EXPECT_EQ(s.elements, 8);
  EXPECT_EQ(s.zeros, 3);
  EXPECT_EQ(s.min, -8);
  EXPECT_EQ(s.max, 6);
  EXPECT_DOUBLE_EQ(s.mean, 1);
  EXPECT_DOUBLE_EQ(s.energy, 4 + 16 + 36 + 64 + 16);
  // Squares of the distances from 1: 1 1 9 25 1 1 81 9.
  EXPECT_DOUBLE_EQ(s.deviation, std::sqrt(128.0 / 8));
  EXPECT_DOUBLE_EQ(s.kurtosis, (4 + 2 * 81 + 625 + 6561) / 8.0 / 256 - 3);
  EXPECT_DOUBLE_EQ(s.farthest, 9.0 / 4);
  ASSERT_EQ(s.channels.size(), 2u);
  EXPECT_DOUBLE_EQ(s.channels[0].mean, 3);
  EXPECT_DOUBLE_EQ(s.channels[0].deviation, std::sqrt(5.0));
  EXPECT_DOUBLE_EQ(s.channels[1].min, -8);
  EXPECT_EQ(s.channels[1].zeros, 2);
  EXPECT_EQ(s.column_energy, (std::vector<double>{0, 4, 80, 52}));
}

TEST(StatisticsTest, HistogramsHoldEveryElement) {
  const TensorStatistics s = StatisticsOf(Entry({64, 100}), RandomWeights(6400));
  EXPECT_EQ(std::accumulate(s.histogram.begin(), s.histogram.end(), int64_t{0}), 6400);
  for (const ChannelStatistics& c : s.channels)
    EXPECT_EQ(std::accumulate(c.histogram.begin(), c.histogram.end(), 0u), 100u);
  EXPECT_GT(s.histogram[0], 0);
  EXPECT_GT(s.histogram[kBins - 1], 0);
  EXPECT_NEAR(s.kurtosis, 0, 0.3);
  EXPECT_EQ(s.beyond_six, 0);
}

TEST(StatisticsTest, WhatIsNotFiniteStaysOut) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const TensorStatistics s =
      StatisticsOf(Entry({2, 3}), std::vector<float>{1, NAN, 3, kInf, -kInf, NAN});
  EXPECT_EQ(s.not_finite, 4);
  EXPECT_DOUBLE_EQ(s.mean, 2);
  EXPECT_DOUBLE_EQ(s.deviation, 1);
  EXPECT_EQ(s.channels[1].not_finite, 3);
  EXPECT_EQ(s.channels[1].max, 0);
  EXPECT_FALSE(s.channels[1].constant(3));
}

// Ranges that overflow and underflow: any figures, but no crash and no element lost.
TEST(StatisticsTest, ExtremeRanges) {
  for (const double value : {std::numeric_limits<double>::max(), 5e-324}) {
    const TensorStatistics s = StatisticsOf(Entry({2, 2}, ElementType::kFloat64),
                                            std::vector<double>{value, -value, 0, value});
    EXPECT_EQ(std::accumulate(s.histogram.begin(), s.histogram.end(), int64_t{0}), 4);
  }
}

TEST(StatisticsTest, CodesAreRealNumbers) {
  TensorEntry entry = Entry({2, 2}, ElementType::kInt8);
  entry.codes = {{0.5f, 2}, {0, 1}, 0};
  const TensorStatistics s = StatisticsOf(entry, std::vector<int8_t>{-4, 2, 1, 3});
  EXPECT_EQ(s.channels[0].min, -2);
  EXPECT_EQ(s.channels[0].max, 1);
  EXPECT_EQ(s.channels[1].zeros, 1);
  EXPECT_EQ(s.channels[1].max, 4);
}

TEST(StatisticsTest, OutliersAndNearZeros) {
  std::vector<float> values(1000, 0.001f);
  values[7] = -1, values[8] = 1, values[9] = 0, values[10] = 1 / 250.0f, values[11] = 1 / 258.0f;
  const TensorStatistics s = StatisticsOf(Entry({1000}), values);
  EXPECT_EQ(s.beyond_six, 2);
  EXPECT_EQ(s.near_zeros, 996);  // 1 / 250 is above the bound, 1 / 258 below
  EXPECT_EQ(s.zeros, 1);
}

TEST(StatisticsTest, NoElements) {
  const TensorStatistics s = StatisticsOf(Entry({0, 3}), std::vector<float>());
  EXPECT_EQ(s.elements, 0);
  EXPECT_EQ(s.max, 0);
  EXPECT_EQ(s.deviation, 0);
}

}  // namespace
}  // namespace whit::tools
