#include "tools/inspect/code_usage.h"

#include <gtest/gtest.h>

#include "tests/inspect/entries.h"

namespace whit::tools {
namespace {

TEST(CodeUsageTest, BitsThatNoChannelUses) {
  TensorEntry entry = Entry({4, 2}, ElementType::kInt8);
  entry.codes = {{0.5f}, {0}, -1};
  const std::vector<int8_t> codes = {127, -127, 63, 1, 0, 0, -31, 31};
  const CodeUsage u = CodeUsageOf(entry, BytesOf(codes), ChannelsOf(entry, "TFLite"));
  EXPECT_EQ(u.bits, 8);
  EXPECT_EQ(u.used, 7);
  EXPECT_EQ(u.counts[128], 2);
  ASSERT_EQ(u.unused_bits.size(), 4u);
  EXPECT_FLOAT_EQ(u.unused_bits[0], 0);
  EXPECT_NEAR(u.unused_bits[1], 1.01, 0.01);
  EXPECT_FLOAT_EQ(u.unused_bits[2], 0);  // dead, and nothing that a scale could win back
  EXPECT_NEAR(u.unused_bits[3], 2.03, 0.01);
  EXPECT_NEAR(u.most_unused, 2.03, 0.01);
}

TEST(CodeUsageTest, AsymmetricCodesCountTheSpan) {
  TensorEntry entry = Entry({1, 2}, ElementType::kUint8);
  entry.codes = {{0.5f}, {10}, -1};
  const std::vector<uint8_t> codes = {0, 255};
  EXPECT_EQ(CodeUsageOf(entry, BytesOf(codes), ChannelsOf(entry, "TFLite")).most_unused, 0);
  const std::vector<uint8_t> half = {10, 61};
  EXPECT_NEAR(CodeUsageOf(entry, BytesOf(half), ChannelsOf(entry, "TFLite")).most_unused, 2.32,
              0.01);
}

TEST(CodeUsageTest, FourBits) {
  TensorEntry entry = Entry({1, 4}, ElementType::kInt8);
  entry.codes = {{0.5f}, {0}, -1};
  const std::vector<int8_t> codes = {-8, 7, 3, 0};
  const CodeUsage u = CodeUsageOf(entry, BytesOf(codes), ChannelsOf(entry, "TFLite"));
  EXPECT_EQ(u.bits, 4);
  EXPECT_EQ(u.there_are(), 16);
  EXPECT_EQ(u.most_unused, 0);
}

}  // namespace
}  // namespace whit::tools
