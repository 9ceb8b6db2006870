// Two-operand arithmetic against the real numbers that the operands stand for.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "tests/kernels/op_tester.h"
#include "tests/kernels/random.h"

namespace whit {
namespace {

// Flat index into a tensor of `shape` of the element that meets output element `at` under
// broadcasting.
int64_t BroadcastIndex(int64_t at, const Shape& out, const Shape& shape) {
  int64_t index = 0, step = 1;
  for (int k = 1; k <= out.rank(); ++k) {
    const int64_t own = k <= shape.rank() ? shape[shape.rank() - k] : 1;
    const int64_t dim = out[out.rank() - k];
    if (own != 1) index += at % dim * step;
    step *= own;
    at /= dim;
  }
  return index;
}

using Real = std::function<double(double, double)>;

double RealOf(OpType type, double a, double b) {
  switch (type) {
    case OpType::kAdd:
      return a + b;
    case OpType::kSub:
      return a - b;
    case OpType::kMul:
      return a * b;
    case OpType::kDiv:
      return a == 0 ? 0 : a / b;
    case OpType::kMaximum:
      return std::max(a, b);
    case OpType::kMinimum:
      return std::min(a, b);
    default:
      return (a - b) * (a - b);
  }
}

struct BinaryCase {
  Shape a, b, out;
};
const BinaryCase kBinaryCases[] = {
    {{2, 3, 5, 7}, {2, 3, 5, 7}, {2, 3, 5, 7}},    // one span
    {{2, 3, 5, 7}, {7}, {2, 3, 5, 7}},             // trailing channel
    {{2, 3, 5, 7}, {1}, {2, 3, 5, 7}},             // scalar
    {{}, {4, 33}, {4, 33}},                        // scalar of rank 0 in front
    {{2, 1, 5, 1}, {3, 1, 7}, {2, 3, 5, 7}},       // both repeated
    {{2, 3, 1, 1}, {2, 3, 4, 5}, {2, 3, 4, 5}},    // inner axes repeated
    {{1, 16, 1, 3}, {4, 1, 5, 3}, {4, 16, 5, 3}},  //
    {{2, 1, 2, 1, 2, 1, 2, 1}, {1, 2, 1, 2, 1, 2, 1, 2}, {2, 2, 2, 2, 2, 2, 2, 2}},  // rank 8
    {{1, 1}, {1, 1}, {1, 1}},
    {{0, 4}, {4}, {0, 4}},
};

constexpr OpType kQuantizedOps[] = {OpType::kAdd,
                                    OpType::kSub,
                                    OpType::kMul,
                                    OpType::kDiv,
                                    OpType::kMaximum,
                                    OpType::kMinimum,
                                    OpType::kSquaredDifference};

std::string Describe(OpType type, const BinaryCase& c) {
  return std::string(RowOf(type).name) + " " + c.a.ToString() + " " + c.b.ToString();
}

template <typename T>
void CheckQuantized(OpType type, const BinaryCase& c, float sa, int za, float sb, int zb, float so,
                    int zo, float lo = -kInf, float hi = kInf) {
  SCOPED_TRACE(Describe(type, c));
  const double type_lo = std::numeric_limits<T>::min(), type_hi = std::numeric_limits<T>::max();
  const auto a = RandomValues<T>(c.a.elements(), type_lo, type_hi, 1);
  const auto b = RandomValues<T>(c.b.elements(), type_lo, type_hi, 2);
  fbs::BinaryOptionsT options;
  options.lo = lo;
  options.hi = hi;
  OpTester t(type, options);
  t.Input(Quantized<T>(c.a, a, sa, za)).Input(Quantized<T>(c.b, b, sb, zb));
  t.Output(DTypeOf<T>(), c.out, so, zo);
  const Status status = t.Run();
  ASSERT_TRUE(status.ok()) << status.message();
  const auto got = t.Out<T>(0);
  double worst = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const int64_t at = static_cast<int64_t>(i);
    const double x = double{sa} * (a[static_cast<size_t>(BroadcastIndex(at, c.out, c.a))] - za);
    const double y = double{sb} * (b[static_cast<size_t>(BroadcastIndex(at, c.out, c.b))] - zb);
    const double exact = std::clamp(zo + RealOf(type, x, y) / double{so},
                                    std::max<double>(lo, type_lo), std::min<double>(hi, type_hi));
    worst = std::max(worst, std::fabs(got[i] - exact));
    ASSERT_LE(std::fabs(got[i] - exact), 0.51) << "element " << i << ": " << x << ", " << y;
  }
}

TEST(Binary, QuantizedIsWithinHalfAStepOfTheRealResult) {
  for (const OpType type : kQuantizedOps) {
    for (const BinaryCase& c : kBinaryCases) {
      CheckQuantized<int8_t>(type, c, 0.023f, -3, 0.041f, 11, 0.05f, -17);
      CheckQuantized<int8_t>(type, c, 0.5f, 0, 0.25f, 127, 1.0f, -128);
      CheckQuantized<int16_t>(type, c, 3.1e-4f, 0, 1.7e-4f, 0, 4.0e-4f, 0);
    }
  }
}

TEST(Binary, QuantizedClampsToTheFusedActivation) {
  CheckQuantized<int8_t>(OpType::kAdd, kBinaryCases[0], 0.1f, 4, 0.1f, 5, 0.05f, -10, -10, 110);
  CheckQuantized<int8_t>(OpType::kMul, kBinaryCases[1], 0.1f, 4, 0.1f, 5, 0.05f, -10, -10, kInf);
  CheckQuantized<int16_t>(OpType::kSub, kBinaryCases[1], 0.1f, 0, 0.1f, 0, 0.05f, 0, 0, 1000);
}

// The rule is stated to the bit; this is the page again, for the ties and large ratios that a
// tolerance does not see.
TEST(Binary, QuantizedAddFollowsThePageToTheBit) {
  const auto a = RandomValues<int8_t>(4096, -128, 127, 3),
             b = RandomValues<int8_t>(4096, -128, 127, 4);
  for (const float so : {0.01f, 0.02f, 0.04f, 1.0f}) {
    OpTester t(OpType::kAdd, fbs::BinaryOptionsT{});
    t.Input(Quantized<int8_t>({4096}, a, 0.02f, 7)).Input(Quantized<int8_t>({4096}, b, 0.01f, -9));
    t.Output(DType::kInt8, {4096}, so, 3);
    ASSERT_TRUE(t.Run().ok());
    const float ma = static_cast<float>(double{0.02f} / double{so});
    const float mb = static_cast<float>(double{0.01f} / double{so});
    for (size_t i = 0; i < a.size(); ++i) {
      const float pa = static_cast<float>(a[i] - 7) * ma, pb = static_cast<float>(b[i] + 9) * mb;
      const float v = std::clamp(pa + pb, -128.0f - 3, 127.0f - 3);
      ASSERT_EQ(t.Out<int8_t>(0)[i], 3 + static_cast<int>(std::nearbyint(v))) << i;
    }
  }
}

TEST(Binary, MaximumOfOneQuantizationIsThatOfStoredValues) {
  const auto a = RandomValues<int8_t>(300, -128, 127, 5),
             b = RandomValues<int8_t>(300, -128, 127, 6);
  for (const OpType type : {OpType::kMaximum, OpType::kMinimum}) {
    OpTester t(type, fbs::BinaryOptionsT{});
    t.Input(Quantized<int8_t>({300}, a, 0.37f, 21)).Input(Quantized<int8_t>({300}, b, 0.37f, 21));
    t.Output(DType::kInt8, {300}, 0.37f, 21);
    ASSERT_TRUE(t.Run().ok());
    for (size_t i = 0; i < a.size(); ++i) {
      const int want = type == OpType::kMaximum ? std::max(a[i], b[i]) : std::min(a[i], b[i]);
      ASSERT_EQ(t.Out<int8_t>(0)[i], want);
    }
  }
}

TEST(Binary, QuantizedDivisionByZeroSaturatesBySign) {
  OpTester t(OpType::kDiv, fbs::BinaryOptionsT{});
  t.Input(Quantized<int8_t>({3}, {10, -10, 5}, 0.5f, 5))
      .Input(Quantized<int8_t>({1}, {2}, 0.5f, 2));
  t.Output(DType::kInt8, {3}, 0.1f, 1);
  ASSERT_TRUE(t.Run().ok());
  EXPECT_EQ(t.Out<int8_t>(0), (std::vector<int8_t>{127, -128, 1}));
}

template <typename T>
std::vector<T> RunPlain(OpType type, std::vector<T> a, std::vector<T> b, float lo = -kInf,
                        float hi = kInf, Status* status = nullptr) {
  fbs::BinaryOptionsT options;
  options.lo = lo;
  options.hi = hi;
  OpTester t(type, options);
  const Shape shape{static_cast<int64_t>(a.size())};
  t.Input(Plain<T>(shape, a)).Input(Plain<T>({static_cast<int64_t>(b.size())}, b));
  t.Output(DTypeOf<T>(), shape);
  const Status ran = t.Run();
  if (status != nullptr) {
    *status = ran;
  } else {
    EXPECT_TRUE(ran.ok()) << ran.message();
  }
  return ran.ok() ? t.Out<T>(0) : std::vector<T>{};
}

TEST(Binary, FloatBroadcasts) {
  for (const OpType type : kQuantizedOps) {
    for (const BinaryCase& c : kBinaryCases) {
      SCOPED_TRACE(Describe(type, c));
      const auto a = RandomValues<float>(c.a.elements(), -4, 4, 7);
      const auto b = RandomValues<float>(c.b.elements(), 1, 4, 8);
      fbs::BinaryOptionsT options;
      options.lo = -3;
      OpTester t(type, options);
      t.Input(Plain<float>(c.a, a)).Input(Plain<float>(c.b, b)).Output(DType::kFloat32, c.out);
      ASSERT_TRUE(t.Run().ok());
      const auto got = t.Out<float>(0);
      for (size_t i = 0; i < got.size(); ++i) {
        const int64_t at = static_cast<int64_t>(i);
        const float x = a[static_cast<size_t>(BroadcastIndex(at, c.out, c.a))];
        const float y = b[static_cast<size_t>(BroadcastIndex(at, c.out, c.b))];
        const double want = std::max(RealOf(type, x, y), -3.0);
        ASSERT_NEAR(got[i], want, 1e-5 * (1 + std::fabs(want))) << i;
      }
    }
  }
}

TEST(Binary, FloatSpecialValues) {
  EXPECT_EQ(RunPlain<float>(OpType::kDiv, {1, -1, 0}, {0})[0], kInf);
  EXPECT_EQ(RunPlain<float>(OpType::kDiv, {1, -1, 0}, {0})[1], -kInf);
  EXPECT_TRUE(std::isnan(RunPlain<float>(OpType::kDiv, {1, -1, 0}, {0})[2]));
  EXPECT_TRUE(std::isnan(RunPlain<float>(OpType::kAdd, {kNan}, {1}, 0, 6)[0])) << "clamps keep NaN";
  EXPECT_EQ(RunPlain<float>(OpType::kMaximum, {kNan, 1}, {2, 3})[0], 2);
  EXPECT_EQ(RunPlain<float>(OpType::kFloorDiv, {7, -7, 7, -7, 0.5f}, {2, 2, -2, -2, 1}),
            (std::vector<float>{3, -4, -4, 3, 0}));
  EXPECT_EQ(RunPlain<float>(OpType::kFloorMod, {7, -7, 7, -7, 5.5f}, {3, 3, -3, -3, 2}),
            (std::vector<float>{1, 2, -2, -1, 1.5f}));
  EXPECT_EQ(RunPlain<float>(OpType::kPow, {2, 4, -8, 2}, {3, 0.5f, 2, -1}),
            (std::vector<float>{8, 2, 64, 0.5f}));
}

template <typename T>
class BinaryInteger : public testing::Test {};
using IntegerTypes = testing::Types<int32_t, int64_t>;
TYPED_TEST_SUITE(BinaryInteger, IntegerTypes);

TYPED_TEST(BinaryInteger, WrapsAndNeverTraps) {
  using T = TypeParam;
  const T lowest = std::numeric_limits<T>::min(), highest = std::numeric_limits<T>::max();
  EXPECT_EQ(RunPlain<T>(OpType::kAdd, {highest, 1}, {1}), (std::vector<T>{lowest, 2}));
  EXPECT_EQ(RunPlain<T>(OpType::kSub, {lowest, 1}, {1}), (std::vector<T>{highest, 0}));
  EXPECT_EQ(RunPlain<T>(OpType::kMul, {lowest, 3}, {-1, 5}), (std::vector<T>{lowest, 15}));
  EXPECT_EQ(RunPlain<T>(OpType::kSquaredDifference, {lowest, 3}, {0, 5}), (std::vector<T>{0, 4}));
  EXPECT_EQ(RunPlain<T>(OpType::kDiv, {lowest, 7, -7}, {-1, 2, 2}),
            (std::vector<T>{lowest, 3, -3}));
  EXPECT_EQ(RunPlain<T>(OpType::kFloorDiv, {lowest, 7, -7, 7, -7, 6, -6, 0},
                        {-1, 2, 2, -2, -2, -3, 3, -5}),
            (std::vector<T>{lowest, 3, -4, -4, 3, -2, -2, 0}));
  EXPECT_EQ(
      RunPlain<T>(OpType::kFloorMod, {lowest, 7, -7, 7, -7, 6, -6}, {-1, 3, 3, -3, -3, -3, 3}),
      (std::vector<T>{0, 1, 2, -2, -1, 0, 0}));
  EXPECT_EQ(RunPlain<T>(OpType::kPow, {3, -2, 2, 0, 1, -1, -1, 5}, {4, 3, 70, 0, -5, -3, -4, -1}),
            (std::vector<T>{81, -8, 0, 1, 1, -1, 1, 0}));
  EXPECT_EQ(RunPlain<T>(OpType::kMaximum, {lowest, 3}, {highest, 2}), (std::vector<T>{highest, 3}));
  EXPECT_EQ(RunPlain<T>(OpType::kMinimum, {lowest, 3}, {highest, 2}), (std::vector<T>{lowest, 2}));
}

TYPED_TEST(BinaryInteger, ClampsWithoutOverflow) {
  using T = TypeParam;
  EXPECT_EQ(RunPlain<T>(OpType::kAdd, {-5, 3, 100}, {0}, 0, 6), (std::vector<T>{0, 3, 6}));
  EXPECT_EQ(RunPlain<T>(OpType::kAdd, {-5, 3, 100}, {0}, -1.5f, 6.5f), (std::vector<T>{-1, 3, 6}));
  const T highest = std::numeric_limits<T>::max();
  EXPECT_EQ(RunPlain<T>(OpType::kAdd, {highest}, {0}, 0, 3e38f), (std::vector<T>{highest}));
}

TYPED_TEST(BinaryInteger, DivisionByZeroEndsTheRun) {
  using T = TypeParam;
  for (const OpType type : {OpType::kDiv, OpType::kFloorDiv, OpType::kFloorMod}) {
    Status status;
    RunPlain<T>(type, {1, 2, 3}, {1, 0, 2}, -kInf, kInf, &status);
    EXPECT_EQ(status.code(), StatusCode::kRuntime) << RowOf(type).name;
  }
  Status status;
  RunPlain<T>(OpType::kPow, {0, 2}, {-1, 1}, -kInf, kInf, &status);
  EXPECT_EQ(status.code(), StatusCode::kRuntime);
}

TEST(Binary, RefusesWhatItCannotDo) {
  const auto refuse = [](TestTensor a, TestTensor b, TestTensor out, StatusCode code,
                         float lo = -kInf) {
    fbs::BinaryOptionsT options;
    options.lo = lo;
    OpTester t(OpType::kAdd, options);
    t.Input(std::move(a)).Input(std::move(b));
    if (out.scale.empty())
      t.Output(out.type, out.shape);
    else
      t.Output(out.type, out.shape, out.scale[0], out.zero_point[0]);
    const Status status = t.Run();
    EXPECT_EQ(status.code(), code) << status.message();
    EXPECT_NE(status.message().find("node"), std::string::npos) << status.message();
  };
  const std::vector<float> f2{1, 2}, f3{1, 2, 3};
  const std::vector<int8_t> q2{1, 2};
  refuse(Plain<float>({2}, f2), Plain<float>({3}, f3), Plain<float>({3}, f3),
         StatusCode::kInvalidModel);
  refuse(Plain<float>({3}, f3), Plain<float>({1}, {1}), Plain<float>({1, 3}, f3),
         StatusCode::kInvalidModel);
  refuse(Plain<float>({2}, f2), Plain<int32_t>({2}, {1, 2}), Plain<float>({2}, f2),
         StatusCode::kUnsupported);
  refuse(Plain<float>({2}, f2), Plain<float>({2}, f2), Plain<float>({2}, f2),
         StatusCode::kInvalidModel, kNan);
  const auto q = [&](float s, int z) { return Quantized<int8_t>({2}, q2, s, z); };
  refuse(q(0, 0), q(1, 0), q(1, 0), StatusCode::kInvalidModel);
  refuse(q(kNan, 0), q(1, 0), q(1, 0), StatusCode::kInvalidModel);
  refuse(q(1, 128), q(1, 0), q(1, 0), StatusCode::kInvalidModel);
  refuse(q(1, 0), q(1, 0), q(1, -129), StatusCode::kInvalidModel);
  refuse(q(1, std::numeric_limits<int>::min()), q(1, 0), q(1, 0), StatusCode::kInvalidModel);
  refuse(q(1e30f, 0), q(1, 0), q(1e-30f, 0), StatusCode::kInvalidModel);
  refuse(q(1e-30f, 0), q(1, 0), q(1e30f, 0), StatusCode::kInvalidModel);
  refuse(Plain<int8_t>({2}, q2), q(1, 0), q(1, 0), StatusCode::kInvalidModel);
}

TEST(Binary, PRelu) {
  const Shape shape{2, 3, 4}, alpha_shape{1, 1, 4};
  const auto x = RandomValues<float>(24, -3, 3, 9), alpha = RandomValues<float>(4, -1, 2, 10);
  OpTester f(OpType::kPRelu, fbs::PReluOptionsT{});
  f.Input(Plain<float>(shape, x))
      .Input(Plain<float>(alpha_shape, alpha))
      .Output(DType::kFloat32, shape);
  ASSERT_TRUE(f.Run().ok());
  for (size_t i = 0; i < 24; ++i)
    EXPECT_EQ(f.Out<float>(0)[i], x[i] >= 0 ? x[i] : x[i] * alpha[i % 4]);

  const auto qx = RandomValues<int8_t>(24, -128, 127, 11),
             qa = RandomValues<int8_t>(4, -128, 127, 12);
  OpTester q(OpType::kPRelu, fbs::PReluOptionsT{});
  q.Input(Quantized<int8_t>(shape, qx, 0.05f, 8))
      .Input(Quantized<int8_t>(alpha_shape, qa, 0.01f, -20));
  q.Output(DType::kInt8, shape, 0.06f, -5);
  ASSERT_TRUE(q.Run().ok());
  for (size_t i = 0; i < 24; ++i) {
    const double real = 0.05 * (qx[i] - 8), slope = real >= 0 ? 1 : 0.01 * (qa[i % 4] + 20);
    EXPECT_NEAR(q.Out<int8_t>(0)[i], std::clamp(real * slope / 0.06 - 5, -128.0, 127.0), 0.501)
        << i;
  }
}

}  // namespace
}  // namespace whit
