// The checksum channel of depthwise convolutions on every tier that this CPU runs. That it fits
// where nothing is wrong is tested with all other cases (OpTester); here bits flip after the
// expected sum was made, and every one that changes the sum of the accumulators is found.
#include "kernels/simd/depthwise_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "kernels/product_check.h"
#include "tests/kernels/test_tiers.h"
#include "tests/kernels/weighted_cases.h"

namespace whit {
namespace {

// One image, all lines one task, with everything a kernel wants.
class DepthwiseBlock {
 public:
  DepthwiseBlock(const simd::Tier& tier, const ConvCase& c, CaseRandom* random)
      : kernels_(*tier.kernels), c_(c), act_bias_(tier.act_bias) {
    packed_ = c.Pack(random->Integers<int8_t>(c.w_shape().elements(), -128, 127));
    packed_.data.resize(packed_.data.size() + 64);
    packed_.sums.resize(static_cast<size_t>(c.cout) + 16);
    bias_ = random->Integers<int32_t>(c.cout + 16, -10000, 10000);
    multiplier_.assign(static_cast<size_t>(c.cout) + 16, 0.001f);
    x_ = random->Integers<uint8_t>(c.x_shape().elements() + 64, 0, 255);
    out_.resize(static_cast<size_t>(c.y_shape().elements()) + 64);
    scratch_.resize(1 << 18);
    dw_.g = {.in_h = c.h,
             .in_w = c.w,
             .in_c = c.cin,
             .out_h = c.out_h(),
             .out_w = c.out_w(),
             .out_c = c.cout,
             .kernel_h = c.kh,
             .kernel_w = c.kw,
             .stride_h = c.stride_h,
             .stride_w = c.stride_w,
             .pad_top = c.top,
             .pad_left = c.left};
    dw_.weights = packed_.data.data(), dw_.sums = packed_.sums.data();
    dw_.out.bias = reinterpret_cast<const uint8_t*>(bias_.data());
    dw_.multiplier = c.cout / c.cin;
    dw_.in.zero_point = act_bias_ + 11;
    DepthwiseTasks tasks;
    tasks.lines = c.out_h();
    check_ = MakeDepthwiseCheck(dw_, tasks, act_bias_, kernels_.dot_bytes);
  }

  bool on() const { return check_.on; }
  uint32_t Expected() const { return check_.Expected(kernels_, 0, x_.data()); }

  uint32_t Run(bool flat) {
    const ConvGeometry& g = dw_.g;
    alignas(64) int32_t total[16] = {};
    simd::DepthwiseI8 p;
    p.x = x_.data(), p.in_h = g.in_h, p.in_w = g.in_w, p.in_c = g.in_c;
    p.kernel_h = g.kernel_h, p.kernel_w = g.kernel_w;
    p.stride_h = g.stride_h, p.stride_w = g.stride_w;
    p.pad_top = g.pad_top, p.pad_left = g.pad_left;
    p.multiplier = dw_.multiplier, p.zero = dw_.in.stored_zero_point();
    p.weights = reinterpret_cast<const int8_t*>(dw_.weights);
    p.quant.bias = bias_.data(), p.quant.sums = packed_.sums.data();
    p.quant.multiplier = multiplier_.data(), p.quant.act_bias = act_bias_;
    p.quant.lo = -128, p.quant.hi = 127, p.quant.zero_point = act_bias_;
    p.out = out_.data(), p.out_w = g.out_w, p.out_stride = g.out_c;
    p.line_end = g.out_h, p.channel_end = g.out_c;
    p.scratch = scratch_.data() + (64 - reinterpret_cast<uintptr_t>(scratch_.data()) % 64);
    p.total = total;
    (flat ? kernels_.depthwise_flat_i8 : kernels_.depthwise_i8)(p);
    return TotalOf(total, 0);
  }

  /// What the accumulators sum to, by plain arithmetic, from what memory holds now.
  uint32_t Total() const {
    const std::vector<int8_t> hwo = UnpackI8(packed_.View());
    uint32_t total = 0;
    for (int64_t o = 0; o < c_.cout; ++o) {
      const auto at = static_cast<size_t>(o);
      total += static_cast<uint32_t>(c_.out_h() * c_.out_w()) *
               (static_cast<uint32_t>(bias_[at]) -
                static_cast<uint32_t>(act_bias_) * static_cast<uint32_t>(packed_.sums[at]));
    }
    const auto stored = [&](uint8_t byte) {
      return act_bias_ != 0 ? int32_t{byte} : int32_t{static_cast<int8_t>(byte)};
    };
    c_.ForEachProduct([&](int64_t, int64_t, int64_t in, int64_t weight) {
      const uint8_t byte = in < 0 ? dw_.in.stored_zero_point() : x_[static_cast<size_t>(in)];
      total += static_cast<uint32_t>(stored(byte) * hwo[static_cast<size_t>(weight)]);
    });
    return total;
  }

  std::span<uint8_t> weights() { return {packed_.data.data(), packed_.data.size() - 64}; }
  std::span<uint8_t> activations() { return {x_.data(), x_.size() - 64}; }
  std::span<uint8_t> starts() {
    return {reinterpret_cast<uint8_t*>(bias_.data()), static_cast<size_t>(4 * c_.cout)};
  }

 private:
  const simd::Kernels& kernels_;
  const ConvCase c_;
  const int32_t act_bias_;
  PackedArrays packed_;
  std::vector<int32_t> bias_;
  std::vector<float> multiplier_;
  std::vector<uint8_t> x_, out_, scratch_;
  Depthwise dw_;
  DepthwiseCheck check_;
};

ConvCase RandomDepthwise(CaseRandom* random) {
  ConvCase c;
  c.depthwise = true;
  c.h = random->In(1, 12), c.w = random->In(1, 40);
  c.kh = random->In(1, 3), c.kw = random->In(1, 3);
  c.stride_h = random->In(1, 2), c.stride_w = random->In(1, 2);
  c.cin = random->In(1, 70), c.cout = c.cin * (random->Chance(4) ? 2 : 1);
  c.top = c.kh - 1, c.bottom = c.kh - 1, c.left = c.kw - 1, c.right = c.kw - 1;
  return c;
}

// Weights, what accumulators start with, and activations (as copies of them in scratch would).
TEST(DepthwiseCheck, FlipsThatChangeTheSumAreFound) {
  constexpr size_t kSites = 3, kFlips = 900;
  for (const simd::Tier* tier : RunnableTiers()) {
    if (tier->kernels->depthwise_i8 == nullptr) continue;
    CaseRandom random(3);
    int changed = 0, flat = 0;
    for (size_t i = 0; i < kFlips; ++i) {
      const ConvCase c = RandomDepthwise(&random);
      SCOPED_TRACE(std::string(tier->name) + " " + c.ToString());
      DepthwiseBlock block(*tier, c, &random);
      ASSERT_TRUE(block.on());
      const bool is_flat = c.cout == c.cin && c.cin <= 16 && random.Chance(2);
      flat += is_flat ? 1 : 0;
      const uint32_t want = block.Expected();
      ASSERT_EQ(want, block.Total());
      ASSERT_EQ(want, block.Run(is_flat));
      const std::span<uint8_t> sites[] = {block.weights(), block.starts(), block.activations()};
      const std::span<uint8_t> site = sites[i % kSites];
      site[static_cast<size_t>(random.In(0, static_cast<int64_t>(site.size()) - 1))] ^=
          static_cast<uint8_t>(1u << random.In(0, 7));
      const uint32_t now = block.Total();
      EXPECT_EQ(block.Run(is_flat), now);
      changed += now != want ? 1 : 0;
    }
    EXPECT_GT(changed, static_cast<int>(kFlips) * 3 / 4) << tier->name;
    EXPECT_GT(flat, 10) << tier->name;
  }
}

TEST(DepthwiseCheck, SumsThatDoNotFitAreLeftAlone) {
  ConvCase c;
  c.depthwise = true;
  c.h = 1, c.w = 70, c.kw = 70, c.cin = 1, c.cout = 1;
  CaseRandom random(4);
  for (const simd::Tier* tier : RunnableTiers()) {
    if (tier->kernels->depthwise_i8 == nullptr) continue;
    EXPECT_FALSE(DepthwiseBlock(*tier, c, &random).on()) << "more than 64 columns";
  }
}

}  // namespace
}  // namespace whit
