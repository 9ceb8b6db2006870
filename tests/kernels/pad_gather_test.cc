// Pad, Gather and GatherNd against their definitions.
#include <gtest/gtest.h>

#include "tests/kernels/nd.h"
#include "tests/kernels/op_tester.h"

namespace whit {
namespace {

// Index `at` of a padded axis of `n` in the input; outside [0, n) where the constant stands.
int64_t Unpadded(fbs::PadMode mode, int64_t at, int64_t before, int64_t n) {
  int64_t i = at - before;
  const int64_t edge = mode == fbs::PadMode::symmetric ? 1 : 0;
  if (mode == fbs::PadMode::constant) return i;
  if (i < 0) i = -i - edge;
  if (i >= n) i = 2 * (n - 1) - i + edge;
  return i;
}

template <typename T>
std::vector<T> NaivePad(const fbs::PadOptionsT& options, const std::vector<T>& x, const Shape& in,
                        const Shape& out, T value) {
  std::vector<T> y;
  ForEachIndex(out, [&](const Index& at) {
    Index from = at;
    bool inside = true;
    for (size_t a = 0; a < at.size(); ++a) {
      from[a] = Unpadded(options.mode, at[a], options.before[a], in[static_cast<int>(a)]);
      inside = inside && from[a] >= 0 && from[a] < in[static_cast<int>(a)];
    }
    y.push_back(inside ? x[Linear(in, from)] : value);
  });
  return y;
}

Shape Padded(const fbs::PadOptionsT& options, Shape shape) {
  for (int a = 0; a < shape.rank(); ++a) {
    shape[a] += options.before[static_cast<size_t>(a)] + options.after[static_cast<size_t>(a)];
  }
  return shape;
}

template <typename T>
void ExpectPadded(fbs::PadOptionsT options, const Shape& in, T value) {
  options.value = static_cast<double>(value);
  options.value_i64 = static_cast<int64_t>(value);
  const Shape out = Padded(options, in);
  SCOPED_TRACE(in.ToString() + " -> " + out.ToString() + " " + DTypeName(DTypeOf<T>()));
  const auto x = Counting<T>(in);
  OpTester t(OpType::kPad, options);
  t.Input(Plain<T>(in, x)).Output(DTypeOf<T>(), out);
  const Status status = t.Run();
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(t.Out<T>(0), NaivePad<T>(options, x, in, out, value));
}

TEST(Pad, RandomAmountsInEveryMode) {
  Random random(4);
  const std::vector<Shape> shapes = {
      {}, {5}, {3, 4}, {2, 0, 3}, {1, 4, 5, 3}, {2, 3, 2, 2, 3}, {2, 1, 2, 3, 1, 2}};
  for (const Shape& in : shapes) {
    for (const auto mode :
         {fbs::PadMode::constant, fbs::PadMode::reflect, fbs::PadMode::symmetric}) {
      for (int round = 0; round < 8; ++round) {
        fbs::PadOptionsT options;
        options.mode = mode;
        for (int a = 0; a < in.rank(); ++a) {
          int64_t most = mode == fbs::PadMode::constant ? 3 : in[a];
          if (mode == fbs::PadMode::reflect) --most;
          if (most < 0 || (round < 4 && random.Int(0, 1) == 0)) most = 0;
          options.before.push_back(static_cast<uint32_t>(random.Int(0, most)));
          options.after.push_back(static_cast<uint32_t>(random.Int(0, most)));
        }
        ExpectPadded<int8_t>(options, in, -7);
        ExpectPadded<uint8_t>(options, in, 200);
        ExpectPadded<int16_t>(options, in, -30000);
        ExpectPadded<int32_t>(options, in, -100000);
        ExpectPadded<int64_t>(options, in, int64_t{1} << 40);
        ExpectPadded<float>(options, in, 1.5f);
      }
    }
  }
}

TEST(Pad, ConstantOfQuantizedTensorsIsCanonical) {
  fbs::PadOptionsT options;
  options.before = {1};
  options.after = {0};
  options.value_i64 = -128;
  OpTester t(OpType::kPad, options);  // also runs with the storage shifted by 128
  t.Input(Quantized<int8_t>({2}, {5, 6}, 0.5f, -128)).Output(DType::kInt8, {3}, 0.5f, -128);
  ASSERT_TRUE(t.Run().ok());
  EXPECT_EQ(t.Out<int8_t>(0), (std::vector<int8_t>{-128, 5, 6}));
}

TEST(Pad, RefusesBadAmountsAndValues) {
  const auto run = [](fbs::PadMode mode, uint32_t before, int64_t value) {
    fbs::PadOptionsT options;
    options.mode = mode;
    options.before = {before};
    options.after = {0};
    options.value_i64 = value;
    OpTester t(OpType::kPad, options);
    t.Input(Plain<int8_t>({3}, {1, 2, 3})).Output(DType::kInt8, {3 + before});
    return t.Run();
  };
  EXPECT_TRUE(run(fbs::PadMode::reflect, 2, 0).ok());
  EXPECT_FALSE(run(fbs::PadMode::reflect, 3, 0).ok());
  EXPECT_TRUE(run(fbs::PadMode::symmetric, 3, 0).ok());
  EXPECT_FALSE(run(fbs::PadMode::symmetric, 4, 0).ok());
  EXPECT_FALSE(run(fbs::PadMode::constant, 1, 128).ok());
  EXPECT_FALSE(run(static_cast<fbs::PadMode>(3), 1, 0).ok());
}

struct GatherCase {
  Shape x, indices;
  int axis = 0, batch = 0;
};

TEST(Gather, AxesAndBatches) {
  Random random(5);
  const std::vector<GatherCase> cases = {
      {{5}, {}, 0, 0},           {{5}, {3}, 0, 0},          {{4, 3}, {2, 2}, 0, 0},
      {{4, 3}, {2}, 1, 0},       {{2, 3, 4}, {2, 5}, 1, 1}, {{2, 3, 4}, {2, 5}, 2, 1},
      {{2, 3, 4}, {2, 3}, 2, 2}, {{2, 3, 4}, {0}, 1, 0},    {{2, 3, 4, 2}, {2, 3, 2}, 3, 1},
      {{2, 0, 3}, {2}, 2, 0}};
  for (const auto& c : cases) {
    Index dims;
    for (int a = 0; a < c.axis; ++a) dims.push_back(c.x[a]);
    for (int a = c.batch; a < c.indices.rank(); ++a) dims.push_back(c.indices[a]);
    for (int a = c.axis + 1; a < c.x.rank(); ++a) dims.push_back(c.x[a]);
    Shape out = Shape::OfRank(static_cast<int>(dims.size()));
    for (size_t a = 0; a < dims.size(); ++a) out[static_cast<int>(a)] = dims[a];
    const auto indices = random.Values<int32_t>(c.indices.elements(), 0, c.x[c.axis] - 1);
    const auto x = Counting<float>(c.x);
    const int added = c.indices.rank() - c.batch;
    const auto expected = Naive<float>(x, c.x, out, [&](const Index& at) {
      Index which(at.begin(), at.begin() + c.batch);
      for (int a = 0; a < added; ++a) which.push_back(at[static_cast<size_t>(c.axis + a)]);
      Index from(at.begin(), at.begin() + c.axis);
      from.push_back(indices[Linear(c.indices, which)]);
      from.insert(from.end(), at.begin() + c.axis + added, at.end());
      return from;
    });
    fbs::GatherOptionsT options;
    options.axis = static_cast<uint32_t>(c.axis);
    options.batch_dims = static_cast<uint32_t>(c.batch);
    SCOPED_TRACE(c.x.ToString() + " by " + c.indices.ToString());
    OpTester t(OpType::kGather, options);
    t.Input(Plain<float>(c.x, x)).Input(Plain<int32_t>(c.indices, indices));
    t.Output(DType::kFloat32, out);
    const Status status = t.Run();
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(t.Out<float>(0), expected);
  }
}

TEST(Gather, IndexOutsideEndsTheRun) {
  for (const int64_t index : {int64_t{-1}, int64_t{3}, int64_t{1} << 40}) {
    OpTester t(OpType::kGather, fbs::GatherOptionsT{});
    t.Input(Plain<int8_t>({3}, {1, 2, 3})).Input(Plain<int64_t>({2}, {0, index}));
    t.Output(DType::kInt8, {2});
    EXPECT_FALSE(t.Run().ok());
    EXPECT_EQ(t.code(), KernelCode::kIndexOutOfRange);
  }
}

TEST(GatherNd, TuplesOfEveryLength) {
  Random random(6);
  const Shape x_shape = {3, 4, 2};
  const auto x = Counting<int16_t>(x_shape);
  for (int depth = 0; depth <= 3; ++depth) {
    const Shape indices_shape = {2, 3, depth};
    std::vector<int32_t> indices;
    for (int i = 0; i < 6; ++i) {
      for (int a = 0; a < depth; ++a) {
        indices.push_back(static_cast<int32_t>(random.Int(0, x_shape[a] - 1)));
      }
    }
    Shape out = Shape::OfRank(2 + 3 - depth);
    out[0] = 2, out[1] = 3;
    for (int a = depth; a < 3; ++a) out[2 + a - depth] = x_shape[a];
    const auto expected = Naive<int16_t>(x, x_shape, out, [&](const Index& at) {
      Index from;
      for (int a = 0; a < depth; ++a) {
        from.push_back(indices[static_cast<size_t>((at[0] * 3 + at[1]) * depth + a)]);
      }
      from.insert(from.end(), at.begin() + 2, at.end());
      return from;
    });
    OpTester t(OpType::kGatherNd, fbs::GatherNdOptionsT{});
    t.Input(Plain<int16_t>(x_shape, x)).Input(Plain<int32_t>(indices_shape, indices));
    t.Output(DType::kInt16, out);
    const Status status = t.Run();
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(t.Out<int16_t>(0), expected);
  }
}

TEST(GatherNd, IndexOutsideEndsTheRun) {
  OpTester t(OpType::kGatherNd, fbs::GatherNdOptionsT{});
  t.Input(Plain<float>({2, 2}, {1, 2, 3, 4})).Input(Plain<int32_t>({1, 2}, {1, 2}));
  t.Output(DType::kFloat32, {1});
  EXPECT_FALSE(t.Run().ok());
  EXPECT_EQ(t.code(), KernelCode::kIndexOutOfRange);
}

}  // namespace
}  // namespace whit
