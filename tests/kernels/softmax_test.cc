// Softmax, LogSoftmax and L2Normalization against formulas in double.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/tables.h"
#include "tests/kernels/op_tester.h"
#include "tests/kernels/random.h"

namespace whit {
namespace {

std::vector<double> RealSoftmax(const std::vector<double>& x, double beta, bool log) {
  double max = x[0], sum = 0;
  for (const double v : x) max = std::max(max, v);
  for (const double v : x) sum += std::exp(beta * (v - max));
  std::vector<double> y;
  for (const double v : x) {
    const double logarithm = beta * (v - max) - std::log(sum);
    y.push_back(log ? logarithm : std::exp(logarithm));
  }
  return y;
}

std::vector<uint32_t> TableFor(bool log, bool wide, double beta, double scale) {
  if (log) return wide ? MakeLogSoftmaxTable16(beta, scale) : MakeLogSoftmaxTable8(beta, scale);
  return wide ? MakeSoftmaxTable16(beta, scale) : MakeSoftmaxTable8(beta, scale);
}

struct SoftmaxCase {
  int64_t rows, depth;
  float beta, scale_in;
  int32_t zero_in;
};
const SoftmaxCase kSoftmaxCases[] = {
    {1, 1, 1, 0.1f, 3},     {3, 2, 1, 0.5f, -10}, {5, 12, 1, 0.06f, 0}, {2, 1001, 1, 0.05f, 4},
    {4, 10, 0.3f, 0.2f, 0}, {2, 300, 1, 1.7f, 0}, {2, 7, 1, 1e-3f, 0},  {1, 70000, 1, 0.02f, 0}};

template <typename In, typename Out>
void CheckInteger(const SoftmaxCase& c, bool log, float scale_out, int32_t zero_out,
                  double tolerance) {
  SCOPED_TRACE(std::string(log ? "log " : "") + DTypeName(DTypeOf<In>()) + " depth " +
               std::to_string(c.depth));
  constexpr bool kWide = sizeof(In) == 2;
  // int16 steps are 256 times finer, so the reals have the same range.
  const float scale = kWide ? c.scale_in / 256 : c.scale_in;
  const int32_t zero = kWide ? 0 : c.zero_in;
  const auto x = RandomValues<In>(c.rows * c.depth, std::numeric_limits<In>::min(),
                                  std::numeric_limits<In>::max(), static_cast<uint64_t>(c.depth));
  fbs::SoftmaxOptionsT options;
  options.beta = c.beta;
  options.table = 0;
  OpTester t(log ? OpType::kLogSoftmax : OpType::kSoftmax, options);
  t.Blob(TableFor(log, kWide, c.beta, scale));
  t.Input(Quantized<In>({c.rows, c.depth}, x, scale, zero));
  t.Output(DTypeOf<Out>(), {c.rows, c.depth}, scale_out, zero_out);
  const Status status = t.Run();
  ASSERT_TRUE(status.ok()) << status.message();
  const auto y = t.template Out<Out>(0);
  for (int64_t row = 0; row < c.rows; ++row) {
    const size_t from = static_cast<size_t>(row * c.depth), n = static_cast<size_t>(c.depth);
    std::vector<double> reals;
    for (size_t i = 0; i < n; ++i) reals.push_back(double{scale} * (x[from + i] - zero));
    const auto want = RealSoftmax(reals, c.beta, log);
    for (size_t i = 0; i < n; ++i) {
      const double stored =
          std::clamp<double>(zero_out + want[i] / double{scale_out},
                             std::numeric_limits<Out>::min(), std::numeric_limits<Out>::max());
      ASSERT_NEAR(y[from + i], stored, tolerance) << "row " << row << " element " << i;
    }
  }
}

TEST(Softmax, IntegersAreWithinHalfAStep) {
  for (const SoftmaxCase& c : kSoftmaxCases) {
    CheckInteger<int8_t, int8_t>(c, false, 1.0f / 256, -128, 0.501);
    CheckInteger<int8_t, int16_t>(c, false, 1.0f / 32768, 0, 0.51);
    CheckInteger<int16_t, int16_t>(c, false, 1.0f / 32768, 0, 0.51);
    CheckInteger<int8_t, int8_t>(c, false, 0.003f, 5, 0.501);  // any output scale
  }
}

TEST(LogSoftmax, IntegersAreWithinHalfAStep) {
  for (const SoftmaxCase& c : kSoftmaxCases) {
    CheckInteger<int8_t, int8_t>(c, true, 16.0f / 256, 127, 0.51);
    CheckInteger<int16_t, int16_t>(c, true, 16.0f / 65536, 32767, 0.6);
  }
}

void CheckFloat(const SoftmaxCase& c, bool log) {
  const auto x = RandomValues<float>(c.rows * c.depth, -20, 20, 9);
  fbs::SoftmaxOptionsT options;
  options.beta = c.beta;
  OpTester t(log ? OpType::kLogSoftmax : OpType::kSoftmax, options);
  t.Input(Plain<float>({c.rows, c.depth}, x)).Output(DType::kFloat32, {c.rows, c.depth});
  if (c.depth > 10000) t.FloatTolerance(1e-4f);  // the reference adds one after the other
  ASSERT_TRUE(t.Run().ok());
  const auto y = t.Out<float>(0);
  for (int64_t row = 0; row < c.rows; ++row) {
    const auto from = x.begin() + row * c.depth;
    const auto want = RealSoftmax(std::vector<double>(from, from + c.depth), c.beta, log);
    for (int64_t i = 0; i < c.depth; ++i) {
      const double w = want[static_cast<size_t>(i)];
      ASSERT_NEAR(y[static_cast<size_t>(row * c.depth + i)], w, 2e-5 * std::fabs(w) + 1e-6);
    }
  }
}

TEST(Softmax, Floats) {
  for (const SoftmaxCase& c : kSoftmaxCases) {
    CheckFloat(c, false);
    CheckFloat(c, true);
  }
}

TEST(Softmax, FloatsDoNotOverflow) {
  OpTester t(OpType::kSoftmax, fbs::SoftmaxOptionsT{});
  t.Input(Plain<float>({3}, {1e30f, 1e30f, -1e30f})).Output(DType::kFloat32, {3});
  ASSERT_TRUE(t.Run().ok());
  EXPECT_EQ(t.Out<float>(0), (std::vector<float>{0.5f, 0.5f, 0}));
}

// Any bytes may stand in a table: the result is then wrong but defined (the sanitizers look on).
TEST(Softmax, HostileTablesAreDefined) {
  for (const uint32_t value : {0u, 1u, 0xFFFFFFFFu, 0x80000000u}) {
    for (const bool log : {false, true}) {
      fbs::SoftmaxOptionsT options;
      options.table = 0;
      OpTester t(log ? OpType::kLogSoftmax : OpType::kSoftmax, options);
      t.Blob(std::vector<uint32_t>(log ? 769 : 512, value));
      const auto x = RandomValues<int16_t>(64, -32768, 32767, 3);
      t.Input(Quantized<int16_t>({4, 16}, x, 1e-3f, 0)).Output(DType::kInt16, {4, 16}, 1e-4f, 0);
      EXPECT_TRUE(t.Run().ok());
    }
  }
}

TEST(Softmax, RefusesATableOfAnotherSize) {
  for (const size_t entries : {0u, 255u, 512u}) {
    fbs::SoftmaxOptionsT options;
    options.table = 0;
    OpTester t(OpType::kSoftmax, options);
    t.Blob(std::vector<uint32_t>(entries));
    t.Input(Quantized<int8_t>({1, 2}, {1, 2}, 1, 0)).Output(DType::kInt8, {1, 2}, 1, 0);
    EXPECT_EQ(t.Run().code(), StatusCode::kInvalidModel) << entries;
  }
}

// ---- L2Normalization ----

template <typename T>
void CheckL2(int64_t rows, int64_t depth, float scale_in, int32_t zero_in, float scale_out,
             int32_t zero_out) {
  auto x = RandomValues<T>(rows * depth, std::numeric_limits<T>::min(),
                           std::numeric_limits<T>::max(), 4);
  for (int64_t i = 0; i < depth; ++i)
    x[static_cast<size_t>(i)] = static_cast<T>(zero_in);  // a row of zeros
  OpTester t(OpType::kL2Normalization, fbs::L2NormOptionsT{});
  t.Input(Quantized<T>({rows, depth}, x, scale_in, zero_in));
  t.Output(DTypeOf<T>(), {rows, depth}, scale_out, zero_out);
  const Status status = t.Run();
  ASSERT_TRUE(status.ok()) << status.message();
  for (int64_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (int64_t i = 0; i < depth; ++i)
      sum += std::pow(x[static_cast<size_t>(row * depth + i)] - zero_in, 2);
    for (int64_t i = 0; i < depth; ++i) {
      const size_t at = static_cast<size_t>(row * depth + i);
      const double real = sum == 0 ? 0 : (x[at] - zero_in) / std::sqrt(sum);
      const double want =
          std::clamp<double>(zero_out + real / double{scale_out}, std::numeric_limits<T>::min(),
                             std::numeric_limits<T>::max());
      ASSERT_NEAR(t.template Out<T>(0)[at], want, 0.51) << row << ", " << i;
    }
  }
}

TEST(L2Normalization, Integers) {
  CheckL2<int8_t>(5, 17, 0.3f, 12, 1.0f / 128, 0);
  CheckL2<int8_t>(3, 1, 0.3f, -128, 1.0f / 128, 0);
  CheckL2<int16_t>(3, 1000, 0.3f, 0, 1.0f / 32768, 0);
}

TEST(L2Normalization, Floats) {
  OpTester t(OpType::kL2Normalization, fbs::L2NormOptionsT{});
  t.Input(Plain<float>({3, 2}, {3, 4, 0, 0, -1e-9f, 0})).Output(DType::kFloat32, {3, 2});
  ASSERT_TRUE(t.Run().ok());
  const auto y = t.Out<float>(0);
  EXPECT_NEAR(y[0], 0.6f, 1e-6);
  EXPECT_NEAR(y[1], 0.8f, 1e-6);
  EXPECT_EQ(y[2], 0);
  EXPECT_NEAR(y[4], -1e-3f, 1e-8);
}

}  // namespace
}  // namespace whit
