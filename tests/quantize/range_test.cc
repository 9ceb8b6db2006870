#include "tools/quantize/range.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "tools/quantize/weights.h"

namespace whit::tools {
namespace {

uint64_t Sum(const Histogram& h) {
  uint64_t sum = 0;
  for (uint64_t b : h.bins()) sum += b;
  return sum;
}

TEST(HistogramTest, GrowsWithItsValuesAndLosesNone) {
  Histogram h;
  h.Add(std::vector<float>{0, 0});
  EXPECT_TRUE(h.bins().empty());
  h.Add(std::vector<float>{0.5f, -0.25f});
  h.Add(std::vector<float>{100, 0});
  h.Add(std::vector<float>{std::nanf(""), std::numeric_limits<float>::infinity()});
  EXPECT_EQ(h.count(), 6u);
  EXPECT_EQ(h.not_finite(), 2u);
  EXPECT_EQ(Sum(h), 6u);
  EXPECT_EQ(h.min(), -0.25f);
  EXPECT_EQ(h.max(), 100.0f);
  EXPECT_EQ(h.bin_width() * Histogram::kBins, 2 * 128.0);
  // 100 lies in the bin whose center is within half a bin of it.
  const auto bins = h.bins();
  for (size_t i = 0; i < bins.size(); ++i) {
    if (h.center(i) > 50 && bins[i] > 0) {
      EXPECT_NEAR(h.center(i), 100, h.bin_width());
    }
  }
}

TEST(HistogramTest, OrderAndPiecesDoNotMatter) {
  std::mt19937 rng(3);
  std::vector<float> values(1000);
  for (float& v : values) v = std::exp(std::ldexp(static_cast<float>(rng()), -29)) - 2;
  std::fill_n(values.begin(), 10, 0.0f);  // before there is a range, in pieces
  Histogram whole, pieces;
  whole.Add(values);
  for (float v : values) pieces.Add({&v, 1});
  EXPECT_TRUE(std::ranges::equal(whole.bins(), pieces.bins()));
  EXPECT_EQ(whole.min(), pieces.min());
  EXPECT_EQ(whole.count(), pieces.count());
}

// 100,000 values of a normal distribution and one far outside: min-max pays for it with every other
// value, the others do not.
TEST(RangeTest, OneOutlierDoesNotWidenTheRange) {
  std::mt19937 rng(5);
  std::normal_distribution<float> normal;
  std::vector<float> values(100000);
  for (float& v : values) v = normal(rng);
  values[17] = 100;
  Histogram h;
  h.Add(values);
  EXPECT_EQ(ChooseRange(h, {RangeRule::Kind::kMinMax}).hi, 100);
  EXPECT_LT(ChooseRange(h, {RangeRule::Kind::kMse}).hi, 100);
  const Range r = ChooseRange(h, {RangeRule::Kind::kPercentile, 99.99});
  EXPECT_LT(r.hi, 6);
  EXPECT_GT(r.hi, 3);
  EXPECT_LT(r.lo, -3);
  EXPECT_GE(r.lo, static_cast<double>(h.min()) - h.bin_width());
}

TEST(RangeTest, LeastErrorIsNoWorseThanMinMax) {
  std::mt19937 rng(7);
  for (int trial = 0; trial < 20; ++trial) {
    std::vector<float> values(4000);
    for (float& v : values) v = std::pow(std::ldexp(static_cast<float>(rng()), -32), 1.0f + trial);
    Histogram h;
    h.Add(values);
    const auto error = [&](const Range& r) {
      const Affine a = AffineOf(r);
      double sum = 0;
      for (float v : values) {
        const float code = std::clamp(
            std::nearbyint(v / a.scale) + static_cast<float>(a.zero_point), -128.0f, 127.0f);
        const double e =
            static_cast<double>(a.scale * (code - static_cast<float>(a.zero_point)) - v);
        sum += e * e;
      }
      return sum;
    };
    EXPECT_LT(error(ChooseRange(h, {RangeRule::Kind::kMse})),
              1.05 * error(ChooseRange(h, {RangeRule::Kind::kMinMax})));
  }
}

TEST(RangeTest, CodesHaveAZero) {
  for (const Range& r :
       {Range{0, 6}, Range{-1, 1}, Range{2, 5}, Range{-7, -3}, Range{-0.001, 40}}) {
    const Affine a = AffineOf(r);
    EXPECT_GE(a.zero_point, -128);
    EXPECT_LE(a.zero_point, 127);
    const double lo = static_cast<double>(a.scale) * (-128 - a.zero_point);
    const double hi = static_cast<double>(a.scale) * (127 - a.zero_point);
    EXPECT_LE(lo, std::min(r.lo, 0.0) + static_cast<double>(a.scale));
    EXPECT_GE(hi, std::max(r.hi, 0.0) - static_cast<double>(a.scale));
  }
  EXPECT_EQ(AffineOf({0, 6}).zero_point, -128);
  EXPECT_GT(AffineOf({0, 0}).scale, 0);
}

TEST(RangeTest, EveryNumberHasACode) {
  const Affine a{0.5f, 10};
  EXPECT_EQ(CodeOf(3, a), 16);
  EXPECT_EQ(CodeOf(-0.7, a), 9);
  EXPECT_EQ(CodeOf(1e300, a), 127);
  EXPECT_EQ(CodeOf(-std::numeric_limits<double>::infinity(), a), -128);
  EXPECT_EQ(CodeOf(std::nan(""), a), 10);
}

TEST(WeightScaleTest, ExactCodesStayExact) {
  std::vector<float> weights;
  for (int code = -127; code <= 127; ++code) weights.push_back(static_cast<float>(code) * 0.03f);
  EXPECT_FLOAT_EQ(WeightScale(weights), 0.03f);
  EXPECT_EQ(WeightScale(std::vector<float>(5, 0.0f)), 0);
}

TEST(QuantizeWeightsTest, BiasTakesTheMeanErrorOff) {
  // Two outputs of three inputs; the second channel's weights are no multiples of its scale.
  const std::vector<float> values = {1.27f, 0.5f, -0.25f, 1.27f, 0.003f, 0.004f}, bias = {1, -2};
  ProductWeights w;
  w.values = values, w.n = 2, w.k = 3, w.in_channels = 3;
  const std::vector<double> means = {1, 10, 20};
  const WeightCodes plain = QuantizeWeights(w, bias, 0.1f, {});
  const WeightCodes corrected = QuantizeWeights(w, bias, 0.1f, means);
  EXPECT_EQ(plain.codes, corrected.codes);
  for (size_t c = 0; c < 2; ++c) {
    double real = static_cast<double>(bias[c]), quantized = 0;
    for (size_t i = 0; i < 3; ++i) {
      real += static_cast<double>(values[c * 3 + i]) * means[i];
      quantized += corrected.codes[c * 3 + i] * static_cast<double>(corrected.scale[c]) * means[i];
    }
    quantized += corrected.bias[c] * 0.1 * static_cast<double>(corrected.scale[c]);
    EXPECT_NEAR(real, quantized, 0.1 * static_cast<double>(corrected.scale[c]));
  }
  EXPECT_NE(plain.bias[1], corrected.bias[1]);
}

TEST(QuantizeWeightsTest, CodesThatAreThereStay) {
  const std::vector<int8_t> codes = {-127, 5, 1, 100, -3, 64};
  const std::vector<float> scale = {0.013f, 0.7f}, bias = {1, -2};
  std::vector<float> values;
  for (size_t i = 0; i < codes.size(); ++i) values.push_back(scale[i / 3] * codes[i]);
  ProductWeights w;
  w.values = values, w.n = 2, w.k = 3, w.in_channels = 3, w.scale = scale;
  const std::vector<double> means = {1, 10, 20};
  const WeightCodes kept = QuantizeWeights(w, bias, 0.1f, means);
  EXPECT_EQ(kept.codes, codes);
  EXPECT_EQ(kept.scale, scale);
  EXPECT_EQ(kept.bias, QuantizeWeights(w, bias, 0.1f, {}).bias);  // nothing to correct
  // Without them the second channel gets its own: 100 becomes 127.
  w.scale = {};
  EXPECT_NE(QuantizeWeights(w, bias, 0.1f, {}).codes, codes);
}

TEST(QuantizeWeightsTest, ABiasThatDoesNotFitWidensItsScale) {
  const std::vector<float> values = {1e-6f, 0}, bias = {5, 5};
  ProductWeights w;
  w.values = values, w.n = 2, w.k = 1;
  const WeightCodes codes = QuantizeWeights(w, bias, 1e-3f, {});
  for (size_t c = 0; c < 2; ++c) {
    EXPECT_NEAR(codes.bias[c] * 1e-3 * static_cast<double>(codes.scale[c]), 5, 1e-3);
    EXPECT_LE(std::abs(codes.bias[c]), 1 << 30);
  }
}

TEST(ProductWeightsTest, ChannelsOfGroups) {
  ProductWeights w;
  w.n = 6, w.k = 4, w.groups = 2, w.in_channels = 4;  // two taps of two channels
  EXPECT_EQ(w.in_channel(0, 3), 1);
  EXPECT_EQ(w.in_channel(3, 2), 2);
  w.depthwise = true;
  w.n = 8;
  EXPECT_EQ(w.in_channel(5, 0), 2);  // multiplier 2
}

}  // namespace
}  // namespace whit::tools
