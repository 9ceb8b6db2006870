// The checksum channel of integer products on every tier that this CPU runs: it fits when nothing
// is wrong, and every single flipped bit that changes an accumulator breaks it.
#include "kernels/product_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

#include "kernels/pack.h"
#include "kernels/simd/kernels.h"
#include "tests/kernels/test_tiers.h"

namespace whit {
namespace {

// A block of rows times the panels of one group, with everything a kernel wants.
class Block {
 public:
  Block(const simd::Tier& tier, int64_t rows, int64_t k, int64_t n, int8_t weight_zero_point,
        std::mt19937* rng)
      : kernels_(*tier.kernels), act_bias_(tier.act_bias) {
    std::vector<int8_t> ohwi(static_cast<size_t>(n * k));
    for (int8_t& w : ohwi) w = static_cast<int8_t>((*rng)());
    packed_ = PackPanel16I8(ohwi, n, 1, 1, k);
    packed_.data.resize(packed_.data.size() + 64);
    packed_.sums.resize(static_cast<size_t>(n) + 16);
    bias_.resize(static_cast<size_t>(n) + 16);
    for (int64_t i = 0; i < n; ++i)
      bias_[static_cast<size_t>(i)] = static_cast<int32_t>((*rng)() % 20001) - 10000;
    multiplier_.assign(static_cast<size_t>(n) + 16, 0.001f);
    product_.dims = {
        .layout = WeightLayout::kPanel16I8, .groups = 1, .n = n, .runs = 1, .run_length = k};
    product_.weights = packed_.data.data();
    product_.sums = packed_.sums.data();
    product_.out.bias = reinterpret_cast<const uint8_t*>(bias_.data());
    product_.out.weight_zero_point = weight_zero_point;
    stride_ = (k + 3) / 4 * 4;
    x_.resize(static_cast<size_t>(rows * stride_) + 64);
    for (uint8_t& x : x_) x = static_cast<uint8_t>((*rng)());
    for (int64_t i = 0; i < rows; ++i) rows_.push_back(x_.data() + i * stride_);
    for (int64_t s = 0; s < product_.dims.steps(); ++s)
      offsets_.push_back(static_cast<int32_t>(4 * s));
    check_ = MakeProductCheck(product_, act_bias_, kernels_.dot_bytes);
    Prepare();
  }

  /// What the accumulators will sum to, from weights as they were when the block was made.
  uint32_t Expected() const {
    const int32_t run = 0;
    simd::RowDots d;
    d.rows = rows_.data(), d.count = count(), d.offsets = &run, d.runs = 1;
    d.table_run = check_.run_elems, d.table = check_.Low(product_.dims, 0);
    d.row_spread = check_.row_spread;
    uint32_t sum = SumOfRowWeights(count(), d.row_spread) * check_.start[0] + kernels_.row_dots(d);
    d.table = check_.High(product_.dims, 0);
    if (d.table != nullptr) sum += 65536u * kernels_.row_dots(d);
    return sum;
  }

  uint32_t Run() {
    std::memset(total_, 0, sizeof total_);
    kernels_.product_i8(p_);
    return TotalOf(total_, check_.spread);
  }

  /// Every accumulator as plain arithmetic has it, from what memory holds now.
  std::vector<int32_t> Accumulators() const {
    const WeightDims& d = product_.dims;
    const std::vector<int8_t> ohwi = UnpackI8(packed_.View());
    std::vector<int32_t> out;
    for (int64_t i = 0; i < count(); ++i) {
      for (int64_t n = 0; n < d.n; ++n) {
        const auto zero = product_.out.weight_zero_point;
        const auto sum = static_cast<uint32_t>(packed_.sums[static_cast<size_t>(n)] - d.k() * zero);
        uint32_t acc = static_cast<uint32_t>(bias_[static_cast<size_t>(n)]) -
                       static_cast<uint32_t>(act_bias_) * sum;
        for (int64_t k = 0; k < d.k(); ++k) {
          const uint8_t stored = rows_[static_cast<size_t>(i)][k];
          const int32_t x = act_bias_ != 0 ? stored : static_cast<int8_t>(stored);
          acc += static_cast<uint32_t>(x * (ohwi[static_cast<size_t>(n * d.k() + k)] - zero));
        }
        out.push_back(static_cast<int32_t>(acc));
      }
    }
    return out;
  }

  int64_t count() const { return static_cast<int64_t>(rows_.size()); }
  std::span<uint8_t> weights() { return {packed_.data.data(), packed_.data.size() - 64}; }
  std::span<uint8_t> activations() { return {x_.data(), x_.size() - 64}; }
  std::span<uint8_t> starts() {
    return {reinterpret_cast<uint8_t*>(bias_.data()), static_cast<size_t>(4 * product_.dims.n)};
  }

 private:
  void Prepare() {
    const WeightDims& d = product_.dims;
    const auto steps = static_cast<size_t>(d.steps());
    max_.assign(steps + 256, 0);
    std::fill_n(max_.begin(), steps, uint8_t{255});
    pair_max_.assign(steps + 256, 0);
    std::fill_n(pair_max_.begin(), (steps + 1) / 2, uint8_t{255});
    lists_.resize(simd::kListBytesPerStep * (steps + 1));
    zipped_.resize(128 * (steps + 1));
    row_start_.assign(static_cast<size_t>(count()) + 16, 0);
    out_.resize(static_cast<size_t>(count() * d.n) + 64);
    p_.rows = rows_.data(), p_.count = count();
    p_.offsets = offsets_.data(), p_.steps = d.steps(), p_.run_steps = d.steps(), p_.one_run = true;
    p_.weights = reinterpret_cast<const int8_t*>(product_.weights);
    p_.n = d.n, p_.panel_end = d.panels();
    p_.quant.bias = bias_.data(), p_.quant.sums = packed_.sums.data();
    p_.quant.multiplier = multiplier_.data();
    p_.quant.act_bias = act_bias_;
    p_.quant.sums_minus = static_cast<int32_t>(d.k() * product_.out.weight_zero_point);
    p_.quant.lo = -128, p_.quant.hi = 127, p_.quant.zero_point = act_bias_;
    if (product_.out.weight_zero_point != 0) SumRows();
    p_.out = out_.data(), p_.out_stride = d.n;
    p_.step_max = max_.data(), p_.pair_max = pair_max_.data();
    p_.limit1 = packed_.limits.data(), p_.limit2 = packed_.limits.data() + Limit1Bytes(d);
    p_.lists = lists_.data();
    if (count() >= kernels_.zips_rows) p_.zipped = zipped_.data();
    p_.total = total_, p_.row_spread = check_.row_spread;
  }

  void SumRows() {
    const int32_t run = 0;
    simd::RowSums s;
    s.rows = rows_.data(), s.count = count(), s.offsets = &run;
    s.runs = 1, s.length = product_.dims.k(), s.scale = -product_.out.weight_zero_point;
    s.sums = row_start_.data();
    kernels_.row_sums(s);
    p_.row_start = row_start_.data();
  }

  const simd::Kernels& kernels_;
  const int32_t act_bias_;
  PackedArrays packed_;
  std::vector<int32_t> bias_, offsets_, row_start_;
  std::vector<float> multiplier_;
  RowProduct product_;
  int64_t stride_ = 0;
  std::vector<uint8_t> x_, max_, pair_max_, lists_, zipped_, out_;
  std::vector<const uint8_t*> rows_;
  ProductCheck check_;
  simd::ProductI8 p_;
  alignas(64) int32_t total_[16];
};

TEST(ProductCheck, FitsForEveryShape) {
  for (const simd::Tier* tier : RunnableTiers()) {
    std::mt19937 rng(1);
    for (int64_t rows : {1, 2, 3, 5, 8, 13, 40}) {
      for (int64_t n : {1, 7, 8, 10, 16, 17, 24, 40, 64, 100}) {
        for (int64_t k : {1, 3, 4, 9, 27, 64, 100, 300}) {
          const auto zero =
              static_cast<int8_t>(rng() % 3 == 0 ? static_cast<int>(rng() % 200) - 100 : 0);
          Block block(*tier, rows, k, n, zero, &rng);
          const uint32_t want = block.Expected();
          ASSERT_EQ(block.Run(), want) << tier->name << " " << rows << "x" << k << "x" << n;
        }
      }
    }
  }
}

// Weights, accumulators (by what they start with), and copies of activations in scratch, flipped
// after the expected sum was made.
TEST(ProductCheck, FlipsThatChangeAnAccumulatorAreFound) {
  constexpr int kSites = 3, kFlips = 13500;
  for (const simd::Tier* tier : RunnableTiers()) {
    std::mt19937 rng(2);
    std::array<int, kSites> changed{}, missed{};
    for (int i = 0; i < kFlips; ++i) {
      // Of one row, a start value is an accumulator.
      const int64_t rows = i % kSites == 1 ? 1 : 1 + static_cast<int64_t>(rng() % 9);
      Block block(*tier, rows, 1 + static_cast<int64_t>(rng() % 40),
                  1 + static_cast<int64_t>(rng() % 40), 0, &rng);
      const uint32_t want = block.Expected();
      const std::vector<int32_t> before = block.Accumulators();
      const std::array<std::span<uint8_t>, kSites> sites = {block.weights(), block.starts(),
                                                            block.activations()};
      const auto at = static_cast<size_t>(i % kSites);
      sites[at][rng() % sites[at].size()] ^= static_cast<uint8_t>(1u << rng() % 8);
      if (block.Accumulators() == before) continue;
      ++changed[at];
      missed[at] += block.Run() == want;
    }
    for (int c : changed) EXPECT_GT(c, kFlips / kSites / 2) << tier->name;
    std::printf("%s: missed %d of %d weights, %d of %d accumulators, %d of %d activations\n",
                tier->name, missed[0], changed[0], missed[1], changed[1], missed[2], changed[2]);
    // A flipped weight changes the total by the sum of the activations that it meets: above 0 where
    // they are unsigned, by accident 0 where they are signed. A flipped activation changes it by
    // the sum of the weights that it meets, by accident 0 too. docs/trust.md has the shares.
    const bool is_signed = tier->act_bias == 0;
    EXPECT_LE(missed[0], is_signed ? changed[0] / 1000 : 0) << tier->name;
    EXPECT_EQ(missed[1], 0) << tier->name;
    EXPECT_LE(missed[2], changed[2] / 1000) << tier->name;
  }
}

}  // namespace
}  // namespace whit
