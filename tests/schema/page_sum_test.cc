#include "schema/page_sum.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

namespace whit {
namespace {

std::vector<std::byte> Noise(size_t size, std::mt19937* rng) {
  std::vector<std::byte> bytes(size);
  for (std::byte& b : bytes) b = static_cast<std::byte>((*rng)());
  return bytes;
}

PageSum ByDefinition(std::span<const std::byte> bytes) {
  PageSum sum;
  std::vector<std::byte> padded(bytes.begin(), bytes.end());
  padded.resize((bytes.size() + 31) / 32 * 32);  // zeros behind the last word count as words
  for (size_t at = 0; at < padded.size(); at += 4) {
    uint32_t word;
    std::memcpy(&word, padded.data() + at, 4);
    sum.words += word;
    sum.running += sum.words;
  }
  return sum;
}

TEST(PageSum, IsWhatItsDefinitionSays) {
  std::mt19937 rng(1);
  for (size_t size : {0u, 1u, 4u, 31u, 32u, 33u, 64u, 100u, 4096u, 16384u}) {
    const auto bytes = Noise(size, &rng);
    EXPECT_EQ(SumOf(bytes), ByDefinition(bytes)) << size;
  }
  const std::vector<std::byte> ones(16384, std::byte{255});
  EXPECT_EQ(SumOf(ones), ByDefinition(ones));
}

TEST(PageSum, FindsEveryFlippedBit) {
  std::mt19937 rng(2);
  auto bytes = Noise(16384, &rng);
  const PageSum right = SumOf(bytes);
  for (size_t bit = 0; bit < bytes.size() * 8; bit += 7) {
    bytes[bit / 8] ^= std::byte{static_cast<uint8_t>(1u << bit % 8)};
    ASSERT_NE(SumOf(bytes), right) << bit;
    bytes[bit / 8] ^= std::byte{static_cast<uint8_t>(1u << bit % 8)};
  }
  EXPECT_EQ(SumOf(bytes), right);
}

// The hardest case: what one word loses another one gains, so that the sum of words stays.
TEST(PageSum, FindsChangesOfTwoWordsThatCancel) {
  std::mt19937 rng(3);
  const auto original = Noise(16384, &rng);
  const PageSum right = SumOf(original);
  for (int i = 0; i < 2000; ++i) {
    auto bytes = original;
    const size_t a = rng() % 4096, b = (a + 1 + rng() % 4095) % 4096;
    const uint32_t d = i % 2 == 0 ? 1u << rng() % 32 : static_cast<uint32_t>(rng()) | 1;
    uint32_t x, y;
    std::memcpy(&x, bytes.data() + 4 * a, 4);
    std::memcpy(&y, bytes.data() + 4 * b, 4);
    x += d, y -= d;
    std::memcpy(bytes.data() + 4 * a, &x, 4);
    std::memcpy(bytes.data() + 4 * b, &y, 4);
    ASSERT_NE(SumOf(bytes), right) << a << " " << b << " " << d;
  }
}

}  // namespace
}  // namespace whit
