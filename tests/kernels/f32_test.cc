// Float products and depthwise on the tiers: shapes around each tile, special values, and what only
// they promise. conv_test.cc has random ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/kernels/test_tiers.h"
#include "tests/kernels/weighted_cases.h"

namespace whit {
namespace {

bool HasFloats() {
  return std::ranges::any_of(RunnableTiers(), [](auto* tier) { return tier->f32 != nullptr; });
}

/// Runs `c` with random values, compared on all tiers by OpTester; `bias` may be absent.
/// `winograd`: that implementation accepts it too.
void Check(CaseRandom& r, const ConvCase& c, bool bias, float lo, float hi, bool winograd = false) {
  SCOPED_TRACE(c.ToString());
  const PackedArrays packed = c.Pack(r.Reals(c.w_shape().elements(), -1, 1));
  fbs::ConvOptionsT options = c.Options();
  options.weights = 0, options.bias = bias ? 0 : -1;
  options.lo = lo, options.hi = hi;
  OpTester t(c.depthwise    ? OpType::kDepthwiseConv2D
             : c.transposed ? OpType::kTransposeConv2D
                            : OpType::kConv2D,
             options);
  t.Input(Plain<float>(c.x_shape(), r.Reals(c.x_shape().elements(), -1, 1)));
  t.Output(DType::kFloat32, c.y_shape());
  t.Weights(packed.View());
  t.Blob(r.Reals(c.cout, -1, 1));
  const Status status = t.Run();
  ASSERT_TRUE(status.ok()) << status.message();
  if (!HasFloats()) return;
  std::vector<std::string> want;
  if (winograd) want.emplace_back("winograd_f32");
  want.emplace_back(c.depthwise ? "taps_f32" : c.transposed ? "phases_f32" : "panel_f32");
  EXPECT_EQ(t.alternatives_run(), want);
}

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(F32Test, RowsAndChannelsAroundEveryTile) {
  CaseRandom r(1);
  for (int64_t rows = 1; rows <= 27; ++rows) {
    for (const int64_t cout : {1, 7, 8, 9, 16, 17, 24, 25, 32, 40, 47, 65, 96, 129, 200}) {
      ConvCase c;
      c.w = rows, c.cin = r.In(1, 9), c.cout = cout;
      Check(r, c, cout % 2 == 0, -1, kInfinity);
    }
  }
}

TEST(F32Test, DepthwiseAroundEveryRegister) {
  CaseRandom r(2);
  for (int64_t channels = 1; channels <= 50; ++channels) {
    for (const int64_t multiplier : {1, 2, 3, 8}) {
      ConvCase c;
      c.depthwise = true;
      c.h = r.In(3, 7), c.w = r.In(3, 12), c.kh = c.kw = 3;
      c.cin = channels, c.cout = channels * multiplier;
      c.top = c.left = r.In(0, 1), c.bottom = c.right = r.In(0, 1);
      c.stride_h = c.stride_w = r.In(1, 2);
      Check(r, c, channels % 2 == 0, -0.5f, 0.75f);
    }
  }
}

TEST(F32Test, DepthwiseOfEveryKernel) {
  CaseRandom r(3);
  for (int i = 0; i < 200; ++i) {
    ConvCase c;
    c.depthwise = true;
    c.batch = r.In(1, 2), c.h = r.In(1, 9), c.w = r.In(1, 13), c.kh = r.In(1, 7), c.kw = r.In(1, 7);
    c.dil_h = r.In(1, 3), c.dil_w = r.In(1, 3), c.stride_h = r.In(1, 4), c.stride_w = r.In(1, 4);
    c.cin = r.In(1, 36), c.cout = c.cin;
    c.top = r.In(0, 4), c.left = r.In(0, 4), c.bottom = r.In(0, 4), c.right = r.In(0, 4);
    c.bottom = std::max(c.bottom, (c.kh - 1) * c.dil_h + 1 - c.h - c.top);
    c.right = std::max(c.right, (c.kw - 1) * c.dil_w + 1 - c.w - c.left);
    Check(r, c, true, -kInfinity, kInfinity);
  }
}

TEST(F32Test, TransposedOfEveryKernel) {
  CaseRandom r(7);
  for (int i = 0; i < 150; ++i) {
    ConvCase c;
    c.transposed = true;
    c.batch = r.In(1, 2), c.h = r.In(1, 5), c.w = r.In(1, 20), c.kh = r.In(1, 6), c.kw = r.In(1, 6);
    c.stride_h = r.In(1, 4), c.stride_w = r.In(1, 4);
    c.cin = r.In(1, 20), c.cout = r.In(1, 40);
    c.top = r.In(0, c.kh - 1), c.left = r.In(0, c.kw - 1);
    c.bottom = r.In(0, c.kh - 1), c.right = r.In(0, c.kw - 1);
    if (c.out_h() <= 0) c.top = c.bottom = 0;
    if (c.out_w() <= 0) c.left = c.right = 0;
    Check(r, c, r.Chance(2), -kInfinity, kInfinity);
  }
}

TEST(F32Test, ProductsOfActivations) {
  CaseRandom r(8);
  for (int i = 0; i < 100; ++i) {
    const int64_t m = r.In(1, 30), k = r.In(1, 70), n = r.In(1, 180), batch = r.In(1, 3);
    const bool adj_x = r.Chance(2), adj_y = r.Chance(2), broadcast = r.Chance(2);
    SCOPED_TRACE(std::to_string(m) + " x " + std::to_string(k) + " x " + std::to_string(n));
    fbs::BatchMatMulOptionsT options;
    options.adj_x = adj_x, options.adj_y = adj_y, options.lo = -2;
    OpTester t(OpType::kBatchMatMul, options);
    const Shape x = adj_x ? Shape{batch, k, m} : Shape{batch, m, k};
    const Shape y = adj_y ? Shape{broadcast ? 1 : batch, n, k} : Shape{broadcast ? 1 : batch, k, n};
    t.Input(Plain<float>(x, r.Reals(x.elements(), -1, 1)));
    t.Input(Plain<float>(y, r.Reals(y.elements(), -1, 1)));
    t.Output(DType::kFloat32, {batch, m, n});
    ASSERT_TRUE(t.Run().ok());
    if (!HasFloats()) continue;
    EXPECT_EQ(t.alternatives_run(), std::vector<std::string>{"panel_f32"});
  }
}

TEST(F32Test, WinogradOfEverySizeAndPadding) {
  CaseRandom r(9);
  for (int i = 0; i < 60; ++i) {
    ConvCase c;
    c.kh = c.kw = 3;
    c.batch = r.In(1, 2), c.h = r.In(6, 12), c.w = r.In(7, 13);
    c.cin = r.In(16, 40), c.cout = r.In(12, 70);
    c.top = r.In(0, 3), c.bottom = r.In(0, 3), c.left = r.In(0, 3), c.right = r.In(0, 3);
    const int64_t tiles = c.batch * ((c.out_h() + 1) / 2) * ((c.out_w() + 1) / 2);
    Check(r, c, r.Chance(2), -kInfinity, r.Chance(2) ? 1 : kInfinity, tiles >= 12);
  }
}

TEST(F32Test, ManyTasks) {
  CaseRandom r(4);
  ConvCase c;
  c.batch = 2, c.h = 40, c.w = 37, c.cin = 20, c.cout = 37, c.kh = 3, c.kw = 3;
  c.top = c.left = c.bottom = c.right = 1;
  Check(r, c, true, 0, 6, true);
  c.depthwise = true, c.cin = c.cout = 37;
  Check(r, c, true, 0, 6);
}

/// Float activations times int8 weights: the bytes of the reference, whose float operations are the
/// same ones.
void CheckHybrid(CaseRandom& r, const ConvCase& c, int32_t weight_zero_point, bool bias) {
  SCOPED_TRACE(c.ToString() + " zw " + std::to_string(weight_zero_point));
  PackedArrays packed = c.Pack(r.Integers<int8_t>(c.w_shape().elements(), -128, 127, r.Chance(4)));
  packed.zero_point = weight_zero_point;
  fbs::ConvOptionsT options = c.Options();
  options.weights = 0, options.multiplier = 0, options.bias = bias ? 1 : -1;
  options.lo = r.Chance(2) ? 0.0f : -kInfinity;
  OpTester t(OpType::kConv2D, options);
  t.Input(Plain<float>(c.x_shape(), r.Reals(c.x_shape().elements(), r.Chance(2) ? 0 : -3, 5)));
  t.Output(DType::kFloat32, c.y_shape());
  t.Weights(packed.View());
  t.Blob(r.Reals(c.cout, 0.001f, 2));
  t.Blob(r.Reals(c.cout, -1, 1));
  t.FloatTolerance(0);
  const Status status = t.Run();
  ASSERT_TRUE(status.ok()) << status.message();
  if (!HasFloats()) return;
  ASSERT_FALSE(t.alternatives_run().empty());
  EXPECT_EQ(t.alternatives_run().front(), "panel");
}

TEST(F32Test, HybridEqualsTheReference) {
  CaseRandom r(6);
  for (int i = 0; i < 150; ++i) {
    ConvCase c;
    c.batch = r.In(1, 3), c.h = r.In(1, 8), c.w = r.In(1, 14), c.kh = r.In(1, 3), c.kw = r.In(1, 3);
    c.groups = r.Chance(4) ? r.In(2, 3) : 1;
    c.cin = c.groups * r.In(1, 40), c.cout = c.groups * r.In(1, 40);
    c.stride_h = r.In(1, 2), c.stride_w = r.In(1, 2);
    if (i % 2 == 0) c.kh = c.kw = c.stride_h = c.stride_w = 1;  // every pixel for itself
    c.top = c.left = c.bottom = c.right = c.kh / 2;
    c.right = std::max(c.right, c.kw - c.w - c.left), c.bottom = std::max(c.bottom, c.kh - c.h);
    const auto zero_point = static_cast<int32_t>(r.Chance(3) ? r.In(-128, 127) : 0);
    CheckHybrid(r, c, zero_point, r.Chance(2));
  }
  ConvCase large;  // many blocks
  large.batch = 2, large.h = 33, large.w = 60, large.cin = 24, large.cout = 33;
  large.kh = large.kw = 3, large.top = large.left = large.bottom = large.right = 1;
  CheckHybrid(r, large, 0, true);
  large.kh = large.kw = 1, large.top = large.left = large.bottom = large.right = 0;
  CheckHybrid(r, large, 0, true);
}

/// A clamp passes NaN, and outputs do not see their neighbours'.
TEST(F32Test, NanStaysInItsPlace) {
  constexpr int64_t kRows = 15, kIn = 5, kOut = 40;
  CaseRandom r(5);
  std::vector<float> x = r.Reals(kRows * kIn, -1, 1), w = r.Reals(kOut * kIn, -1, 1);
  x[3 * kIn + 2] = std::nanf("");
  w[7 * kIn + 1] = kInfinity;
  ConvCase c;
  c.w = kRows, c.cin = kIn, c.cout = kOut;
  const PackedArrays packed = c.Pack(w);
  fbs::ConvOptionsT options = c.Options();
  options.weights = 0, options.bias = -1, options.lo = 0, options.hi = 6;
  OpTester t(OpType::kConv2D, options);
  t.Input(Plain<float>(c.x_shape(), x));
  t.Output(DType::kFloat32, c.y_shape());
  t.Weights(packed.View());
  ASSERT_TRUE(t.Run().ok());  // compares all tiers with the reference, NaN with NaN
  const std::vector<float> y = t.Out<float>(0);
  for (size_t i = 0; i < y.size(); ++i) EXPECT_EQ(std::isnan(y[i]), i / kOut == 3) << i;
}

}  // namespace
}  // namespace whit
