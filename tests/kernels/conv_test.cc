// The convolutions and fully connected against naive sums.
#include <gtest/gtest.h>

#include "tests/kernels/weighted_cases.h"

namespace whit {
namespace {

OpType TypeOf(const ConvCase& c) {
  return c.depthwise    ? OpType::kDepthwiseConv2D
         : c.transposed ? OpType::kTransposeConv2D
                        : OpType::kConv2D;
}

ConvCase RandomCase(CaseRandom& r, bool depthwise, bool transposed) {
  ConvCase c;
  c.depthwise = depthwise;
  c.transposed = transposed;
  c.batch = r.In(1, 2), c.h = r.In(1, 9), c.w = r.In(1, 9);
  c.kh = r.In(1, 4), c.kw = r.In(1, 4);
  c.stride_h = r.In(1, 3), c.stride_w = r.In(1, 3);
  if (!transposed) c.dil_h = r.In(1, 2), c.dil_w = r.In(1, 2);
  c.cin = r.In(1, 40), c.cout = r.In(1, 40);
  if (depthwise) c.cout = c.cin * (r.Chance(2) ? 1 : r.In(1, 3));
  if (!depthwise && !transposed && r.Chance(3)) {
    c.groups = r.In(2, 4);
    c.cin = c.groups * r.In(1, 9), c.cout = c.groups * r.In(1, 20);
  }
  if (transposed) {
    c.top = r.In(0, c.kh - 1), c.left = r.In(0, c.kw - 1);
    if (c.out_h() <= 0) c.top = 0;
    if (c.out_w() <= 0) c.left = 0;
    return c;
  }
  const auto pad = [&](int64_t in, int64_t extent, int64_t* before, int64_t* after) {
    *before = r.In(0, 3), *after = r.In(0, 3);
    if (in + *before + *after < extent) *after = extent - in - *before;
  };
  pad(c.h, (c.kh - 1) * c.dil_h + 1, &c.top, &c.bottom);
  pad(c.w, (c.kw - 1) * c.dil_w + 1, &c.left, &c.right);
  return c;
}

struct Ranges {
  bool extreme = false;
  int32_t weight_zero_point = 0;
  bool large_multipliers = false;
};

void CheckInt8(CaseRandom& r, const ConvCase& c, const Ranges& ranges) {
  SCOPED_TRACE(c.ToString() + " zw " + std::to_string(ranges.weight_zero_point));
  const auto x = r.Integers<int8_t>(c.x_shape().elements(), -128, 127, ranges.extreme);
  const auto w = r.Integers<int8_t>(c.w_shape().elements(), -128, 127, ranges.extreme);
  const auto bias = r.Integers<int32_t>(c.cout, -20000, 20000);
  // Products beyond 2^31, and infinite ones, saturate.
  const float most = !ranges.large_multipliers ? 2e-3f : r.Chance(2) ? 1e5f : 3e38f;
  const auto multiplier = r.Reals(c.cout, 1e-4f, most);
  const int32_t zx = static_cast<int32_t>(r.In(-128, 127)), zw = ranges.weight_zero_point;
  const int32_t zy = static_cast<int32_t>(r.In(-128, 127));
  const int32_t lo = r.Chance(2) ? zy : -128;

  std::vector<int64_t> acc(static_cast<size_t>(c.y_shape().elements()));
  for (size_t i = 0; i < acc.size(); ++i) acc[i] = bias[i % static_cast<size_t>(c.cout)];
  c.ForEachProduct([&](int64_t out, int64_t, int64_t in, int64_t weight) {
    const int32_t xv = in < 0 ? 0 : x[static_cast<size_t>(in)] - zx;
    acc[static_cast<size_t>(out)] += int64_t{xv} * (w[static_cast<size_t>(weight)] - zw);
  });
  std::vector<int8_t> want;
  for (size_t i = 0; i < acc.size(); ++i) {
    const float m = multiplier[i % static_cast<size_t>(c.cout)];
    want.push_back(static_cast<int8_t>(RequantizeOracle(acc[i], false, m, zy, lo, 127)));
  }

  PackedArrays packed = c.Pack(w);
  packed.zero_point = zw;
  std::vector<int32_t> stored = bias;
  for (size_t n = 0; n < stored.size() && !c.transposed; ++n) {
    stored[n] = FoldBias(bias[n], packed.sums[n], c.k(), zx, zw);
  }
  fbs::ConvOptionsT options = c.Options();
  options.weights = 0, options.bias = 0, options.multiplier = 1;
  options.lo = static_cast<float>(lo);
  OpTester t(TypeOf(c), options);
  t.Input(Quantized<int8_t>(c.x_shape(), x, 0.5f, zx));
  t.Output(DType::kInt8, c.y_shape(), 0.25f, zy);
  t.Weights(packed.View());
  t.Blob(stored);
  t.Blob(multiplier);
  const Status status = t.Run();
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(t.Out<int8_t>(0), want);
  EXPECT_EQ(t.prepared().macs, c.y_shape().elements() * c.k());
}

void CheckInt16(CaseRandom& r, const ConvCase& c, bool extreme) {
  SCOPED_TRACE(c.ToString());
  const auto x = r.Integers<int16_t>(c.x_shape().elements(), -32768, 32767, extreme);
  const auto w = r.Integers<int8_t>(c.w_shape().elements(), -128, 127, extreme);
  const auto bias = r.Integers<int64_t>(c.cout, -(int64_t{1} << 33), int64_t{1} << 33);
  const auto multiplier = r.Reals(c.cout, 1e-6f, 2e-5f);
  std::vector<int64_t> acc(static_cast<size_t>(c.y_shape().elements()));
  for (size_t i = 0; i < acc.size(); ++i) acc[i] = bias[i % static_cast<size_t>(c.cout)];
  c.ForEachProduct([&](int64_t out, int64_t, int64_t in, int64_t weight) {
    if (in < 0) return;
    acc[static_cast<size_t>(out)] +=
        int64_t{x[static_cast<size_t>(in)]} * w[static_cast<size_t>(weight)];
  });
  std::vector<int16_t> want;
  for (size_t i = 0; i < acc.size(); ++i) {
    const float m = multiplier[i % static_cast<size_t>(c.cout)];
    want.push_back(static_cast<int16_t>(RequantizeOracle(acc[i], true, m, 0, -32768, 32767)));
  }
  const PackedArrays packed = c.Pack(w);
  fbs::ConvOptionsT options = c.Options();
  options.weights = 0, options.bias = 0, options.multiplier = 1;
  OpTester t(TypeOf(c), options);
  t.Input(Quantized<int16_t>(c.x_shape(), x, 0.5f, 0));
  t.Output(DType::kInt16, c.y_shape(), 0.25f, 0);
  t.Weights(packed.View());
  t.Blob(bias);
  t.Blob(multiplier);
  const Status status = t.Run();
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(t.Out<int16_t>(0), want);
}

void CheckFloat(CaseRandom& r, const ConvCase& c) {
  SCOPED_TRACE(c.ToString());
  const auto x = r.Reals(c.x_shape().elements(), -1, 1);
  const auto w = r.Reals(c.w_shape().elements(), -1, 1);
  const auto bias = r.Reals(c.cout, -1, 1);
  std::vector<double> acc(static_cast<size_t>(c.y_shape().elements()));
  for (size_t i = 0; i < acc.size(); ++i) acc[i] = double{bias[i % static_cast<size_t>(c.cout)]};
  c.ForEachProduct([&](int64_t out, int64_t, int64_t in, int64_t weight) {
    if (in < 0) return;
    acc[static_cast<size_t>(out)] +=
        double{x[static_cast<size_t>(in)]} * double{w[static_cast<size_t>(weight)]};
  });
  const PackedArrays packed = c.Pack(w);
  fbs::ConvOptionsT options = c.Options();
  options.weights = 0, options.bias = 0;
  options.lo = 0, options.hi = 6;
  OpTester t(TypeOf(c), options);
  t.Input(Plain<float>(c.x_shape(), x));
  t.Output(DType::kFloat32, c.y_shape());
  t.Weights(packed.View());
  t.Blob(bias);
  const Status status = t.Run();
  ASSERT_TRUE(status.ok()) << status.message();
  const auto got = t.Out<float>(0);
  ASSERT_EQ(got.size(), acc.size());
  const double tolerance =
      1e-7 * static_cast<double>(c.k() + 2);  // half an epsilon a term of at most 1
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(double{got[i]}, std::clamp(acc[i], 0.0, 6.0), tolerance) << i;
  }
}

TEST(ConvTest, Int8EqualsNaiveSums) {
  CaseRandom r(1);
  for (int i = 0; i < 150; ++i) {
    const Ranges ranges{
        .extreme = r.Chance(4),
        .weight_zero_point = r.Chance(3) ? static_cast<int32_t>(r.In(-128, 127)) : 0,
        .large_multipliers = r.Chance(4)};
    CheckInt8(r, RandomCase(r, false, false), ranges);
  }
}

TEST(ConvTest, DepthwiseInt8EqualsNaiveSums) {
  CaseRandom r(2);
  for (int i = 0; i < 150; ++i) {
    const Ranges ranges{
        .extreme = r.Chance(4),
        .weight_zero_point = r.Chance(3) ? static_cast<int32_t>(r.In(-128, 127)) : 0,
        .large_multipliers = r.Chance(4)};
    ConvCase c = RandomCase(r, true, false);
    if (i % 3 == 0) {  // registers do not span pixels, or a kernel is too large for that
      c.cin = c.cout = r.Chance(2) ? r.In(64, 200) : 16 * r.In(2, 4);
    } else if (i % 10 == 1) {
      c.h = c.kh = r.In(16, 18), c.dil_h = 1, c.cout = c.cin;
    } else if (i % 10 == 2) {
      c.w = r.In(100, 600), c.cout = c.cin;
    }
    if (i % 7 == 0) c.w = c.kw = c.dil_w = 1, c.left = c.right = 0;
    CheckInt8(r, c, ranges);
  }
}

TEST(ConvTest, TransposedInt8EqualsNaiveSums) {
  CaseRandom r(3);
  for (int i = 0; i < 150; ++i) {
    const Ranges ranges{
        .extreme = r.Chance(4),
        .weight_zero_point = r.Chance(3) ? static_cast<int32_t>(r.In(-128, 127)) : 0};
    CheckInt8(r, RandomCase(r, false, true), ranges);
  }
}

TEST(ConvTest, Int16EqualsNaiveSums) {
  CaseRandom r(4);
  for (int i = 0; i < 120; ++i) {
    CheckInt16(r, RandomCase(r, i % 3 == 1, i % 3 == 2), r.Chance(3));
  }
  // More products of one sign than int32 holds: the flush to int64 is needed.
  ConvCase deep;
  deep.cin = 3000, deep.cout = 17;
  CheckInt16(r, deep, true);
}

TEST(ConvTest, FloatIsCloseToDouble) {
  CaseRandom r(5);
  for (int i = 0; i < 120; ++i) CheckFloat(r, RandomCase(r, i % 3 == 1, i % 3 == 2));
}

TEST(ConvTest, MoreThanOneBlockOfRows) {
  CaseRandom r(6);
  ConvCase c;
  c.batch = 2, c.h = 20, c.w = 23, c.cin = 24, c.cout = 40, c.kh = c.kw = 3;
  c.top = c.left = c.bottom = c.right = 1;
  CheckInt8(r, c, {});
  c.stride_h = c.stride_w = 2;
  CheckFloat(r, c);
  c.cin = 3, c.cout = 10;
  CheckInt8(r, c, {.extreme = true});
}

}  // namespace
}  // namespace whit
