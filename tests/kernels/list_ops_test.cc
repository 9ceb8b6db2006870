// TopK, CumSum, OneHot, Fill, Range, Shape, ReadVariable, AssignVariable.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tests/kernels/nd.h"
#include "tests/kernels/op_tester.h"

namespace whit {
namespace {

template <typename T>
void TestTopK() {
  Random random(12);
  for (const int64_t n : {1, 2, 7, 40}) {
    for (int64_t k = 0; k <= n; k += n > 10 ? 13 : 1) {
      const auto x = random.Values<T>(3 * n, -3, 3);  // many ties
      std::vector<T> values;
      std::vector<int32_t> indices;
      for (int64_t row = 0; row < 3; ++row) {
        std::vector<int32_t> order(static_cast<size_t>(n));
        std::iota(order.begin(), order.end(), 0);
        const T* r = x.data() + row * n;
        std::stable_sort(order.begin(), order.end(),
                         [r](int32_t a, int32_t b) { return r[a] > r[b]; });
        for (int64_t i = 0; i < k; ++i) {
          indices.push_back(order[static_cast<size_t>(i)]);
          values.push_back(r[indices.back()]);
        }
      }
      fbs::TopKOptionsT options;
      options.k = static_cast<uint32_t>(k);
      OpTester t(OpType::kTopK, options);
      t.Input(Plain<T>({3, n}, x)).Output(DTypeOf<T>(), {3, k}).Output(DType::kInt32, {3, k});
      const Status status = t.Run();
      ASSERT_TRUE(status.ok()) << status.message();
      EXPECT_EQ(t.Out<T>(0), values);
      EXPECT_EQ(t.Out<int32_t>(1), indices);
    }
  }
}

TEST(TopK, SortedAndLowestIndexFirst) {
  TestTopK<float>();
  TestTopK<int8_t>();
  TestTopK<int32_t>();
  TestTopK<int64_t>();
}

TEST(TopK, NanComesLast) {
  fbs::TopKOptionsT options;
  options.k = 4;
  OpTester t(OpType::kTopK, options);
  t.Input(Plain<float>({5}, {NAN, -INFINITY, NAN, 2, -0.0f}));
  t.Output(DType::kFloat32, {4}).Output(DType::kInt32, {4});
  ASSERT_TRUE(t.Run().ok());
  EXPECT_EQ(t.Out<int32_t>(1), (std::vector<int32_t>{3, 4, 1, 0}));
}

template <typename T>
void TestCumSum() {
  Random random(13);
  for (const Shape& s : {Shape{5}, Shape{2, 3, 4}, Shape{1, 6, 1, 2}, Shape{2, 0, 3}}) {
    for (int axis = 0; axis < s.rank(); ++axis) {
      for (int flags = 0; flags < 4; ++flags) {
        fbs::CumSumOptionsT options;
        options.axis = static_cast<uint32_t>(axis);
        options.exclusive = (flags & 1) != 0, options.reverse = (flags & 2) != 0;
        const auto x = random.Values<T>(s.elements(), -1000000000, 1000000000);
        std::vector<T> expected;
        ForEachIndex(s, [&](const Index& at) {
          const auto a = static_cast<size_t>(axis);
          std::conditional_t<std::is_same_v<T, float>, float, uint64_t> sum = 0;
          const int64_t step = options.reverse ? -1 : 1;
          Index i = at;
          for (i[a] = options.reverse ? s[axis] - 1 : 0; i[a] != at[a]; i[a] += step) {
            sum += static_cast<decltype(sum)>(x[Linear(s, i)]);
          }
          if (!options.exclusive) sum += static_cast<decltype(sum)>(x[Linear(s, at)]);
          expected.push_back(static_cast<T>(sum));
        });
        OpTester t(OpType::kCumSum, options);
        t.Input(Plain<T>(s, x)).Output(DTypeOf<T>(), s);
        const Status status = t.Run();
        ASSERT_TRUE(status.ok()) << status.message();
        EXPECT_EQ(t.Out<T>(0), expected) << s.ToString() << axis << flags;
      }
    }
  }
}

TEST(CumSum, EveryAxisAndDirection) {
  TestCumSum<float>();
  TestCumSum<int32_t>();
  TestCumSum<int64_t>();
}

TEST(OneHot, EveryAxis) {
  const Shape s = {2, 3};
  const std::vector<int32_t> indices = {0, 3, -1, 4, 2, 1};  // -1 and 4 are outside
  for (int axis = 0; axis <= 2; ++axis) {
    Shape out = axis == 0 ? Shape{4, 2, 3} : axis == 1 ? Shape{2, 4, 3} : Shape{2, 3, 4};
    std::vector<int8_t> expected;
    ForEachIndex(out, [&](const Index& at) {
      Index i = at;
      i.erase(i.begin() + axis);
      expected.push_back(indices[Linear(s, i)] == at[static_cast<size_t>(axis)] ? 7 : -5);
    });
    fbs::OneHotOptionsT options;
    options.axis = static_cast<uint32_t>(axis), options.depth = 4;
    OpTester t(OpType::kOneHot, options);
    t.Input(Plain<int32_t>(s, indices));
    t.Input(Quantized<int8_t>({}, {7}, 0.5f, 1)).Input(Quantized<int8_t>({}, {-5}, 0.5f, 1));
    t.Output(DType::kInt8, out, 0.5f, 1);
    const Status status = t.Run();
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(t.Out<int8_t>(0), expected);
  }
}

TEST(Fill, RepeatsTheValue) {
  for (const int64_t n : {0, 1, 4096, 10000}) {
    OpTester t(OpType::kFill, fbs::FillOptionsT{});
    t.Input(Plain<int64_t>({}, {-9})).Output(DType::kInt64, {n});
    ASSERT_TRUE(t.Run().ok());
    EXPECT_EQ(t.Out<int64_t>(0), std::vector<int64_t>(static_cast<size_t>(n), -9));
  }
}

template <typename T>
KernelCode RangeCode(T start, T limit, T delta, const std::vector<T>& expected) {
  OpTester t(OpType::kRange, fbs::RangeOptionsT{});
  t.Input(Plain<T>({}, {start})).Input(Plain<T>({}, {limit})).Input(Plain<T>({}, {delta}));
  t.Output(DTypeOf<T>(), {static_cast<int64_t>(expected.size())});
  const Status status = t.Run();
  if (status.ok()) {
    EXPECT_EQ(t.Out<T>(0), expected);
  }
  return t.code();
}

TEST(Range, CountsBothWays) {
  EXPECT_EQ(RangeCode<int32_t>(2, 9, 3, {2, 5, 8}), KernelCode::kOk);
  EXPECT_EQ(RangeCode<int32_t>(3, -2, -2, {3, 1, -1}), KernelCode::kOk);
  EXPECT_EQ(RangeCode<int32_t>(3, 3, 1, {}), KernelCode::kOk);
  EXPECT_EQ(RangeCode<int64_t>(INT64_MAX - 1, INT64_MAX, INT64_MAX, {INT64_MAX - 1}),
            KernelCode::kOk);
  EXPECT_EQ(RangeCode<float>(0, 1, 0.25f, {0, 0.25f, 0.5f, 0.75f}), KernelCode::kOk);
  EXPECT_EQ(RangeCode<int32_t>(0, 5, 0, {0}), KernelCode::kDivisionByZero);
  EXPECT_EQ(RangeCode<int32_t>(0, 5, 1, {0, 1}), KernelCode::kIndexOutOfRange);
  EXPECT_EQ(RangeCode<int64_t>(INT64_MIN, INT64_MAX, 1, {0}), KernelCode::kIndexOutOfRange);
  EXPECT_EQ(RangeCode<float>(0, INFINITY, 1, {0}), KernelCode::kIndexOutOfRange);
}

TEST(Shape, TellsDimensions) {
  OpTester t(OpType::kShape, fbs::ShapeOptionsT{});
  t.Input(Plain<int8_t>({3, 0, 2}, {})).Output(DType::kInt64, {3});
  ASSERT_TRUE(t.Run().ok());
  EXPECT_EQ(t.Out<int64_t>(0), (std::vector<int64_t>{3, 0, 2}));
}

TEST(Variable, ReadAndAssign) {
  fbs::VariableOptionsT options;
  options.variable = 1;
  const std::vector<int8_t> state = Counting<int8_t>({2, 20000});
  OpTester read(OpType::kReadVariable, options);
  read.Variable(Plain<float>({1}, {5})).Variable(Quantized<int8_t>({2, 20000}, state, 0.5f, 3));
  read.Output(DType::kInt8, {2, 20000}, 0.5f, 3);
  ASSERT_TRUE(read.Run().ok());
  EXPECT_EQ(read.Out<int8_t>(0), state);

  OpTester assign(OpType::kAssignVariable, options);
  assign.Variable(Plain<float>({1}, {5})).Variable(Plain<float>({2}, {0, 0}));
  assign.Input(Plain<float>({2}, {7, 8}));
  ASSERT_TRUE(assign.Run().ok());
  EXPECT_EQ(assign.Var<float>(0), std::vector<float>{5});
  EXPECT_EQ(assign.Var<float>(1), (std::vector<float>{7, 8}));
}

TEST(Variable, RefusesOtherTypesShapesAndIndices) {
  const auto run = [](int index, TestTensor input) {
    fbs::VariableOptionsT options;
    options.variable = index;
    OpTester t(OpType::kAssignVariable, options);
    t.Variable(Plain<float>({2}, {0, 0})).Input(std::move(input));
    return t.Run();
  };
  EXPECT_TRUE(run(0, Plain<float>({2}, {1, 2})).ok());
  EXPECT_FALSE(run(1, Plain<float>({2}, {1, 2})).ok());
  EXPECT_FALSE(run(-1, Plain<float>({2}, {1, 2})).ok());
  EXPECT_FALSE(run(0, Plain<float>({2, 1}, {1, 2})).ok());
  EXPECT_FALSE(run(0, Plain<int32_t>({2}, {1, 2})).ok());
}

}  // namespace
}  // namespace whit
