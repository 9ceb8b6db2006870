// SpaceToBatchNd, BatchToSpaceNd, SpaceToDepth, DepthToSpace, ResizeBilinear, ResizeNearest against
// their definitions.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/kernels/nd.h"
#include "tests/kernels/op_tester.h"

namespace whit {
namespace {

struct BlockCase {
  Shape space;
  std::vector<uint32_t> block, before, after;
};

const std::vector<BlockCase> kBlockCases = {{{1, 4, 4, 1}, {2, 2}, {0, 0}, {0, 0}},
                                            {{2, 3, 5, 3}, {2, 3}, {1, 0}, {0, 1}},
                                            {{3, 5, 2}, {4}, {2}, {1}},
                                            {{1, 2, 3, 4, 2}, {1, 3, 2}, {0, 2, 0}, {1, 1, 2}},
                                            {{2, 7}, {3}, {1}, {1}},
                                            {{1, 1, 1, 6}, {3, 2}, {2, 1}, {0, 0}}};

Shape BatchSide(const BlockCase& c) {
  Shape s = c.space;
  for (size_t a = 0; a < c.block.size(); ++a) {
    const int axis = static_cast<int>(a) + 1;
    s[0] *= c.block[a];
    s[axis] = (s[axis] + c.before[a] + c.after[a]) / c.block[a];
  }
  return s;
}

// The index on the space side (perhaps in the border) of an index on the batch side.
Index SpaceIndex(const BlockCase& c, const Index& at) {
  Index from = at;
  int64_t phase = at[0] / c.space[0];
  from[0] = at[0] % c.space[0];
  for (size_t a = c.block.size(); a-- > 0;) {
    from[a + 1] = at[a + 1] * c.block[a] + phase % c.block[a] - c.before[a];
    phase /= c.block[a];
  }
  return from;
}

template <typename T>
void TestSpaceBatch(T border, bool quantized) {
  for (const BlockCase& c : kBlockCases) {
    const Shape batch = BatchSide(c);
    SCOPED_TRACE(c.space.ToString() + " " + batch.ToString());
    const auto x = Counting<T>(c.space);
    std::vector<T> expected;
    ForEachIndex(batch, [&](const Index& at) {
      const Index from = SpaceIndex(c, at);
      bool inside = true;
      for (size_t a = 0; a < from.size(); ++a) {
        inside = inside && from[a] >= 0 && from[a] < c.space[static_cast<int>(a)];
      }
      expected.push_back(inside ? x[Linear(c.space, from)] : border);
    });
    fbs::BlockOptionsT options;
    options.block = c.block, options.before = c.before, options.after = c.after;
    OpTester to(OpType::kSpaceToBatchNd, options), back(OpType::kBatchToSpaceNd, options);
    if (quantized) {
      to.Input(Quantized<T>(c.space, x, 0.5f, border)).Output(DTypeOf<T>(), batch, 0.5f, border);
      back.Input(Quantized<T>(batch, expected, 0.5f, border));
      back.Output(DTypeOf<T>(), c.space, 0.5f, border);
    } else {
      to.Input(Plain<T>(c.space, x)).Output(DTypeOf<T>(), batch);
      back.Input(Plain<T>(batch, expected)).Output(DTypeOf<T>(), c.space);
    }
    Status status = to.Run();
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(to.Out<T>(0), expected);
    status = back.Run();
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(back.Out<T>(0), x);
  }
}

TEST(SpaceBatch, ThereAndBack) {
  TestSpaceBatch<float>(0, false);
  TestSpaceBatch<int64_t>(0, false);
  TestSpaceBatch<int8_t>(-77, true);
  TestSpaceBatch<int16_t>(0, true);
}

TEST(SpaceBatch, RefusesShapesThatDoNotFit) {
  const auto run = [](uint32_t block, Shape out) {
    fbs::BlockOptionsT options;
    options.block = {block}, options.before = {0}, options.after = {0};
    OpTester t(OpType::kSpaceToBatchNd, options);
    t.Input(Plain<float>({1, 4, 1}, {1, 2, 3, 4})).Output(DType::kFloat32, out);
    return t.Run();
  };
  EXPECT_TRUE(run(2, {2, 2, 1}).ok());
  EXPECT_FALSE(run(2, {2, 3, 1}).ok());
  EXPECT_FALSE(run(3, {3, 1, 1}).ok());
  EXPECT_FALSE(run(0, {0, 4, 1}).ok());
}

TEST(SpaceDepth, ThereAndBack) {
  for (const int64_t b : {1, 2, 3}) {
    const Shape wide = {2, 2 * b, 3 * b, 5}, deep = {2, 2, 3, 5 * b * b};
    const auto x = Counting<int16_t>(wide);
    const auto expected = Naive<int16_t>(x, wide, deep, [&](const Index& at) {
      const int64_t phase = at[3] / 5;
      return Index{at[0], at[1] * b + phase / b, at[2] * b + phase % b, at[3] % 5};
    });
    fbs::BlockOptionsT options;
    options.block = {static_cast<uint32_t>(b), static_cast<uint32_t>(b)};
    OpTester to(OpType::kSpaceToDepth, options), back(OpType::kDepthToSpace, options);
    to.Input(Plain<int16_t>(wide, x)).Output(DType::kInt16, deep);
    ASSERT_TRUE(to.Run().ok());
    EXPECT_EQ(to.Out<int16_t>(0), expected);
    back.Input(Plain<int16_t>(deep, expected)).Output(DType::kInt16, wide);
    ASSERT_TRUE(back.Run().ok());
    EXPECT_EQ(back.Out<int16_t>(0), x);
  }
}

struct ResizeCase {
  int64_t h, w, out_h, out_w;
};
const std::vector<ResizeCase> kResizeCases = {{3, 4, 6, 8}, {6, 8, 3, 4}, {1, 5, 4, 1},
                                              {5, 7, 9, 3}, {2, 2, 2, 2}, {4, 1, 13, 2}};

// Position of output pixel i in the input, not rounded.
double Position(int64_t i, int64_t in, int64_t out, bool align, bool half) {
  if (align && out > 1) return static_cast<double>(i * (in - 1)) / static_cast<double>(out - 1);
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  return half ? (static_cast<double>(i) + 0.5) * scale - 0.5 : static_cast<double>(i) * scale;
}

// The exact bilinear value in double.
template <typename T>
double Bilinear(const std::vector<T>& x, const Shape& s, const Index& at, double py, double px) {
  py = std::clamp(py, 0.0, static_cast<double>(s[1] - 1));
  px = std::clamp(px, 0.0, static_cast<double>(s[2] - 1));
  const auto y0 = static_cast<int64_t>(py), x0 = static_cast<int64_t>(px);
  const int64_t y1 = std::min(y0 + 1, s[1] - 1), x1 = std::min(x0 + 1, s[2] - 1);
  const double wy = py - static_cast<double>(y0), wx = px - static_cast<double>(x0);
  const auto v = [&](int64_t yy, int64_t xx) {
    return static_cast<double>(x[Linear(s, {at[0], yy, xx, at[3]})]);
  };
  return (v(y0, x0) * (1 - wx) + v(y0, x1) * wx) * (1 - wy) +
         (v(y1, x0) * (1 - wx) + v(y1, x1) * wx) * wy;
}

// `tolerance`, in stored units: the last rounding and, for each axis, a weight off by half a unit
// (2^-12 for 8 bits, 2^-16 for int16) times a difference of full range.
template <typename T>
void TestBilinear(int64_t lo, int64_t hi, double tolerance) {
  Random random(11);
  for (const ResizeCase& c : kResizeCases) {
    for (const auto& [align, half] : {std::pair{false, false}, {true, false}, {false, true}}) {
      const Shape in = {2, c.h, c.w, 3}, out = {2, c.out_h, c.out_w, 3};
      const auto x = random.Values<T>(in.elements(), lo, hi);
      fbs::ResizeOptionsT options;
      options.align_corners = align, options.half_pixel_centers = half;
      OpTester t(OpType::kResizeBilinear, options);
      if constexpr (std::is_same_v<T, float>) {
        t.Input(Plain<T>(in, x)).Output(DTypeOf<T>(), out);
      } else {
        t.Input(Quantized<T>(in, x, 0.5f, 3)).Output(DTypeOf<T>(), out, 0.5f, 3);
      }
      const Status status = t.Run();
      ASSERT_TRUE(status.ok()) << status.message();
      const auto y = t.Out<T>(0);
      ForEachIndex(out, [&](const Index& at) {
        const double exact = Bilinear<T>(x, in, at, Position(at[1], c.h, c.out_h, align, half),
                                         Position(at[2], c.w, c.out_w, align, half));
        EXPECT_NEAR(static_cast<double>(y[Linear(out, at)]), exact, tolerance)
            << in.ToString() << out.ToString() << align << half;
      });
    }
  }
}

TEST(ResizeBilinear, NearTheExactValue) {
  TestBilinear<float>(-100, 100, 1e-4);
  TestBilinear<int8_t>(-128, 127, 0.5 + 0.25);
  TestBilinear<int16_t>(-32768, 32767, 0.5 + 2);
}

// 1/3 of the way from end to end: with 11-bit weights (683/2048) the middle would be 10 steps off.
TEST(ResizeBilinear, Int16WeightsHave15Bits) {
  fbs::ResizeOptionsT options;
  options.align_corners = true;
  OpTester t(OpType::kResizeBilinear, options);
  t.Input(Quantized<int16_t>({1, 1, 2, 1}, {-32768, 32767}, 1, 0));
  t.Output(DType::kInt16, {1, 1, 4, 1}, 1, 0);
  ASSERT_TRUE(t.Run().ok());
  EXPECT_EQ(t.Out<int16_t>(0), (std::vector<int16_t>{-32768, -10922, 10921, 32767}));
}

TEST(ResizeBilinear, RoundsHalfUp) {
  fbs::ResizeOptionsT options;
  options.align_corners = true;
  OpTester t(OpType::kResizeBilinear, options);
  t.Input(Quantized<int8_t>({1, 1, 2, 2}, {1, -4, 2, -3}, 1, 0));
  t.Output(DType::kInt8, {1, 1, 3, 2}, 1, 0);
  ASSERT_TRUE(t.Run().ok());
  EXPECT_EQ(t.Out<int8_t>(0), (std::vector<int8_t>{1, -4, 2, -3, 2, -3}));
}

TEST(ResizeNearest, TakesTheRightPixel) {
  for (const ResizeCase& c : kResizeCases) {
    for (const auto& [align, half] : {std::pair{false, false}, {true, false}, {false, true}}) {
      const Shape in = {2, c.h, c.w, 3}, out = {2, c.out_h, c.out_w, 3};
      const auto pick = [align = align, half = half](int64_t i, int64_t n, int64_t to) {
        const int64_t ends = align && to > 1 ? 1 : 0;
        const float scale = static_cast<float>(n - ends) / static_cast<float>(to - ends);
        const float at = (static_cast<float>(i) + (half ? 0.5f : 0.0f)) * scale;
        return std::min(static_cast<int64_t>(align ? std::round(at) : std::floor(at)), n - 1);
      };
      const auto x = Counting<int16_t>(in);
      const auto expected = Naive<int16_t>(x, in, out, [&](const Index& at) {
        return Index{at[0], pick(at[1], c.h, c.out_h), pick(at[2], c.w, c.out_w), at[3]};
      });
      fbs::ResizeOptionsT options;
      options.align_corners = align, options.half_pixel_centers = half;
      OpTester t(OpType::kResizeNearest, options);
      t.Input(Plain<int16_t>(in, x)).Output(DType::kInt16, out);
      ASSERT_TRUE(t.Run().ok());
      EXPECT_EQ(t.Out<int16_t>(0), expected);
    }
  }
}

// Tables grow with the sides, not with the bytes of the picture.
TEST(Resize, RefusesASideBeyondItsTables) {
  const int64_t most = 1 << 20;
  for (OpType type : {OpType::kResizeBilinear, OpType::kResizeNearest}) {
    for (const Shape& out : {Shape{1, most + 1, 1, 1}, Shape{1, 1, most + 1, 1}}) {
      OpTester t(type, fbs::ResizeOptionsT{});
      t.Input(Quantized<int8_t>({1, 1, 1, 1}, {1}, 0.5f, 0)).Output(DType::kInt8, out, 0.5f, 0);
      const Status status = t.Run();
      EXPECT_EQ(status.code(), StatusCode::kUnsupported);
      EXPECT_NE(status.message().find("1048577, at most 1048576"), std::string::npos)
          << status.message();
    }
  }
}

TEST(Resize, RefusesBothConventionsAndUnequalScales) {
  fbs::ResizeOptionsT both;
  both.align_corners = both.half_pixel_centers = true;
  OpTester t(OpType::kResizeNearest, both);
  t.Input(Plain<float>({1, 1, 1, 1}, {1})).Output(DType::kFloat32, {1, 2, 2, 1});
  EXPECT_FALSE(t.Run().ok());
  OpTester scales(OpType::kResizeBilinear, fbs::ResizeOptionsT{});
  scales.Input(Quantized<int8_t>({1, 1, 1, 1}, {1}, 0.5f, 0));
  scales.Output(DType::kInt8, {1, 2, 2, 1}, 0.25f, 0);
  EXPECT_FALSE(scales.Run().ok());
}

}  // namespace
}  // namespace whit
