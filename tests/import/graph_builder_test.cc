// GraphBuilder against plain loops over the formulas.
#include "tools/import/graph_builder.h"

#include <cmath>

#include "tests/import/built.h"
#include "tests/import/plain.h"

namespace whit::tools {
namespace {

struct ConvCase {
  Size in;
  int64_t n, groups;
  Window2D window;
};

class Convolution : public ::testing::TestWithParam<ConvCase> {};

TEST_P(Convolution, EqualsItsDefinition) {
  const auto& [in, n, groups, window] = GetParam();
  const int64_t part = in.c / groups;
  const Shape ws{n, window.kernel[0], window.kernel[1], part};
  const Floats x = Noise(in.count(), 1), w = Noise(static_cast<size_t>(ws.elements()), 2),
               b = Noise(static_cast<size_t>(n), 3);
  Size out{};
  const Floats want = PlainConv(x, in, w, b, n, window, groups, &out);
  GraphBuilder g;
  const Value input = g.Input("x", DType::kFloat32, Shape{1, in.h, in.w, in.c});
  const Value y = g.At("conv").Conv2D(input, g.Floats(ws, w), g.Floats(Shape{n}, b),
                                      {.window = window, .groups = groups});
  EXPECT_EQ(g.shape(y), (Shape{1, out.h, out.w, n}));
  g.Output("y", y);
  ExpectNear(RunOn(g, x), want, 1e-4f);
}

INSTANTIATE_TEST_SUITE_P(
    Windows, Convolution,
    ::testing::Values(
        ConvCase{{5, 6, 3}, 4, 1, {.kernel = {3, 3}, .before = {1, 1}, .after = {1, 1}}},
        ConvCase{{8, 7, 2},
                 3,
                 1,
                 {.kernel = {3, 2}, .stride = {2, 3}, .before = {2, 0}, .after = {0, 1}}},
        ConvCase{{9, 9, 4}, 6, 2, {.kernel = {3, 3}, .before = {1, 0}, .after = {0, 2}}},
        ConvCase{{9, 11, 2},
                 5,
                 1,
                 {.kernel = {3, 3}, .dilation = {2, 3}, .before = {2, 3}, .after = {1, 0}}},
        ConvCase{{6, 6, 8}, 8, 8, {.kernel = {3, 3}, .stride = {2, 2}, .after = {1, 1}}},
        ConvCase{{6, 6, 4}, 12, 4, {.kernel = {3, 3}, .before = {1, 1}, .after = {1, 1}}},
        ConvCase{{7, 5, 1}, 3, 1, {.kernel = {3, 3}, .before = {1, 1}, .after = {1, 1}}},
        // Windows that read nothing but padding.
        ConvCase{{4, 4, 2}, 2, 1, {.kernel = {2, 1}, .before = {3, 1}, .after = {2, 0}}}));

TEST(GraphBuilder, WeightsComeInTheOrderOfAnyFramework) {
  const Size in{4, 5, 2};
  const int64_t n = 3;
  const Window2D window = {.kernel = {2, 3}};
  const Floats x = Noise(in.count(), 1), ohwi = Noise(3 * 2 * 3 * 2, 2), zero(3, 0.0f);
  Size out{};
  const Floats want = PlainConv(x, in, ohwi, zero, n, window, 1, &out);
  const auto at = [&](int64_t o, int64_t h, int64_t w, int64_t i) {
    return ohwi[static_cast<size_t>(((o * 2 + h) * 3 + w) * 2 + i)];
  };
  Floats oihw, hwio;
  for (int64_t o = 0; o < 3; ++o)
    for (int64_t i = 0; i < 2; ++i)
      for (int64_t h = 0; h < 2; ++h)
        for (int64_t w = 0; w < 3; ++w) oihw.push_back(at(o, h, w, i));
  for (int64_t h = 0; h < 2; ++h)
    for (int64_t w = 0; w < 3; ++w)
      for (int64_t i = 0; i < 2; ++i)
        for (int64_t o = 0; o < 3; ++o) hwio.push_back(at(o, h, w, i));
  for (const auto order : {WeightOrder::kOIHW, WeightOrder::kHWIO}) {
    GraphBuilder g;
    const Value input = g.Input("x", DType::kFloat32, Shape{1, 4, 5, 2});
    const Value weights = order == WeightOrder::kOIHW ? g.Floats(Shape{3, 2, 2, 3}, oihw)
                                                      : g.Floats(Shape{2, 3, 2, 3}, hwio);
    g.Output("y", g.Conv2D(input, weights, {}, {.window = window, .order = order}));
    ExpectNear(RunOn(g, x), want, 1e-5f);
  }
}

// A transposed convolution by its definition; weights [I, O / groups, H, W].
Floats PlainTransposed(const Floats& x, Size in, const Floats& w, int64_t per_group,
                       const TransposeConvArgs& args, std::array<int64_t, 2> k, Size* out) {
  const auto& d = args.window;
  const auto size = [&](size_t a, int64_t n) {
    return (n - 1) * d.stride[a] + (k[a] - 1) * d.dilation[a] + 1 - d.before[a] - d.after[a] +
           args.extra[a];
  };
  *out = {size(0, in.h), size(1, in.w), per_group * args.groups};
  Floats y(out->count(), 0.0f);
  const int64_t part = in.c / args.groups;
  for (int64_t iy = 0; iy < in.h; ++iy)
    for (int64_t ix = 0; ix < in.w; ++ix)
      for (int64_t i = 0; i < in.c; ++i)
        for (int64_t o = 0; o < per_group; ++o)
          for (int64_t ky = 0; ky < k[0]; ++ky)
            for (int64_t kx = 0; kx < k[1]; ++kx) {
              const int64_t oy = iy * d.stride[0] + ky * d.dilation[0] - d.before[0];
              const int64_t ox = ix * d.stride[1] + kx * d.dilation[1] - d.before[1];
              if (oy < 0 || oy >= out->h || ox < 0 || ox >= out->w) continue;
              const int64_t at = ((i * per_group + o) * k[0] + ky) * k[1] + kx;
              y[At(*out, oy, ox, i / part * per_group + o)] +=
                  x[At(in, iy, ix, i)] * w[static_cast<size_t>(at)];
            }
  return y;
}

TEST(GraphBuilder, TransposedConvolutionsWithDilationGroupsAndAnythingCutOff) {
  const Size in{4, 3, 4};
  for (const int64_t groups : {1, 2}) {
    for (const int64_t dilation : {1, 2}) {
      for (const int64_t extra : {0, 1}) {
        TransposeConvArgs args;
        args.order = WeightOrder::kIOHW;
        args.groups = groups;
        args.window = {
            .stride = {2, 2}, .dilation = {dilation, 1}, .before = {1, 0}, .after = {0, 1}};
        args.extra = {extra, extra};
        const std::array<int64_t, 2> k = {3, 2};
        const Floats x = Noise(in.count(), 5), w = Noise(4 * 3 * 3 * 2, 6);
        Size out{};
        const Floats want = PlainTransposed(x, in, w, 3, args, k, &out);
        GraphBuilder g;
        const Value input = g.Input("x", DType::kFloat32, Shape{1, 4, 3, 4});
        const Value y = g.TransposeConv2D(input, g.Floats(Shape{4, 3, 3, 2}, w), {}, args);
        EXPECT_EQ(g.shape(y), (Shape{1, out.h, out.w, out.c}));
        g.Output("y", y);
        ExpectNear(RunOn(g, x), want, 1e-5f);
      }
    }
  }
}

// ---- folding and fusing ----

struct Normalized {
  Floats gamma = Noise(4, 11, 0.5f, 2), beta = Noise(4, 12), mean = Noise(4, 13),
         variance = Noise(4, 14, 0.1f, 3);

  Value Apply(GraphBuilder& g, Value x) const {
    return g.BatchNorm(x, {.gamma = g.Floats(Shape{4}, gamma),
                           .beta = g.Floats(Shape{4}, beta),
                           .mean = g.Floats(Shape{4}, mean),
                           .variance = g.Floats(Shape{4}, variance),
                           .epsilon = 1e-3f});
  }
  void Apply(Floats* values) const {
    for (size_t i = 0; i < values->size(); ++i) {
      float& v = (*values)[i];
      v = (v - mean[i % 4]) / std::sqrt(variance[i % 4] + 1e-3f) * gamma[i % 4] + beta[i % 4];
    }
  }
};

using Names = std::vector<std::string>;

TEST(GraphBuilder, BatchNormalizationAndReluBecomePartOfTheProduct) {
  for (const int64_t groups : {1, 4}) {
    for (const bool with_bias : {false, true}) {
      const Window2D window = {.kernel = {3, 3}, .before = {1, 1}, .after = {1, 1}};
      const Size in{5, 5, 4};
      const Shape ws{4, 3, 3, 4 / groups};
      const Floats x = Noise(in.count(), 1), w = Noise(static_cast<size_t>(ws.elements()), 2);
      const Floats b = with_bias ? Noise(4, 3) : Floats(4, 0.0f);
      Size out{};
      Floats want = PlainConv(x, in, w, b, 4, window, groups, &out);
      const Normalized norm;
      norm.Apply(&want);
      for (float& v : want) v = std::min(std::max(v, 0.0f), 6.0f);
      GraphBuilder g;
      Value y = g.Input("x", DType::kFloat32, Shape{1, 5, 5, 4});
      y = g.Conv2D(y, g.Floats(ws, w), with_bias ? g.Floats(Shape{4}, b) : Value(),
                   {.window = window, .groups = groups});
      g.Output("y", g.Relu6(norm.Apply(g, y)));
      Built built(g);
      EXPECT_EQ(built.ops(), Names{groups == 1 ? "Conv2D" : "DepthwiseConv2D"});
      built.Set(0, x);
      ExpectNear(built.Run(), want, 1e-4f);
    }
  }
}

TEST(GraphBuilder, WhatSomebodyElseReadsStaysAsItIs) {
  const Floats x = Noise(8, 1), w = Noise(16, 2);
  Floats product(8);
  for (size_t row = 0; row < 2; ++row)
    for (size_t o = 0; o < 4; ++o)
      for (size_t k = 0; k < 4; ++k) product[row * 4 + o] += x[row * 4 + k] * w[o * 4 + k];
  const Normalized norm;
  Floats want = product;
  norm.Apply(&want);
  for (size_t i = 0; i < 8; ++i) want[i] += product[i];
  GraphBuilder g;
  const Value y =
      g.Linear(g.Input("x", DType::kFloat32, Shape{2, 4}), g.Floats(Shape{4, 4}, w), {});
  g.Output("y", g.Add(norm.Apply(g, y), y));
  ExpectNear(RunOn(g, x), want, 1e-4f);
}

TEST(GraphBuilder, AClampBeforeTheScaleKeepsTheScale) {
  GraphBuilder g;
  const Floats eye = {1, 0, 0, 1}, two = {2, 2};
  Value y = g.Linear(g.Input("x", DType::kFloat32, Shape{1, 2}), g.Floats(Shape{2, 2}, eye), {});
  y = g.Mul(g.Clamp(y, {.lo = -1, .hi = 2}), g.Floats(Shape{2}, two));
  g.Output("y", y);
  Built built(g);
  EXPECT_EQ(built.ops(), (Names{"FullyConnected", "Mul"}));
  built.Set(0, Floats{-5, 5});
  EXPECT_EQ(built.Run(), (Floats{-2, 4}));
}

TEST(GraphBuilder, ConstantsFoldAtOnce) {
  GraphBuilder g;
  const Value c = g.Mul(g.Float(3), g.Add(g.Float(1), g.Float(2)));
  EXPECT_TRUE(g.constant(c));
  const int32_t dims[] = {2, 3};
  const Value shape =
      g.Concat({g.Int32s(Shape{1}, {dims, 1}), g.Int32s(Shape{1}, {dims + 1, 1})}, 0);
  EXPECT_EQ(g.ConstantInts(shape), (std::vector<int64_t>{2, 3}));
  g.Output("y", g.Add(g.Input("x", DType::kFloat32, Shape{2}), c));
  EXPECT_EQ(RunOn(g, {1, 2}), (Floats{10, 11}));
}

// ---- errors ----

std::string ErrorOf(GraphBuilder& g) { return g.FinishBytes().status().message(); }

TEST(GraphBuilder, TheFirstErrorSticksAndNamesItsNode) {
  GraphBuilder g;
  const Value x = g.Input("x", DType::kFloat32, Shape{1, 4, 4, 3});
  const Floats w(2 * 9 * 5, 0.0f);
  Value y = g.At("stem.conv").Conv2D(x, g.Floats(Shape{2, 3, 3, 5}, w), {}, {});
  EXPECT_TRUE(g.failed(y));
  y = g.At("later").Add(y, x);
  EXPECT_TRUE(g.failed(y));
  g.Output("y", y);
  const std::string error = ErrorOf(g);
  EXPECT_NE(error.find("stem.conv"), std::string::npos) << error;
  EXPECT_NE(error.find("5 input channels"), std::string::npos) << error;
  EXPECT_EQ(error.find("later"), std::string::npos) << error;
}

TEST(GraphBuilder, WhatIsNotSupportedIsListedWhole) {
  GraphBuilder g;
  const Value x = g.Input("x", DType::kFloat32, Shape{1, 4, 4, 3});
  const Value w = g.Input("w", DType::kFloat32, Shape{2, 3, 3, 3});
  const Value a = g.At("first").Conv2D(x, w, {}, {});
  g.At("between").Relu(a);
  const Value b = g.At("second").Add(x, g.Cast(x, DType::kInt32));
  g.Output("y", b);
  const std::string error = ErrorOf(g);
  for (const char* part : {"first", "computed at run time", "second", "int32"})
    EXPECT_NE(error.find(part), std::string::npos) << error;
  EXPECT_EQ(error.find("between"), std::string::npos) << error;
}

TEST(GraphBuilder, AWindowThatDoesNotFitSaysWhatItNeeds) {
  GraphBuilder g;
  const Value x = g.Input("x", DType::kFloat32, Shape{1, 2, 9, 1});
  g.Output("y", g.At("pool").MaxPool(x, {.kernel = {3, 3}}));
  const std::string error = ErrorOf(g);
  EXPECT_NE(error.find("height: the input has 2, the window needs 3"), std::string::npos) << error;
}

}  // namespace
}  // namespace whit::tools
