// Comparisons, logical operators and Select.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/kernels/op_tester.h"
#include "tests/kernels/random.h"

namespace whit {
namespace {

constexpr OpType kComparisons[] = {OpType::kEqual,     OpType::kNotEqual, OpType::kLess,
                                   OpType::kLessEqual, OpType::kGreater,  OpType::kGreaterEqual};

bool Holds(OpType type, double a, double b) {
  switch (type) {
    case OpType::kEqual:
      return a == b;
    case OpType::kNotEqual:
      return a != b;
    case OpType::kLess:
      return a < b;
    case OpType::kLessEqual:
      return a <= b;
    case OpType::kGreater:
      return a > b;
    default:
      return a >= b;
  }
}

// x[2,3,4] against y[3,1]; what they stand for is scale * (stored - zero).
template <typename T>
void CheckCompare(OpType type, TestTensor x, TestTensor y, const std::vector<T>& a,
                  const std::vector<T>& b, double sa = 1, int za = 0, double sb = 1, int zb = 0) {
  SCOPED_TRACE(std::string(RowOf(type).name) + " " + DTypeName(x.type));
  OpTester t(type, fbs::BinaryOptionsT{});
  t.Input(std::move(x)).Input(std::move(y)).Output(DType::kBool, {2, 3, 4});
  const Status status = t.Run();
  ASSERT_TRUE(status.ok()) << status.message();
  const auto got = t.Out<uint8_t>(0);
  for (size_t i = 0; i < 24; ++i) {
    const double real_a = sa * (static_cast<double>(a[i]) - za);
    const double real_b = sb * (static_cast<double>(b[i / 4 % 3]) - zb);
    ASSERT_EQ(got[i], Holds(type, real_a, real_b) ? 1 : 0) << i << ": " << real_a << ", " << real_b;
  }
}

template <typename T>
void CheckPlain(double lo, double hi) {
  const auto a = RandomValues<T>(24, lo, hi, 1), b = RandomValues<T>(3, lo, hi, 2);
  for (const OpType type : kComparisons) {
    CheckCompare<T>(type, Plain<T>({2, 3, 4}, a), Plain<T>({3, 1}, b), a, b);
  }
}

TEST(Compare, PlainTypes) {
  CheckPlain<float>(-2, 2);
  CheckPlain<int32_t>(-2, 2);
  CheckPlain<int64_t>(-2, 2);
  CheckPlain<int16_t>(-2, 2);
  CheckPlain<int8_t>(-2, 2);
  CheckPlain<uint8_t>(125, 131);  // raw bytes: 130 is more than 126
}

TEST(Compare, QuantizedByTheRealNumbers) {
  const auto a = RandomValues<int8_t>(24, -128, 127, 3);
  auto b = RandomValues<int8_t>(3, -64, 63, 4);
  b[0] = static_cast<int8_t>((a[0] - 2) / 2 + 1);  // an equal pair where a[0] is even
  for (const OpType type : kComparisons) {
    CheckCompare<int8_t>(type, Quantized<int8_t>({2, 3, 4}, a, 0.25f, 2),
                         Quantized<int8_t>({3, 1}, b, 0.5f, 1), a, b, 0.25, 2, 0.5, 1);
    CheckCompare<int8_t>(type, Quantized<int8_t>({2, 3, 4}, a, 0.5f, 2),
                         Quantized<int8_t>({3, 1}, b, 0.5f, -3), a, b, 0.5, 2, 0.5, -3);
    const std::vector<int16_t> wide_a(a.begin(), a.end()), wide_b(b.begin(), b.end());
    CheckCompare<int16_t>(type, Quantized<int16_t>({2, 3, 4}, wide_a, 0.25f, 0),
                          Quantized<int16_t>({3, 1}, wide_b, 0.3f, 0), wide_a, wide_b, 0.25, 0,
                          double{0.3f}, 0);
  }
}

TEST(Compare, NanEqualsNothing) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const OpType type : kComparisons) {
    OpTester t(type, fbs::BinaryOptionsT{});
    t.Input(Plain<float>({2}, {nan, 1}))
        .Input(Plain<float>({2}, {nan, nan}))
        .Output(DType::kBool, {2});
    ASSERT_TRUE(t.Run().ok());
    const uint8_t want = type == OpType::kNotEqual ? 1 : 0;
    EXPECT_EQ(t.Out<uint8_t>(0), (std::vector<uint8_t>{want, want}));
  }
}

std::vector<uint8_t> RunBools(OpType type, std::vector<uint8_t> a, std::vector<uint8_t> b) {
  OpTester t(type, fbs::BinaryOptionsT{});
  const Shape shape{static_cast<int64_t>(a.size())};
  t.Input(Raw(DType::kBool, shape, a))
      .Input(Raw(DType::kBool, {static_cast<int64_t>(b.size())}, b));
  t.Output(DType::kBool, shape);
  const Status status = t.Run();
  EXPECT_TRUE(status.ok()) << status.message();
  return t.Out<uint8_t>(0);
}

TEST(Compare, BoolsAreTrueForAnyByteButZero) {
  using V = std::vector<uint8_t>;
  EXPECT_EQ(RunBools(OpType::kLogicalAnd, {0, 0, 1, 2}, {0, 1, 0, 4}), (V{0, 0, 0, 1}));
  EXPECT_EQ(RunBools(OpType::kLogicalOr, {0, 0, 1, 2}, {0, 1, 0, 4}), (V{0, 1, 1, 1}));
  EXPECT_EQ(RunBools(OpType::kEqual, {0, 0, 1, 2}, {0, 1, 0, 4}), (V{1, 0, 0, 1}));
  EXPECT_EQ(RunBools(OpType::kNotEqual, {0, 0, 1, 2}, {1}), (V{1, 1, 0, 0}));
}

TEST(Compare, RefusesMixedTypes) {
  OpTester t(OpType::kLess, fbs::BinaryOptionsT{});
  t.Input(Plain<float>({1}, {1})).Input(Plain<int32_t>({1}, {1})).Output(DType::kBool, {1});
  EXPECT_EQ(t.Run().code(), StatusCode::kUnsupported);
  OpTester u(OpType::kLogicalAnd, fbs::BinaryOptionsT{});
  u.Input(Plain<float>({1}, {1})).Input(Plain<float>({1}, {1})).Output(DType::kBool, {1});
  EXPECT_EQ(u.Run().code(), StatusCode::kUnsupported);
  OpTester v(OpType::kLess, fbs::BinaryOptionsT{});
  v.Input(Plain<float>({1}, {1})).Input(Plain<float>({1}, {1})).Output(DType::kFloat32, {1});
  EXPECT_EQ(v.Run().code(), StatusCode::kUnsupported);
}

// condition[c], a[x], b[y] broadcast to [2,3,4].
template <typename T>
void CheckSelect(Shape c, Shape x, Shape y) {
  const Shape out{2, 3, 4};
  SCOPED_TRACE(c.ToString() + x.ToString() + y.ToString());
  const auto condition = RandomValues<uint8_t>(c.elements(), 0, 2, 5);
  const auto a = RandomValues<T>(x.elements(), 0, 100, 6),
             b = RandomValues<T>(y.elements(), 0, 100, 7);
  OpTester t(OpType::kSelect, fbs::SelectOptionsT{});
  t.Input(Raw(DType::kBool, c, condition)).Input(Plain<T>(x, a)).Input(Plain<T>(y, b));
  t.Output(DTypeOf<T>(), out);
  const Status status = t.Run();
  ASSERT_TRUE(status.ok()) << status.message();
  std::vector<T> want;
  ForEachIndex(out, [&](const Index& at) {
    const auto from = [&](const Shape& s) {
      Index own;
      for (int axis = 0; axis < s.rank(); ++axis) {
        own.push_back(s[axis] == 1 ? 0 : at[static_cast<size_t>(axis + 3 - s.rank())]);
      }
      return Linear(s, own);
    };
    want.push_back(condition[from(c)] != 0 ? a[from(x)] : b[from(y)]);
  });
  EXPECT_EQ(t.Out<T>(0), want);
}

TEST(Select, BroadcastsAllThree) {
  const Shape shapes[] = {{2, 3, 4}, {4}, {}, {2, 1, 1}, {3, 1}};
  for (const Shape& c : shapes) {
    for (const Shape& x : shapes) {
      for (const Shape& y : shapes) {
        if (c.rank() != 3 && x.rank() != 3 && y.rank() != 3) continue;
        if (c.elements() != 24 && x.elements() != 24 && y.elements() != 24) continue;
        CheckSelect<float>(c, x, y);
        CheckSelect<uint8_t>(c, x, y);
        CheckSelect<int16_t>(c, x, y);
        CheckSelect<int64_t>(c, x, y);
      }
    }
  }
}

TEST(Select, CopiesQuantizedValuesInEitherStorage) {
  OpTester t(OpType::kSelect, fbs::SelectOptionsT{});
  t.Input(Raw(DType::kBool, {3}, {1, 0, 7}));
  t.Input(Quantized<int8_t>({3}, {-128, 2, 3}, 0.5f, 1))
      .Input(Quantized<int8_t>({1}, {127}, 0.5f, 1));
  t.Output(DType::kInt8, {3}, 0.5f, 1);
  ASSERT_TRUE(t.Run().ok());
  EXPECT_EQ(t.Out<int8_t>(0), (std::vector<int8_t>{-128, 127, 3}));
}

}  // namespace
}  // namespace whit
