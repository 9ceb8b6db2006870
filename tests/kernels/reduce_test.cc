// Reductions, ArgMax, ArgMin against docs/arithmetic.md, for every set of axes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/kernels/nd.h"
#include "tests/kernels/op_tester.h"

namespace whit {
namespace {

const std::vector<Shape> kShapes = {
    {},           {6},       {3, 5},          {2, 3, 4},         {1, 4, 5, 70},
    {2, 1, 3, 1}, {2, 0, 3}, {2, 3, 1, 2, 3}, {2, 2, 2, 1, 2, 3}};

Shape Reduced(const Shape& x, unsigned mask, bool keep) {
  std::vector<int64_t> dims;
  for (int a = 0; a < x.rank(); ++a) {
    const bool gone = (mask >> a & 1u) != 0;
    if (!gone || keep) dims.push_back(gone ? 1 : x[a]);
  }
  Shape s = Shape::OfRank(static_cast<int>(dims.size()));
  for (size_t i = 0; i < dims.size(); ++i) s[static_cast<int>(i)] = dims[i];
  return s;
}

// What meets in each output, in row-major order of the input.
template <typename T>
std::vector<std::vector<T>> Groups(const Shape& x_shape, unsigned mask, const std::vector<T>& x) {
  const Shape kept = Reduced(x_shape, mask, true);
  std::vector<std::vector<T>> groups(static_cast<size_t>(kept.elements()));
  ForEachIndex(x_shape, [&](const Index& at) {
    Index to = at;
    for (size_t a = 0; a < at.size(); ++a) to[a] = (mask >> a & 1u) != 0 ? 0 : at[a];
    groups[Linear(kept, to)].push_back(x[Linear(x_shape, at)]);
  });
  return groups;
}

template <typename T>
using Rule = std::function<T(const std::vector<T>&)>;

template <typename T>
void TestReduce(OpType op, int64_t lo, int64_t hi, const Rule<T>& rule, float s_in = 0,
                int32_t zx = 0, float s_out = 0, int32_t zy = 0) {
  Random random(9);
  for (const Shape& x_shape : kShapes) {
    for (unsigned mask = 0; mask < 1u << x_shape.rank(); ++mask) {
      SCOPED_TRACE(x_shape.ToString() + " mask " + std::to_string(mask));
      auto x = random.Values<T>(x_shape.elements(), lo, hi);
      if constexpr (std::is_same_v<T, float>) {
        for (T& v : x) v /= 1024;
      }
      std::vector<T> expected;
      for (const auto& group : Groups<T>(x_shape, mask, x)) expected.push_back(rule(group));
      fbs::ReduceOptionsT options;
      options.keep_dims = mask % 2 == 0;
      for (unsigned a = 0; a < static_cast<unsigned>(x_shape.rank()); ++a) {
        if ((mask >> a & 1u) != 0) options.axes.push_back(a);
      }
      const Shape out = Reduced(x_shape, mask, options.keep_dims);
      OpTester t(op, options);
      if (s_in != 0) {
        t.Input(Quantized<T>(x_shape, x, s_in, zx)).Output(DTypeOf<T>(), out, s_out, zy);
      } else {
        t.Input(Plain<T>(x_shape, x)).Output(DTypeOf<T>(), out);
      }
      const Status status = t.Run();
      ASSERT_TRUE(status.ok()) << status.message();
      EXPECT_EQ(t.Out<T>(0), expected);
    }
  }
}

TEST(Reduce, Float) {
  const auto sum = [](const std::vector<float>& g) {
    double acc = 0;
    for (float v : g) acc += static_cast<double>(v);
    return acc;
  };
  TestReduce<float>(OpType::kSum, -5000, 5000,
                    [&](const auto& g) { return static_cast<float>(sum(g)); });
  TestReduce<float>(OpType::kMean, -5000, 5000, [&](const auto& g) {
    return g.empty() ? 0.0f : static_cast<float>(sum(g) / static_cast<double>(g.size()));
  });
  TestReduce<float>(OpType::kReduceProd, 500, 1500, [](const auto& g) {
    double acc = 1;
    for (float v : g) acc *= static_cast<double>(v);
    return static_cast<float>(acc);
  });
  TestReduce<float>(OpType::kReduceMax, -5000, 5000, [](const auto& g) {
    return g.empty() ? -INFINITY : *std::max_element(g.begin(), g.end());
  });
  TestReduce<float>(OpType::kReduceMin, -5000, 5000, [](const auto& g) {
    return g.empty() ? INFINITY : *std::min_element(g.begin(), g.end());
  });
}

template <typename T>
void TestIntegers() {
  const int64_t lo = std::numeric_limits<int32_t>::min(), hi = std::numeric_limits<int32_t>::max();
  TestReduce<T>(OpType::kSum, lo, hi, [](const auto& g) {
    uint64_t acc = 0;
    for (T v : g) acc += static_cast<uint64_t>(v);
    return static_cast<T>(acc);
  });
  TestReduce<T>(OpType::kReduceProd, lo, hi, [](const auto& g) {
    uint64_t acc = 1;
    for (T v : g) acc *= static_cast<uint64_t>(v);
    return static_cast<T>(acc);
  });
  TestReduce<T>(OpType::kMean, lo, hi, [](const auto& g) {
    int64_t acc = 0;
    for (T v : g) acc += v;
    return g.empty() ? T{0} : static_cast<T>(acc / static_cast<int64_t>(g.size()));
  });
  TestReduce<T>(OpType::kReduceMax, lo, hi, [](const auto& g) {
    return g.empty() ? std::numeric_limits<T>::min() : *std::max_element(g.begin(), g.end());
  });
  TestReduce<T>(OpType::kReduceMin, lo, hi, [](const auto& g) {
    return g.empty() ? std::numeric_limits<T>::max() : *std::min_element(g.begin(), g.end());
  });
}

TEST(Reduce, Int32) { TestIntegers<int32_t>(); }
TEST(Reduce, Int64) { TestIntegers<int64_t>(); }

template <typename T>
T Stored(int64_t acc, double s_in, double s_out, int64_t count, int32_t zy) {
  const float m = static_cast<float>(s_in / s_out / static_cast<double>(count));
  const float scaled = sizeof(T) == 1
                           ? static_cast<float>(acc) * m
                           : static_cast<float>(static_cast<double>(acc) * static_cast<double>(m));
  const float lo = static_cast<float>(std::numeric_limits<T>::min() - zy);
  const float hi = static_cast<float>(std::numeric_limits<T>::max() - zy);
  return static_cast<T>(zy + static_cast<int>(std::nearbyintf(std::min(std::max(scaled, lo), hi))));
}

template <typename T>
void TestQuantized(float s_in, int32_t zx, float s_out, int32_t zy) {
  const int64_t lo = std::numeric_limits<T>::min(), hi = std::numeric_limits<T>::max();
  const auto sum = [=](const std::vector<T>& g) {
    int64_t acc = 0;
    for (T v : g) acc += v - zx;
    return acc;
  };
  TestReduce<T>(
      OpType::kSum, lo, hi, [=](const auto& g) { return Stored<T>(sum(g), s_in, s_out, 1, zy); },
      s_in, zx, s_out, zy);
  TestReduce<T>(
      OpType::kMean, lo, hi,
      [=](const auto& g) {
        const auto count = std::max<int64_t>(1, static_cast<int64_t>(g.size()));
        return Stored<T>(sum(g), s_in, s_out, count, zy);
      },
      s_in, zx, s_out, zy);
  TestReduce<T>(
      OpType::kReduceMax, lo, hi,
      [=](const auto& g) {
        const int64_t best = g.empty() ? lo : *std::max_element(g.begin(), g.end());
        return Stored<T>(best - zx, s_in, s_out, 1, zy);
      },
      s_in, zx, s_out, zy);
  TestReduce<T>(
      OpType::kReduceMin, lo, hi,
      [=](const auto& g) {
        const int64_t best = g.empty() ? hi : *std::min_element(g.begin(), g.end());
        return Stored<T>(best - zx, s_in, s_out, 1, zy);
      },
      s_in, zx, s_out, zy);
}

TEST(Reduce, QuantizedInt8) {
  TestQuantized<int8_t>(0.1f, -3, 0.1f, -3);
  TestQuantized<int8_t>(0.1f, -128, 0.37f, 17);
}
TEST(Reduce, QuantizedInt16) { TestQuantized<int16_t>(0.01f, 0, 0.013f, 0); }

TEST(Reduce, Bool) {
  TestReduce<bool>(OpType::kReduceAny, 0, 1,
                   [](const auto& g) { return std::find(g.begin(), g.end(), true) != g.end(); });
  TestReduce<bool>(OpType::kReduceAll, 0, 1,
                   [](const auto& g) { return std::find(g.begin(), g.end(), false) == g.end(); });
}

TEST(Reduce, MaximumSkipsNan) {
  fbs::ReduceOptionsT options;
  options.axes = {0};
  OpTester t(OpType::kReduceMax, options);
  t.Input(Plain<float>({3}, {NAN, -1, NAN})).Output(DType::kFloat32, {});
  ASSERT_TRUE(t.Run().ok());
  EXPECT_EQ(t.Out<float>(0), std::vector<float>{-1});
}

TEST(Reduce, RefusesBadAxesAndTypes) {
  fbs::ReduceOptionsT options;
  options.axes = {2};
  OpTester axis(OpType::kSum, options);
  axis.Input(Plain<float>({2, 2}, {1, 2, 3, 4})).Output(DType::kFloat32, {2});
  EXPECT_FALSE(axis.Run().ok());
  options.axes = {1};
  OpTester type(OpType::kReduceProd, options);
  type.Input(Quantized<int8_t>({2, 2}, {1, 2, 3, 4}, 1, 0)).Output(DType::kInt8, {2}, 1, 0);
  EXPECT_EQ(type.Run().code(), StatusCode::kUnsupported);
  OpTester zero(OpType::kSum, options);
  zero.Input(Quantized<int8_t>({2, 2}, {1, 2, 3, 4}, 1, 300)).Output(DType::kInt8, {2}, 1, 0);
  EXPECT_EQ(zero.Run().code(), StatusCode::kInvalidModel);
}

template <typename T, typename I>
void TestArg() {
  Random random(10);
  for (const Shape& x_shape : kShapes) {
    for (int axis = 0; axis < x_shape.rank(); ++axis) {
      if (x_shape[axis] == 0) continue;
      SCOPED_TRACE(x_shape.ToString() + " axis " + std::to_string(axis));
      const auto x = random.Values<T>(x_shape.elements(), -2, 2);  // many ties
      const Shape out = Reduced(x_shape, 1u << axis, false);
      std::vector<I> max, min;
      for (const auto& group : Groups<T>(x_shape, 1u << axis, x)) {
        max.push_back(static_cast<I>(std::max_element(group.begin(), group.end()) - group.begin()));
        min.push_back(static_cast<I>(std::min_element(group.begin(), group.end()) - group.begin()));
      }
      fbs::AxisOptionsT options;
      options.axis = static_cast<uint32_t>(axis);
      for (const OpType op : {OpType::kArgMax, OpType::kArgMin}) {
        OpTester t(op, options);
        if (sizeof(T) < 4) {
          t.Input(Quantized<T>(x_shape, x, 0.5f, 0));
        } else {
          t.Input(Plain<T>(x_shape, x));
        }
        t.Output(DTypeOf<I>(), out);
        ASSERT_TRUE(t.Run().ok());
        EXPECT_EQ(t.Out<I>(0), op == OpType::kArgMax ? max : min);
      }
    }
  }
}

TEST(Arg, LowestIndexWins) {
  TestArg<float, int32_t>();
  TestArg<int8_t, int64_t>();
  TestArg<int16_t, int32_t>();
  TestArg<int32_t, int64_t>();
}

}  // namespace
}  // namespace whit
