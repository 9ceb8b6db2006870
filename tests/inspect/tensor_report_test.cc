#include "tools/inspect/tensor_report.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/inspect/entries.h"
#include "tools/inspect/strip.h"

namespace whit::tools {
namespace {

std::vector<std::string> Kinds(const TensorReport& report) {
  std::vector<std::string> kinds;
  for (const Finding& f : report.findings) kinds.emplace_back(f.kind);
  return kinds;
}

using Names = std::vector<std::string>;

TEST(TensorReportTest, NothingOfGaussianWeights) {
  const std::vector<float> values = RandomWeights(128 * 256);
  EXPECT_EQ(Kinds(ReportOf(Entry({128, 256}), BytesOf(values), "PyTorch zip")), Names());
}

TEST(TensorReportTest, DeadAndDuplicateChannels) {
  std::vector<float> values = RandomWeights(16 * 64);
  for (size_t k = 0; k < 64; ++k) {
    values[3 * 64 + k] = values[9 * 64 + k] = 0;
    values[5 * 64 + k] = values[4 * 64 + k];
    values[7 * 64 + k] = 0.25f;
  }
  TensorReport r = ReportOf(Entry({16, 64}), BytesOf(values), "PyTorch zip");
  EXPECT_EQ(Kinds(r), (Names{"dead_channels", "duplicate_channels", "constant_channels"}));
  EXPECT_EQ(r.findings[0].what, "2 dead channels");
  EXPECT_EQ(r.findings[0].detail, "all zero: 3, 9");
  EXPECT_EQ(r.findings[1].detail, "equal to the bit: 5 = 4");
  EXPECT_EQ(r.constant, (std::vector<size_t>{7}));
  r.DropChannels();
  EXPECT_TRUE(r.statistics.channels.empty());
  EXPECT_EQ(r.strip.size(), 16u);
}

TEST(TensorReportTest, WhatIsBrokenComesFirst) {
  std::vector<float> values = RandomWeights(16 * 64);
  for (size_t k = 0; k < 64; ++k) values[k] = 0;
  values[100] = NAN;
  const TensorReport broken = ReportOf(Entry({16, 64}), BytesOf(values), "PyTorch zip");
  EXPECT_EQ(Kinds(broken), (Names{"not_finite", "dead_channels"}));
  values[100] = 1;
  const TensorReport dead = ReportOf(Entry({16, 64}), BytesOf(values), "PyTorch zip");
  EXPECT_TRUE(MattersMore(broken, dead));
  EXPECT_FALSE(MattersMore(dead, broken));
}

TEST(TensorReportTest, WideChannelsNeedScalesByChannel) {
  std::vector<float> spread = RandomWeights(32 * 64);
  for (size_t i = 0; i < spread.size(); ++i) spread[i] *= i / 64 % 16 == 0 ? 6 : 1;
  spread[0] = 250;
  const Names kinds = Kinds(ReportOf(Entry({32, 64}), BytesOf(spread), "PyTorch zip"));
  EXPECT_TRUE(std::find(kinds.begin(), kinds.end(), "int8_needs_channels") != kinds.end());
}

TEST(TensorReportTest, UnusedBitsOfCodes) {
  std::vector<int8_t> codes(16 * 300);
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<int8_t>(i * 7 % 41 - 20);
  codes[5] = 127;
  TensorEntry entry = Entry({16, 300}, ElementType::kInt8);
  entry.codes = {{0.01f}, {0}, -1};
  const TensorReport r = ReportOf(entry, BytesOf(codes), "TFLite");
  EXPECT_FALSE(r.noise.has_value());
  const Names kinds = Kinds(r);
  ASSERT_EQ(kinds[0], "unused_bits");
  EXPECT_NE(r.findings[0].detail.find("one scale a channel"), std::string::npos);
  EXPECT_NE(std::find(kinds.begin(), kinds.end(), "unused_codes"), kinds.end());
}

TEST(TensorReportTest, TensorsOfNothing) {
  EXPECT_EQ(Kinds(ReportOf(Entry({0, 4}), {}, "PyTorch zip")), Names());
  const std::vector<float> zeros(64), one = {3};
  EXPECT_EQ(Kinds(ReportOf(Entry({8, 8}), BytesOf(zeros), "PyTorch zip")), Names{"zero_tensor"});
  EXPECT_EQ(Kinds(ReportOf(Entry({64}), BytesOf(zeros), "PyTorch zip")), Names());
  EXPECT_EQ(Kinds(ReportOf(Entry({}), BytesOf(one), "PyTorch zip")), Names());
  EXPECT_EQ(Kinds(UnreadableReport(Entry({2}), "sparse tensor")), Names{"unreadable"});
}

// Sums that overflow: findings keep an order.
TEST(TensorReportTest, TheLargestNumbersThereAre) {
  constexpr double kMost = std::numeric_limits<double>::max();
  std::vector<double> values(64 * 64);
  for (size_t i = 0; i < values.size(); ++i) values[i] = kMost / (1 + static_cast<double>(i % 7));
  const TensorReport r =
      ReportOf(Entry({64, 64}, ElementType::kFloat64), BytesOf(values), "PyTorch zip");
  for (const Finding& f : r.findings) EXPECT_TRUE(f.share >= 0 && f.share <= 1) << f.kind;
}

TEST(StripTest, ManyChannelsShareColumns) {
  std::vector<float> values(1000 * 2);
  for (size_t c = 0; c < 1000; ++c) values[2 * c + 1] = static_cast<float>(c);
  TensorReport r = ReportOf(Entry({1000, 2}), BytesOf(values), "PyTorch zip");
  ASSERT_EQ(r.strip.size(), 125u);  // eight each
  EXPECT_EQ(r.strip[0].min, 0);
  EXPECT_EQ(r.strip[0].max, 2);  // 7 of 999, of 255
  EXPECT_EQ(r.strip[124].max, 255);
  EXPECT_EQ(r.strip[124].density[0], 35);
  EXPECT_EQ(r.strip[124].density[kChannelBins - 1], 35);
  EXPECT_EQ(r.strip[124].density[5], 0);
  const auto narrow = Narrowed(r.strip, 10);
  ASSERT_EQ(narrow.size(), 10u);  // 13 each, the last fewer
  EXPECT_EQ(narrow[9].max, 255);
  EXPECT_EQ(narrow[0].max, r.strip[12].max);
}

}  // namespace
}  // namespace whit::tools
