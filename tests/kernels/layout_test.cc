// Operators that only move elements, against their definitions index by index.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/kernels/nd.h"
#include "tests/kernels/op_tester.h"

namespace whit {
namespace {

const std::vector<Shape> kLayoutShapes = {
    {},        {1},          {7},          {3, 5},       {1, 4},          {2, 3, 4},
    {0},       {2, 0, 3},    {4, 1, 1, 3}, {1, 5, 6, 3}, {2, 3, 1, 4, 2}, {2, 1, 3, 2, 2, 3},
    {1, 1, 1}, {17, 1, 1, 9}};

Shape FromVector(const Index& dims) {
  Shape s = Shape::OfRank(static_cast<int>(dims.size()));
  for (size_t i = 0; i < dims.size(); ++i) s[static_cast<int>(i)] = dims[i];
  return s;
}

template <typename T, typename Options>
void ExpectMoved(OpType op, const Options& options, const Shape& in, const Shape& out,
                 const std::function<Index(const Index&)>& source) {
  SCOPED_TRACE(in.ToString() + " -> " + out.ToString() + " " + DTypeName(DTypeOf<T>()));
  const auto x = Counting<T>(in);
  OpTester t(op, options);
  t.Input(Plain<T>(in, x)).Output(DTypeOf<T>(), out);
  const Status status = t.Run();
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(t.Out<T>(0), Naive<T>(x, in, out, source));
}

template <typename Options>
void ExpectMovedAllSizes(OpType op, const Options& options, const Shape& in, const Shape& out,
                         const std::function<Index(const Index&)>& source) {
  ExpectMoved<int8_t>(op, options, in, out, source);
  ExpectMoved<int16_t>(op, options, in, out, source);
  ExpectMoved<float>(op, options, in, out, source);
  ExpectMoved<int64_t>(op, options, in, out, source);
}

template <typename Options>
Status Refusal(OpType op, const Options& options, const Shape& in, const Shape& out) {
  OpTester t(op, options);
  t.Input(Plain<int32_t>(in, Counting<int32_t>(in))).Output(DType::kInt32, out);
  return t.Run();
}

TEST(Reshape, IsTheSameBytes) {
  OpTester t(OpType::kReshape, fbs::ReshapeOptionsT{});
  t.Input(Plain<int16_t>({2, 3}, {1, 2, 3, 4, 5, 6})).Output(DType::kInt16, {3, 1, 2});
  ASSERT_TRUE(t.Run().ok());
  EXPECT_EQ(t.Out<int16_t>(0), (std::vector<int16_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_TRUE(t.prepared().alias);
  EXPECT_EQ(Refusal(OpType::kReshape, fbs::ReshapeOptionsT{}, {2, 3}, {7}).code(),
            StatusCode::kInvalidModel);
}

TEST(Reshape, RefusesToMixPlainAndQuantizedBytes) {
  OpTester t(OpType::kReshape, fbs::ReshapeOptionsT{});
  t.Input(Quantized<int8_t>({2}, {1, 2}, 0.5f, 3)).Output(DType::kInt8, {2}).NoShift();
  EXPECT_EQ(t.Run().code(), StatusCode::kInvalidModel);
}

TEST(Transpose, EveryPermutation) {
  for (const Shape& in : kLayoutShapes) {
    fbs::TransposeOptionsT options;
    for (int a = 0; a < in.rank(); ++a) options.perm.push_back(static_cast<uint32_t>(a));
    int left = 60;  // all of them up to rank 4, some beyond
    do {
      Index dims;
      for (uint32_t a : options.perm) dims.push_back(in[static_cast<int>(a)]);
      ExpectMovedAllSizes(OpType::kTranspose, options, in, FromVector(dims), [&](const Index& at) {
        Index from(at.size());
        for (size_t a = 0; a < at.size(); ++a) from[options.perm[a]] = at[a];
        return from;
      });
    } while (--left > 0 && std::next_permutation(options.perm.begin(), options.perm.end()));
  }
}

TEST(Transpose, RefusesWhatIsNoPermutation) {
  fbs::TransposeOptionsT options;
  options.perm = {0, 0};
  EXPECT_FALSE(Refusal(OpType::kTranspose, options, {2, 2}, {2, 2}).ok());
  options.perm = {0, 2};
  EXPECT_FALSE(Refusal(OpType::kTranspose, options, {2, 2}, {2, 2}).ok());
  options.perm = {0};
  EXPECT_FALSE(Refusal(OpType::kTranspose, options, {2, 2}, {2, 2}).ok());
  options.perm = {1, 0};
  EXPECT_FALSE(Refusal(OpType::kTranspose, options, {2, 3}, {2, 3}).ok());
}

TEST(Transpose, KeepsQuantizedValuesInBothStorages) {
  fbs::TransposeOptionsT options;
  options.perm = {1, 0};
  OpTester t(OpType::kTranspose, options);
  t.Input(Quantized<int8_t>({2, 2}, {-128, 1, 2, 127}, 0.5f, 3));
  t.Output(DType::kInt8, {2, 2}, 0.5f, 3);
  ASSERT_TRUE(t.Run().ok());
  EXPECT_EQ(t.Out<int8_t>(0), (std::vector<int8_t>{-128, 2, 1, 127}));
}

TEST(Reverse, EverySetOfAxes) {
  for (const Shape& in : kLayoutShapes) {
    for (unsigned set = 0; set < 1u << in.rank(); ++set) {
      fbs::ReverseOptionsT options;
      for (unsigned a = 0; a < static_cast<unsigned>(in.rank()); ++a) {
        if ((set >> a & 1u) != 0) options.axes.push_back(a);
      }
      ExpectMovedAllSizes(OpType::kReverse, options, in, in, [&](const Index& at) {
        Index from = at;
        for (uint32_t a : options.axes) from[a] = in[static_cast<int>(a)] - 1 - at[a];
        return from;
      });
    }
  }
}

TEST(Tile, RandomMultiples) {
  Random random(1);
  for (const Shape& in : kLayoutShapes) {
    for (int round = 0; round < 4; ++round) {
      fbs::TileOptionsT options;
      Index dims;
      for (int a = 0; a < in.rank(); ++a) {
        options.multiples.push_back(static_cast<uint32_t>(random.Int(round == 3 ? 0 : 1, 3)));
        dims.push_back(in[a] * options.multiples.back());
      }
      ExpectMovedAllSizes(OpType::kTile, options, in, FromVector(dims), [&](const Index& at) {
        Index from = at;
        for (size_t a = 0; a < at.size(); ++a) from[a] %= in[static_cast<int>(a)];
        return from;
      });
    }
  }
}

TEST(BroadcastTo, StretchesOnesAndAddsAxes) {
  const std::vector<std::pair<Shape, Shape>> cases = {{{}, {2, 3}},
                                                      {{1}, {4}},
                                                      {{3}, {2, 3}},
                                                      {{3, 1}, {2, 3, 4}},
                                                      {{1, 3, 1}, {5, 3, 2}},
                                                      {{2, 1, 4}, {2, 3, 4}},
                                                      {{1}, {0}},
                                                      {{2, 3}, {2, 3}},
                                                      {{1, 1, 1, 5}, {2, 2, 2, 2, 5}}};
  for (const auto& [in, out] : cases) {
    const int added = out.rank() - in.rank();
    ExpectMovedAllSizes(OpType::kBroadcastTo, fbs::BroadcastToOptionsT{}, in, out,
                        [&, shape = in](const Index& at) {
                          Index from(static_cast<size_t>(shape.rank()));
                          for (int a = 0; a < shape.rank(); ++a) {
                            from[static_cast<size_t>(a)] =
                                shape[a] == 1 ? 0 : at[static_cast<size_t>(a + added)];
                          }
                          return from;
                        });
  }
  EXPECT_FALSE(Refusal(OpType::kBroadcastTo, fbs::BroadcastToOptionsT{}, {2}, {3}).ok());
  EXPECT_FALSE(Refusal(OpType::kBroadcastTo, fbs::BroadcastToOptionsT{}, {1, 2}, {2}).ok());
}

// A random slice of `dim`: begin, size, stride.
std::array<int64_t, 3> RandomSlice(Random* random, int64_t dim) {
  if (dim == 0) return {0, 0, 1};
  int64_t stride = random->Int(-3, 3);
  if (stride == 0) stride = 1;
  const int64_t begin = random->Int(0, dim - 1);
  const int64_t room = stride > 0 ? dim - 1 - begin : begin;
  return {begin, random->Int(0, room / std::abs(stride) + 1), stride};
}

TEST(Slice, RandomBeginsSizesAndStrides) {
  Random random(2);
  for (const Shape& in : kLayoutShapes) {
    for (int round = 0; round < 12; ++round) {
      fbs::SliceOptionsT options;
      std::vector<int32_t> begin;
      Index dims;
      for (int a = 0; a < in.rank(); ++a) {
        const auto s = RandomSlice(&random, in[a]);
        begin.push_back(static_cast<int32_t>(s[0]));
        options.size.push_back(static_cast<uint32_t>(s[1]));
        options.stride.push_back(static_cast<int32_t>(s[2]));
        dims.push_back(s[1]);
      }
      const Shape out = FromVector(dims);
      const auto source = [&](const Index& at) {
        Index from = at;
        for (size_t a = 0; a < at.size(); ++a) from[a] = begin[a] + at[a] * options.stride[a];
        return from;
      };
      options.begin = begin;
      ExpectMovedAllSizes(OpType::kSlice, options, in, out, source);

      options.begin.clear();
      options.dynamic_begin = true;
      const auto x = Counting<int16_t>(in);
      std::vector<int64_t> wide(begin.begin(), begin.end());
      for (int a = 0; a < in.rank(); ++a) {  // half of them counted from the end
        if (round % 2 == 1) wide[static_cast<size_t>(a)] -= in[a];
      }
      OpTester t(OpType::kSlice, options);
      t.Input(Plain<int16_t>(in, x)).Input(Plain<int64_t>({in.rank()}, wide));
      t.Output(DType::kInt16, out);
      const Status status = t.Run();
      ASSERT_TRUE(status.ok()) << status.message();
      EXPECT_EQ(t.Out<int16_t>(0), Naive<int16_t>(x, in, out, source));
    }
  }
}

fbs::SliceOptionsT SliceOf(int32_t begin, uint32_t size, int32_t stride) {
  fbs::SliceOptionsT options;
  options.begin = {begin};
  options.size = {size};
  options.stride = {stride};
  return options;
}

TEST(Slice, RefusesWhatLeavesTheInput) {
  EXPECT_TRUE(Refusal(OpType::kSlice, SliceOf(1, 2, 2), {4}, {2}).ok());
  EXPECT_FALSE(Refusal(OpType::kSlice, SliceOf(1, 3, 2), {4}, {3}).ok());
  EXPECT_FALSE(Refusal(OpType::kSlice, SliceOf(-1, 1, 1), {4}, {1}).ok());
  EXPECT_FALSE(Refusal(OpType::kSlice, SliceOf(1, 3, -1), {4}, {3}).ok());
  EXPECT_FALSE(Refusal(OpType::kSlice, SliceOf(0, 1, 0), {4}, {1}).ok());
  EXPECT_FALSE(Refusal(OpType::kSlice, SliceOf(2147483647, 2, 2147483647), {4}, {2}).ok());
}

TEST(Slice, DynamicBeginOutsideEndsTheRun) {
  for (const int32_t begin : {-5, 3, 4, 2147483647, -2147483647 - 1}) {
    fbs::SliceOptionsT options = SliceOf(0, 2, 1);
    options.dynamic_begin = true;
    OpTester t(OpType::kSlice, options);
    t.Input(Plain<float>({4}, {1, 2, 3, 4})).Input(Plain<int32_t>({1}, {begin}));
    t.Output(DType::kFloat32, {2});
    EXPECT_FALSE(t.Run().ok());
    EXPECT_EQ(t.code(), KernelCode::kIndexOutOfRange) << begin;
  }
}

TEST(SplitAndConcatenation, AreInverse) {
  Random random(3);
  for (const Shape& whole : kLayoutShapes) {
    for (int axis = 0; axis < whole.rank(); ++axis) {
      fbs::AxisOptionsT options;
      options.axis = static_cast<uint32_t>(axis);
      const auto x = Counting<int16_t>(whole);
      OpTester split(OpType::kSplit, options), concat(OpType::kConcatenation, options);
      split.Input(Plain<int16_t>(whole, x));
      int64_t at = 0;
      while (at < whole[axis]) {
        Shape part = whole;
        part[axis] = random.Int(0, whole[axis] - at);
        const int64_t begin = at;
        const auto expected = Naive<int16_t>(x, whole, part, [&](const Index& i) {
          Index from = i;
          from[static_cast<size_t>(axis)] += begin;
          return from;
        });
        split.Output(DType::kInt16, part);
        concat.Input(Plain<int16_t>(part, expected));
        at += part[axis];
      }
      if (at == 0 && whole[axis] == 0) {
        split.Output(DType::kInt16, whole);
        concat.Input(Plain<int16_t>(whole, x));
      }
      SCOPED_TRACE(whole.ToString() + " axis " + std::to_string(axis));
      ASSERT_TRUE(split.Run().ok());
      concat.Output(DType::kInt16, whole);
      const Status status = concat.Run();
      ASSERT_TRUE(status.ok()) << status.message();
      EXPECT_EQ(concat.Out<int16_t>(0), x);
    }
  }
}

TEST(Split, GivesTheParts) {
  fbs::AxisOptionsT options;
  options.axis = 1;
  OpTester t(OpType::kSplit, options);
  t.Input(Quantized<int8_t>({2, 3}, {1, 2, 3, 4, 5, 6}, 1, 0));
  t.Output(DType::kInt8, {2, 1}, 1, 0).Output(DType::kInt8, {2, 2}, 1, 0);
  ASSERT_TRUE(t.Run().ok());
  EXPECT_EQ(t.Out<int8_t>(0), (std::vector<int8_t>{1, 4}));
  EXPECT_EQ(t.Out<int8_t>(1), (std::vector<int8_t>{2, 3, 5, 6}));
  OpTester short_one(OpType::kSplit, options);
  short_one.Input(Plain<float>({1, 3}, {1, 2, 3})).Output(DType::kFloat32, {1, 2});
  EXPECT_FALSE(short_one.Run().ok());
}

TEST(Concatenation, RefusesUnequalQuantizationAndShapes) {
  const auto run = [](float scale, int32_t zero, Shape second) {
    OpTester t(OpType::kConcatenation, fbs::AxisOptionsT{});
    t.Input(Quantized<int8_t>({1, 2}, {1, 2}, 0.5f, 3));
    t.Input(Quantized<int8_t>(second, Counting<int8_t>(second), scale, zero));
    t.Output(DType::kInt8, {3, 2}, 0.5f, 3);
    return t.Run();
  };
  EXPECT_TRUE(run(0.5f, 3, {2, 2}).ok());
  EXPECT_FALSE(run(0.25f, 3, {2, 2}).ok());
  EXPECT_FALSE(run(0.5f, 4, {2, 2}).ok());
  EXPECT_FALSE(run(0.5f, 3, {2, 3}).ok());
  EXPECT_FALSE(run(0.5f, 3, {4}).ok());
}

}  // namespace
}  // namespace whit
