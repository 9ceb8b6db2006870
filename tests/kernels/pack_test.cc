#include "kernels/pack.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace whit {
namespace {

std::vector<int8_t> RandomI8(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<int8_t> values(count);
  for (auto& v : values) v = static_cast<int8_t>(random());
  return values;
}

struct PackCase {
  int64_t groups, n, runs, run_length;
};
const PackCase kPackCases[] = {{1, 1, 1, 1},  {1, 8, 1, 4},   {1, 10, 3, 9},  {1, 24, 3, 3},
                               {1, 32, 9, 5}, {2, 6, 9, 3},   {4, 64, 1, 24}, {3, 75, 5, 7},
                               {1, 16, 3, 1}, {1, 9, 1, 130}, {8, 8, 3, 2},   {1, 40, 2, 6}};

TEST(PackTest, Panel16RoundTripsAndHasTheStatedSize) {
  for (const PackCase& c : kPackCases) {
    const size_t count = static_cast<size_t>(c.n * c.runs * c.run_length);
    const auto weights = RandomI8(count, 7);
    const PackedArrays a = PackPanel16I8(weights, c.n, c.groups, c.runs, c.run_length);
    const WeightDims d = DimsOf(a.View());
    EXPECT_EQ(a.data.size(), static_cast<size_t>(WeightDataBytes(d)));
    EXPECT_EQ(UnpackI8(a.View()), weights);
    // Padding is zero: the sum of all stored bytes is the sum of the weights.
    int64_t stored = 0, logical = 0, sums = 0;
    for (uint8_t b : a.data) stored += static_cast<int8_t>(b);
    for (int8_t w : weights) logical += w;
    for (int32_t s : a.sums) sums += s;
    EXPECT_EQ(stored, logical);
    EXPECT_EQ(sums, logical);

    std::vector<float> floats(weights.begin(), weights.end());
    const PackedArrays f = PackPanel16F32(floats, c.n, c.groups, c.runs, c.run_length);
    EXPECT_EQ(f.data.size(), static_cast<size_t>(WeightDataBytes(DimsOf(f.View()))));
    EXPECT_EQ(UnpackF32(f.View()), floats);
  }
}

TEST(PackTest, DepthwiseRoundTrips) {
  for (const auto& [taps, channels] : {std::pair{9, 16}, {1, 1}, {25, 40}, {9, 17}}) {
    const auto weights = RandomI8(static_cast<size_t>(taps * channels), 3);
    const PackedArrays a = PackDw16I8(weights, taps, channels);
    EXPECT_EQ(UnpackI8(a.View()), weights);
    EXPECT_EQ(a.data.size() % 64, 0u);
    EXPECT_EQ(a.sums.size(), static_cast<size_t>(channels));
    std::vector<float> floats(weights.begin(), weights.end());
    EXPECT_EQ(UnpackF32(PackDw16F32(floats, taps, channels).View()), floats);
  }
}

TEST(PackTest, BytesLieWhereTheLayoutPageSaysTheyLie) {
  // 3x3, cin 1 -> 8: R 3, L 3, S 3, one panel 8 wide of 96 bytes; the group is padded to 128.
  std::vector<int8_t> weights(8 * 9);
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<int8_t>(i + 1);
  const PackedArrays narrow = PackPanel16I8(weights, 8, 1, 3, 3);
  ASSERT_EQ(narrow.data.size(), 128u);
  for (size_t n = 0; n < 8; ++n) {
    for (size_t k = 0; k < 9; ++k) {
      EXPECT_EQ(narrow.data[32 * (k / 3) + 4 * n + k % 3], weights[n * 9 + k]) << n << " " << k;
    }
  }
  // N 24, K 4: a panel of 64 bytes, then one of 32.
  const PackedArrays two = PackPanel16I8(RandomI8(96, 1), 24, 1, 1, 4);
  EXPECT_EQ(two.data.size(), 128u);
  EXPECT_EQ(two.View().k(), 4);
}

TEST(PackTest, LimitsKeepSixteenBitSumsInRange) {
  const int64_t n = 40, k = 22;
  const auto weights = RandomI8(static_cast<size_t>(n * k), 11);
  const PackedArrays a = PackPanel16I8(weights, n, 1, 1, k);
  const WeightDims d = DimsOf(a.View());
  const auto at = [&](int64_t c, int64_t i) -> int {
    return c < n && i < k ? weights[static_cast<size_t>(c * k + i)] : 0;
  };
  // The worst 16-bit sum over activations 0..u: all positive or all negative products meet.
  const auto worst = [&](int64_t panel, int64_t first, int64_t steps) {
    int most = 0;
    for (int64_t c = 16 * panel; c < 16 * panel + 16; ++c) {
      for (int64_t half : {0, 2}) {
        int pos = 0, neg = 0;
        for (int64_t s = first; s < first + steps; ++s) {
          for (int64_t i : {4 * s + half, 4 * s + half + 1}) {
            pos += std::max(at(c, i), 0);
            neg -= std::min(at(c, i), 0);
          }
        }
        most = std::max({most, pos, neg});
      }
    }
    return most;
  };
  const auto expect_tight = [&](int limit, int most, const char* what) {
    EXPECT_LE(limit * most, 32767) << what;
    if (limit < 255) {
      EXPECT_GT((limit + 1) * most, 32767) << what;
    }
  };
  for (int64_t q = 0; q < d.panels(); ++q) {
    for (int64_t s = 0; s < d.steps(); ++s) {
      expect_tight(a.limits[static_cast<size_t>(q * d.steps() + s)], worst(q, s, 1), "one step");
    }
    for (int64_t p = 0; p < d.step_pairs(); ++p) {
      const int limit = a.limits[static_cast<size_t>(Limit1Bytes(d) + q * d.step_pairs() + p)];
      expect_tight(limit, worst(q, 2 * p, 2), "two steps");
    }
  }
  EXPECT_EQ(a.limits.size(), static_cast<size_t>(WeightLimitsBytes(d)));
}

TEST(PackTest, AnUnpairedLastStepHasLimitZero) {
  const PackedArrays a = PackPanel16I8(std::vector<int8_t>(16 * 12, 1), 16, 1, 1, 12);
  const WeightDims d = DimsOf(a.View());
  ASSERT_EQ(d.steps(), 3);
  EXPECT_EQ(a.limits[static_cast<size_t>(Limit1Bytes(d))], 255);
  EXPECT_EQ(a.limits[static_cast<size_t>(Limit1Bytes(d) + 1)], 0);
}

TEST(PackTest, PairFlagsNameTheMeetingsOfMinus128) {
  std::vector<int8_t> weights(48 * 16, 0);
  const auto set = [&](size_t n, size_t k) { weights[n * 16 + k] = -128; };
  set(0, 1), set(0, 5);    // panel 0: k with k + 4 inside a pair
  set(16, 4), set(16, 6);  // panel 1: k with k + 2
  set(32, 4), set(32, 8);  // panel 2: steps 1 and 2 are of different pairs
  const PackedArrays a = PackPanel16I8(weights, 48, 1, 1, 16);
  EXPECT_EQ(a.pair_flags[0], 1);
  EXPECT_EQ(a.pair_flags[1], 2);
  EXPECT_EQ(a.pair_flags[2], 0);
  EXPECT_EQ(a.pair_flags.size(), 64u);
}

TEST(PackTest, ConvRunsFollowContiguity) {
  EXPECT_EQ(ConvRuns(3, 3, 8, 1, 1).runs, 3);
  EXPECT_EQ(ConvRuns(3, 3, 8, 1, 1).run_length, 24);
  EXPECT_EQ(ConvRuns(3, 3, 8, 1, 2).runs, 9);
  EXPECT_EQ(ConvRuns(3, 3, 8, 2, 1).run_length, 8);
}

TEST(PackTest, FoldedBiasEqualsTheUnfoldedSum) {
  const int32_t zx = -37, zw = 5, bias = 1234;
  const std::vector<int8_t> x = {-128, 127, 3, -4, 90}, w = {12, -128, 127, 0, 7};
  int32_t direct = bias, folded_part = 0, sum_w = 0, sum_x = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    direct += (x[i] - zx) * (w[i] - zw);
    folded_part += x[i] * w[i];
    sum_w += w[i];
    sum_x += x[i];
  }
  EXPECT_EQ(FoldBias(bias, sum_w, 5, zx, zw) + folded_part - zw * sum_x, direct);
}

TEST(PackTest, AccumulatorBound) {
  EXPECT_TRUE(AccumulatorFits(65793, 0, false));  // 65793 * 255 * 128 = 2147483520
  EXPECT_FALSE(AccumulatorFits(65793, 128, false));
  EXPECT_FALSE(AccumulatorFits(65794, 0, false));
  EXPECT_TRUE(AccumulatorFits(33025, 0, true));
  EXPECT_FALSE(AccumulatorFits(33026, 0, true));
}

}  // namespace
}  // namespace whit
