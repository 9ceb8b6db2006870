// Functions of one value: float kernels against the double functions that tables are made from,
// integers, tables.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "kernels/float_math.h"
#include "kernels/tables.h"
#include "tests/kernels/op_tester.h"
#include "tests/kernels/random.h"

namespace whit {
namespace {

template <typename T>
std::vector<T> RunUnary(OpType type, std::vector<T> x, float alpha = 0, bool approximate = false) {
  fbs::UnaryOptionsT options;
  options.alpha = alpha;
  options.approximate = approximate;
  OpTester t(type, options);
  const Shape shape{1, static_cast<int64_t>(x.size())};
  t.Input(Plain<T>(shape, x)).Output(DTypeOf<T>(), shape);
  const Status status = t.Run();
  EXPECT_TRUE(status.ok()) << RowOf(type).name << ": " << status.message();
  return status.ok() ? t.Out<T>(0) : x;
}

void CheckAgainstDouble(OpType type, double lo, double hi, float alpha = 0,
                        bool approximate = false) {
  const RealFunction f = FunctionOf(type, alpha, approximate);
  ASSERT_TRUE(f) << RowOf(type).name;
  const auto x = RandomValues<float>(1003, lo, hi, 1);
  const auto y = RunUnary<float>(type, x, alpha, approximate);
  for (size_t i = 0; i < x.size(); ++i) {
    const double want = f(static_cast<double>(x[i]));
    ASSERT_LE(std::fabs(y[i] - want), std::max(1e-6, 1e-5 * std::fabs(want)))
        << RowOf(type).name << "(" << x[i] << ") = " << y[i] << ", not " << want;
  }
}

TEST(Unary, FloatsFollowTheDoubleFunctions) {
  for (int i = static_cast<int>(OpType::kAbs); i <= static_cast<int>(OpType::kGelu); ++i) {
    const OpType type = static_cast<OpType>(i);
    const bool positive = type == OpType::kSqrt || type == OpType::kRsqrt || type == OpType::kLog;
    CheckAgainstDouble(type, positive ? 0.01 : -9, 9, 0.3f);
  }
  CheckAgainstDouble(OpType::kGelu, -9, 9, 0, /*approximate=*/true);
  CheckAgainstDouble(OpType::kLeakyRelu, -9, 9, 1.5f);
  CheckAgainstDouble(OpType::kLogistic, -100, 100);
  EXPECT_FALSE(FunctionOf(OpType::kLogicalNot));
  EXPECT_FALSE(FunctionOf(OpType::kAdd));
}

// The tails are small: relative, not absolute.
TEST(Unary, GeluKeepsItsTail) {
  for (const bool approximate : {false, true}) {
    const RealFunction f = FunctionOf(OpType::kGelu, 0, approximate);
    const auto x = RandomValues<float>(500, -5, 5, 8);
    const auto y = RunUnary<float>(OpType::kGelu, x, 0, approximate);
    for (size_t i = 0; i < x.size(); ++i) {
      const double want = f(static_cast<double>(x[i]));
      // The double function cancels itself in the approximate form, less than this.
      ASSERT_NEAR(y[i], want, 1e-5 * std::fabs(want)) << x[i];
    }
  }
  EXPECT_EQ(RunUnary<float>(OpType::kGelu, {-50.0f, 50.0f}, 0, true), (std::vector<float>{0, 50}));
}

TEST(Unary, FloatSpecialValues) {
  EXPECT_EQ(RunUnary<float>(OpType::kRound, {0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 2.4f, 2.6f}),
            (std::vector<float>{0, 2, 2, 0, -2, 2, 3}));
  EXPECT_EQ(RunUnary<float>(OpType::kLogistic, {kInf, -kInf, 0}), (std::vector<float>{1, 0, 0.5f}));
  EXPECT_EQ(RunUnary<float>(OpType::kTanh, {kInf, -kInf}), (std::vector<float>{1, -1}));
  EXPECT_EQ(RunUnary<float>(OpType::kElu, {-kInf, 2}, 1.0f), (std::vector<float>{-1, 2}));
  EXPECT_EQ(RunUnary<float>(OpType::kRelu6, {-kInf, kInf, 3}), (std::vector<float>{0, 6, 3}));
  EXPECT_EQ(RunUnary<float>(OpType::kHardSwish, {-3, 3, 0, 1}),
            (std::vector<float>{0, 3, 0, 4 / 6.0f}));
  for (const OpType type : {OpType::kRelu, OpType::kRelu6, OpType::kReluN1To1, OpType::kHardSwish,
                            OpType::kTanh, OpType::kGelu, OpType::kAbs}) {
    EXPECT_TRUE(std::isnan(RunUnary<float>(type, {kNan})[0])) << RowOf(type).name;
  }
}

TEST(FloatMath, IsCloseEverywhere) {
  // Every 16,411th float: all exponents, both signs.
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 16411) {
    const float x = std::bit_cast<float>(static_cast<uint32_t>(bits));
    if (std::isnan(x)) {
      ASSERT_TRUE(std::isnan(ExpFloat(x)) && std::isnan(TanhFloat(x)) &&
                  std::isnan(LogisticFloat(x)));
      continue;
    }
    const double d = x;
    const double exponential = std::exp(d);
    if (exponential > std::numeric_limits<float>::max()) {
      ASSERT_EQ(ExpFloat(x), kInf) << x;
    } else {
      ASSERT_NEAR(ExpFloat(x), exponential, 3e-7 * exponential + 2e-45) << x;
    }
    ASSERT_NEAR(TanhFloat(x), std::tanh(d), 4e-7 * std::fabs(std::tanh(d))) << x;
    const double logistic = 1 / (1 + std::exp(-d));
    ASSERT_NEAR(LogisticFloat(x), logistic, 4e-7 * logistic + 1e-38) << x;
  }
}

template <typename T>
void CheckIntegers() {
  const T lowest = std::numeric_limits<T>::min();
  EXPECT_EQ(RunUnary<T>(OpType::kAbs, {-3, 3, 0, lowest}), (std::vector<T>{3, 3, 0, lowest}));
  EXPECT_EQ(RunUnary<T>(OpType::kNeg, {-3, 3, 0, lowest}), (std::vector<T>{3, -3, 0, lowest}));
  EXPECT_EQ(RunUnary<T>(OpType::kSquare, {-3, 3, 0, lowest}), (std::vector<T>{9, 9, 0, 0}));
}

TEST(Unary, IntegersWrap) {
  CheckIntegers<int32_t>();
  CheckIntegers<int64_t>();
}

TEST(Unary, LogicalNot) {
  OpTester t(OpType::kLogicalNot, fbs::UnaryOptionsT{});
  t.Input(Raw(DType::kBool, {3}, {0, 1, 5})).Output(DType::kBool, {3});
  ASSERT_TRUE(t.Run().ok());
  EXPECT_EQ(t.Out<uint8_t>(0), (std::vector<uint8_t>{1, 0, 0}));
}

TEST(Unary, RefusesQuantizedAndWrongShapes) {
  OpTester t(OpType::kTanh, fbs::UnaryOptionsT{});
  t.Input(Quantized<int8_t>({1}, {1}, 1, 0)).Output(DType::kInt8, {1}, 1, 0);
  EXPECT_EQ(t.Run().code(), StatusCode::kUnsupported);
  OpTester u(OpType::kTanh, fbs::UnaryOptionsT{});
  u.Input(Plain<float>({2}, {1, 2})).Output(DType::kFloat32, {1, 2});
  EXPECT_EQ(u.Run().code(), StatusCode::kInvalidModel);
  OpTester v(OpType::kTanh, fbs::UnaryOptionsT{});
  v.Output(DType::kFloat32, {1});
  EXPECT_EQ(v.Run().code(), StatusCode::kInvalidModel);
}

// ---- tables ----

std::vector<int8_t> AllBytes() {
  std::vector<int8_t> q(256);
  for (int i = 0; i < 256; ++i) q[static_cast<size_t>(i)] = static_cast<int8_t>(i - 128);
  return q;
}

TEST(Table, HoldsTheRoundedFunction) {
  const auto table = MakeTable(FunctionOf(OpType::kTanh), 0.03, 5, 1.0 / 128, 0);
  OpTester t(OpType::kTable, [&] {
    fbs::TableOptionsT options;
    options.table = 0;
    return options;
  }());
  t.Blob(std::vector<int8_t>(table.begin(), table.end()));
  t.Input(Quantized<int8_t>({256}, AllBytes(), 0.03f, 5))
      .Output(DType::kInt8, {256}, 1.0f / 128, 0);
  const Status status = t.Run();
  ASSERT_TRUE(status.ok()) << status.message();
  for (int q = -128; q < 128; ++q) {
    const double exact = std::min(std::tanh(0.03 * (q - 5)) * 128, 127.0);
    EXPECT_NEAR(t.Out<int8_t>(0)[static_cast<size_t>(q + 128)], exact, 0.5 + 1e-9) << q;
  }
}

TEST(Table, SaturatesAndMapsNanToTheZeroPoint) {
  const auto logs = MakeTable(FunctionOf(OpType::kLog), 1, 0, 0.01, 7);
  EXPECT_EQ(logs[0], 7) << "log of a negative number";
  EXPECT_EQ(logs[128], -128) << "log of 0";
  EXPECT_EQ(logs[128 + 127], 127);
  const auto inverse = MakeTable(FunctionOf(OpType::kRsqrt), 1, 0, 0.01, 7);
  EXPECT_EQ(inverse[128], 127) << "1 / sqrt(0)";
}

TEST(Table, RefusesAMissingOrShortBlob) {
  for (const int length : {0, 255, 257}) {
    fbs::TableOptionsT options;
    options.table = length == 0 ? -1 : 0;
    OpTester t(OpType::kTable, options);
    t.Blob(std::vector<int8_t>(static_cast<size_t>(length)));
    t.Input(Quantized<int8_t>({1}, {1}, 1, 0)).Output(DType::kInt8, {1}, 1, 0);
    EXPECT_EQ(t.Run().code(), StatusCode::kInvalidModel) << length;
  }
}

std::vector<int16_t> RunTable16(const std::array<int16_t, kTable16Entries>& table,
                                std::vector<int16_t> q) {
  fbs::TableOptionsT options;
  options.table = 0;
  OpTester t(OpType::kTable16, options);
  t.Blob(std::vector<int16_t>(table.begin(), table.end()));
  const Shape shape{static_cast<int64_t>(q.size())};
  t.Input(Quantized<int16_t>(shape, q, 1, 0)).Output(DType::kInt16, shape, 1, 0);
  const Status status = t.Run();
  EXPECT_TRUE(status.ok()) << status.message();
  return t.Out<int16_t>(0);
}

std::vector<int16_t> AllShorts() {
  std::vector<int16_t> q(65536);
  for (int i = 0; i < 65536; ++i) q[static_cast<size_t>(i)] = static_cast<int16_t>(i - 32768);
  return q;
}

TEST(Table16, InterpolatesAsThePageSays) {
  std::array<int16_t, kTable16Entries> wild;
  const auto values = RandomValues<int16_t>(kTable16Entries, -32768, 32767, 2);
  std::copy(values.begin(), values.end(), wild.begin());
  const auto q = AllShorts();
  const auto y = RunTable16(wild, q);
  for (size_t i = 0; i < q.size(); ++i) {
    const size_t at = i / 128;
    const int r = static_cast<int>(i % 128);
    const int difference = wild[at + 1] - wild[at];
    const int want = wild[at] + static_cast<int>(std::floor((difference * r + 64) / 128.0));
    ASSERT_EQ(y[i], want) << q[i];
  }
}

TEST(Table16, IsCloseToTheFunction) {
  struct Case {
    OpType type;
    double scale_in, scale_out, tolerance;
  };
  const Case cases[] = {{OpType::kTanh, 8.0 / 32768, 1.0 / 32768, 2.5},
                        {OpType::kLogistic, 8.0 / 32768, 1.0 / 32768, 2.5},
                        {OpType::kLeakyRelu, 1e-3, 1e-3, 1.01},
                        {OpType::kGelu, 8.0 / 32768, 8.0 / 32768, 2}};
  const auto q = AllShorts();
  for (const Case& c : cases) {
    const RealFunction f = FunctionOf(c.type, 0.25f);
    const auto y = RunTable16(MakeTable16(f, c.scale_in, 0, c.scale_out, 0), q);
    double worst = 0;
    for (size_t i = 0; i < q.size(); ++i) {
      const double exact = std::clamp(f(c.scale_in * q[i]) / c.scale_out, -32768.0, 32767.0);
      worst = std::max(worst, std::fabs(y[i] - exact));
    }
    EXPECT_LE(worst, c.tolerance) << RowOf(c.type).name;
  }
}

}  // namespace
}  // namespace whit
