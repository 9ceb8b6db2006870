// GraphBuilder's operators that are composed, and those with arguments one can get wrong, against
// their definitions.
#include <cmath>
#include <functional>
#include <limits>

#include "tests/import/built.h"

namespace whit::tools {
namespace {

// y = make(x) over one input of that shape.
Floats Apply(const Shape& shape, const Floats& in,
             const std::function<Value(GraphBuilder&, Value)>& make) {
  GraphBuilder g;
  g.Output("y", make(g, g.Input("x", DType::kFloat32, shape)));
  return RunOn(g, in);
}

Floats Map(Floats values, const std::function<double(double)>& f) {
  for (float& v : values) v = static_cast<float>(f(double{v}));
  return values;
}

TEST(GraphBuilderElementwise, ComposedFunctionsEqualTheirDefinitions) {
  Floats x = Noise(500, 1, -6, 6);
  for (float v : {0.0f, 0.03f, -0.03f, 1e-4f, 30.0f, -30.0f, 88.0f, -88.0f}) x.push_back(v);
  const Shape shape{static_cast<int64_t>(x.size())};
  const auto erf = Apply(shape, x, [](GraphBuilder& g, Value v) { return g.Erf(v); });
  ExpectNear(erf, Map(x, [](double v) { return std::erf(v); }), 1e-6f);
  const auto softplus = Apply(shape, x, [](GraphBuilder& g, Value v) { return g.Softplus(v); });
  ExpectNear(softplus,
             Map(x, [](double v) { return std::max(v, 0.0) + std::log1p(std::exp(-std::abs(v))); }),
             1e-5f);
  const auto elu = Apply(shape, x, [](GraphBuilder& g, Value v) { return g.Elu(v, 0.5f); });
  ExpectNear(elu, Map(x, [](double v) { return v > 0 ? v : 0.5 * std::expm1(v); }), 1e-5f);
  const auto sign = Apply(shape, x, [](GraphBuilder& g, Value v) { return g.Sign(v); });
  ExpectNear(sign, Map(x, [](double v) { return v > 0 ? 1 : v < 0 ? -1 : 0; }), 0);
  const auto hard =
      Apply(shape, x, [](GraphBuilder& g, Value v) { return g.HardSigmoid(v, 0.2f, 0.5f); });
  ExpectNear(hard, Map(x, [](double v) { return std::min(std::max(0.2 * v + 0.5, 0.0), 1.0); }),
             1e-6f);
  const auto clamp =
      Apply(shape, x, [](GraphBuilder& g, Value v) { return g.Clamp(v, {.lo = -2, .hi = 3}); });
  ExpectNear(clamp, Map(x, [](double v) { return std::min(std::max(v, -2.0), 3.0); }), 0);
}

// GELU as frameworks write it, every order of its factors.
TEST(GraphBuilderElementwise, TheFactorsOfGeluBecomeOneOperator) {
  const Floats x = Noise(100, 1, -5, 5);
  const auto gelu = Map(x, [](double v) { return v / 2 * (1 + std::erf(v / std::sqrt(2.0))); });
  const float root = std::sqrt(2.0f);
  const std::vector<std::function<Value(GraphBuilder&, Value)>> forms = {
      [&](GraphBuilder& g, Value v) {
        const Value e = g.Add(g.Erf(g.Div(v, g.Float(root))), g.Float(1));
        return g.Mul(g.Mul(v, e), g.Float(0.5f));
      },
      [&](GraphBuilder& g, Value v) {
        const Value e = g.Add(g.Float(1), g.Erf(g.Mul(g.Float(1 / root), v)));
        return g.Mul(g.Mul(v, g.Float(0.5f)), e);
      },
      [&](GraphBuilder& g, Value v) {
        const Value e = g.Mul(g.Add(g.Erf(g.Div(v, g.Float(root))), g.Float(1)), g.Float(0.5f));
        return g.Mul(e, v);
      }};
  for (const auto& form : forms) {
    GraphBuilder g;
    g.Output("y", form(g, g.Input("x", DType::kFloat32, Shape{100})));
    Built built(g);
    EXPECT_EQ(built.ops(), std::vector<std::string>{"Gelu"});
    built.Set(0, x);
    ExpectNear(built.Run(), gelu, 1e-5f);
  }
  // Not GELU: another factor inside.
  GraphBuilder g;
  const Value v = g.Input("x", DType::kFloat32, Shape{100});
  const Value e = g.Add(g.Erf(g.Mul(v, g.Float(0.7f))), g.Float(1));
  g.Output("y", g.Mul(g.Mul(v, e), g.Float(0.5f)));
  ExpectNear(RunOn(g, x), Map(x, [](double d) { return d / 2 * (1 + std::erf(d * 0.7)); }), 1e-5f);
}

TEST(GraphBuilderElementwise, SmallPowersAreProducts) {
  const Floats x = Noise(50, 1, -3, 3);
  for (const float power : {1.0f, 2.0f, 3.0f}) {
    GraphBuilder g;
    g.Output("y",
             g.Mul(g.Pow(g.Input("x", DType::kFloat32, Shape{50}), g.Float(power)), g.Float(1)));
    Built built(g);
    for (const std::string& op : built.ops()) EXPECT_NE(op, "Pow");
    built.Set(0, x);
    ExpectNear(built.Run(), Map(x, [&](double v) { return std::pow(v, double{power}); }), 1e-5f);
  }
}

TEST(GraphBuilderAxes, SoftmaxOfAnyAxis) {
  const Floats x = Noise(2 * 3 * 4, 1, -3, 3);
  Floats want(x.size());
  for (size_t a = 0; a < 2; ++a)
    for (size_t c = 0; c < 4; ++c) {
      double sum = 0;
      for (size_t b = 0; b < 3; ++b) sum += std::exp(double{x[(a * 3 + b) * 4 + c]});
      for (size_t b = 0; b < 3; ++b)
        want[(a * 3 + b) * 4 + c] =
            static_cast<float>(std::exp(double{x[(a * 3 + b) * 4 + c]}) / sum);
    }
  const Shape shape{2, 3, 4};
  ExpectNear(Apply(shape, x, [](GraphBuilder& g, Value v) { return g.Softmax(v, 1); }), want,
             1e-6f);
  ExpectNear(Apply(shape, x, [](GraphBuilder& g, Value v) { return g.LogSoftmax(v, -2); }),
             Map(want, [](double v) { return std::log(v); }), 1e-5f);
}

TEST(GraphBuilderAxes, LayerNormOverTheLastAxes) {
  const Floats x = Noise(3 * 8, 1), gamma = Noise(8, 2), beta = Noise(8, 3);
  Floats want(x.size());
  for (size_t r = 0; r < 3; ++r) {
    double mean = 0, variance = 0;
    for (size_t i = 0; i < 8; ++i) mean += double{x[r * 8 + i]} / 8;
    for (size_t i = 0; i < 8; ++i) variance += std::pow(double{x[r * 8 + i]} - mean, 2) / 8;
    for (size_t i = 0; i < 8; ++i)
      want[r * 8 + i] = static_cast<float>((double{x[r * 8 + i]} - mean) /
                                               std::sqrt(variance + 1e-5) * double{gamma[i]} +
                                           double{beta[i]});
  }
  const Shape whole{3, 8}, split{3, 2, 4};
  const auto of = [&](const Shape& shape, int axes, const Shape& constants) {
    return Apply(shape, x, [&](GraphBuilder& g, Value v) {
      return g.LayerNorm(v, axes, g.Floats(constants, gamma), g.Floats(constants, beta), 1e-5f);
    });
  };
  ExpectNear(of(whole, 1, Shape{8}), want, 1e-5f);
  ExpectNear(of(split, 2, Shape{2, 4}), want, 1e-5f);
}

// A pool of one channel by its definition. `count`: padding (not the overhang) counts as zeros.
Floats PlainPool(const Floats& x, int64_t h, int64_t w, const Window2D& d, bool max, bool count,
                 std::array<int64_t, 2> overhang) {
  Floats y;
  const auto last = [&](size_t a, int64_t in) {
    return (in + d.before[a] + d.after[a] + overhang[a] - (d.kernel[a] - 1) * d.dilation[a] - 1) /
           d.stride[a];
  };
  for (int64_t oy = 0; oy <= last(0, h); ++oy)
    for (int64_t ox = 0; ox <= last(1, w); ++ox) {
      double sum = 0, n = 0, best = -std::numeric_limits<double>::infinity();
      for (int64_t ky = 0; ky < d.kernel[0]; ++ky)
        for (int64_t kx = 0; kx < d.kernel[1]; ++kx) {
          const int64_t iy = oy * d.stride[0] + ky * d.dilation[0] - d.before[0];
          const int64_t ix = ox * d.stride[1] + kx * d.dilation[1] - d.before[1];
          const bool inside = iy >= 0 && iy < h && ix >= 0 && ix < w;
          if (count && iy < h + d.after[0] && ix < w + d.after[1]) n += 1;
          if (!inside) continue;
          if (!count) n += 1;
          sum += double{x[static_cast<size_t>(iy * w + ix)]};
          best = std::max(best, double{x[static_cast<size_t>(iy * w + ix)]});
        }
      y.push_back(static_cast<float>(max ? best : sum / n));
    }
  return y;
}

TEST(GraphBuilderPools, PaddingOverhangAndDilation) {
  const Floats x = Noise(6 * 7, 1);
  const Shape shape{1, 6, 7, 1};
  const Window2D window = {.kernel = {3, 2}, .stride = {2, 2}, .before = {1, 0}, .after = {0, 1}};
  for (const bool count : {false, true}) {
    for (const int64_t over : {0, 1}) {
      const auto got = Apply(shape, x, [&](GraphBuilder& g, Value v) {
        return g.AveragePool(v, {.window = window, .count_padding = count, .overhang = {over, 0}});
      });
      ExpectNear(got, PlainPool(x, 6, 7, window, false, count, {over, 0}), 1e-6f);
    }
  }
  Window2D dilated = window;
  dilated.dilation = {1, 3};
  for (const Window2D& d : {window, dilated}) {
    const auto got = Apply(shape, x, [&](GraphBuilder& g, Value v) { return g.MaxPool(v, d); });
    ExpectNear(got, PlainPool(x, 6, 7, d, true, false, {0, 0}), 0);
  }
}

TEST(GraphBuilderLayout, SlicesFromBothEnds) {
  const Floats x = {0, 1, 2, 3, 4, 5, 6};
  const auto slice = [&](int64_t begin, int64_t end, int64_t stride) {
    return Apply(Shape{7}, x,
                 [&](GraphBuilder& g, Value v) { return g.SliceAxis(v, 0, begin, end, stride); });
  };
  EXPECT_EQ(slice(1, 6, 2), (Floats{1, 3, 5}));
  EXPECT_EQ(slice(-3, 100, 1), (Floats{4, 5, 6}));
  EXPECT_EQ(slice(-1, -100, -3), (Floats{6, 3, 0}));
  EXPECT_EQ(slice(5, 2, -1), (Floats{5, 4, 3}));
}

TEST(GraphBuilderLayout, BordersOfEveryKind) {
  const Floats x = {1, 2, 3, 4, 5, 6};
  const auto pad = [&](auto make) { return Apply(Shape{2, 3}, x, make); };
  EXPECT_EQ(pad([](GraphBuilder& g, Value v) {
              return g.EdgePad(v, {1, 0}, {0, 2});
            }),
            (Floats{1, 2, 3, 3, 3, 1, 2, 3, 3, 3, 4, 5, 6, 6, 6}));
  EXPECT_EQ(pad([](GraphBuilder& g, Value v) {
              return g.Pad(v, {0, 1}, {1, 0}, 9);
            }),
            (Floats{9, 1, 2, 3, 9, 4, 5, 6, 9, 9, 9, 9}));
  EXPECT_EQ(pad([](GraphBuilder& g, Value v) {
              return g.MirrorPad(v, {0, 2}, {1, 0}, fbs::PadMode::reflect);
            }),
            (Floats{3, 2, 1, 2, 3, 6, 5, 4, 5, 6, 3, 2, 1, 2, 3}));
}

TEST(GraphBuilderLayout, SplitConcatTransposeReshapeUndoEachOther) {
  const Floats x = Noise(24, 1);
  const auto got = Apply(Shape{2, 3, 4}, x, [](GraphBuilder& g, Value v) {
    v = g.Transpose(v, {2, 0, 1});
    const auto parts = g.Split(v, 0, {1, 3});
    v = g.Concat({parts[0], parts[1]}, 0);
    return g.Reshape(g.Transpose(v, {1, 2, 0}), std::vector<int64_t>{-1, 6});
  });
  EXPECT_EQ(got, x);
}

// ---- recurrent layers ----

double Sigmoid(double v) { return 1 / (1 + std::exp(-v)); }

struct Layer {
  int64_t steps = 5, batch = 2, inputs = 3, hidden = 4, gates;
  Floats x, w, r, wb, rb;
  explicit Layer(int64_t g) : gates(g) {
    const auto size = [](int64_t a, int64_t b) { return static_cast<size_t>(a * b); };
    x = Noise(size(steps * batch, inputs), 1), w = Noise(size(gates * hidden, inputs), 2);
    r = Noise(size(gates * hidden, hidden), 3), wb = Noise(size(gates, hidden), 4);
    rb = Noise(size(gates, hidden), 5);
  }
  // Row of gate `g`, unit `j` times the input at (t, n), or times `h`.
  double OfX(int64_t g, int64_t j, int64_t t, int64_t n) const {
    const auto row = static_cast<size_t>(g * hidden + j);
    double sum = wb[row];
    for (size_t i = 0; i < 3; ++i)
      sum += double{w[row * 3 + i]} * double{x[static_cast<size_t>(t * batch + n) * 3 + i]};
    return sum;
  }
  double OfH(int64_t g, int64_t j, const std::vector<double>& h) const {
    const auto row = static_cast<size_t>(g * hidden + j);
    double sum = rb[row];
    for (size_t i = 0; i < 4; ++i) sum += double{r[row * 4 + i]} * h[i];
    return sum;
  }
  Floats Run(bool lstm, bool reverse, bool reset_after) const {
    GraphBuilder g;
    const Value in = g.Input("x", DType::kFloat32, Shape{steps, batch, inputs});
    RecurrentArgs args;
    args.input_weights = g.Floats(Shape{gates * hidden, inputs}, w);
    args.recurrent_weights = g.Floats(Shape{gates * hidden, hidden}, r);
    args.input_bias = g.Floats(Shape{gates * hidden}, wb);
    args.recurrent_bias = g.Floats(Shape{gates * hidden}, rb);
    args.reverse = reverse, args.reset_after = reset_after;
    g.Output("y", (lstm ? g.Lstm(in, args) : g.Gru(in, args)).sequence);
    return RunOn(g, x);
  }
};

TEST(GraphBuilderRecurrent, LstmEqualsItsDefinition) {
  const Layer layer(4);
  for (const bool reverse : {false, true}) {
    Floats want(static_cast<size_t>(5 * 2 * 4));
    for (int64_t n = 0; n < 2; ++n) {
      std::vector<double> h(4), c(4);
      for (int64_t s = 0; s < 5; ++s) {
        const int64_t t = reverse ? 4 - s : s;
        const std::vector<double> old = h;
        for (int64_t j = 0; j < 4; ++j) {
          const auto sum = [&](int64_t g) { return layer.OfX(g, j, t, n) + layer.OfH(g, j, old); };
          double& cell = c[static_cast<size_t>(j)];
          cell = Sigmoid(sum(1)) * cell + Sigmoid(sum(0)) * std::tanh(sum(2));
          h[static_cast<size_t>(j)] = Sigmoid(sum(3)) * std::tanh(cell);
          want[static_cast<size_t>((t * 2 + n) * 4 + j)] =
              static_cast<float>(h[static_cast<size_t>(j)]);
        }
      }
    }
    ExpectNear(layer.Run(true, reverse, true), want, 1e-5f);
  }
}

TEST(GraphBuilderRecurrent, GruEqualsItsDefinition) {
  const Layer layer(3);
  for (const bool after : {false, true}) {
    Floats want(static_cast<size_t>(5 * 2 * 4));
    for (int64_t n = 0; n < 2; ++n) {
      std::vector<double> h(4);
      for (int64_t t = 0; t < 5; ++t) {
        const std::vector<double> old = h;
        std::vector<double> scaled(4);
        const auto gate = [&](int64_t g, int64_t j) {
          return Sigmoid(layer.OfX(g, j, t, n) + layer.OfH(g, j, old));
        };
        for (int64_t j = 0; j < 4; ++j)
          scaled[static_cast<size_t>(j)] = gate(0, j) * old[static_cast<size_t>(j)];
        for (int64_t j = 0; j < 4; ++j) {
          const double of_h = after ? gate(0, j) * layer.OfH(2, j, old) : layer.OfH(2, j, scaled);
          const double fresh = std::tanh(layer.OfX(2, j, t, n) + of_h), update = gate(1, j);
          h[static_cast<size_t>(j)] = (1 - update) * fresh + update * old[static_cast<size_t>(j)];
          want[static_cast<size_t>((t * 2 + n) * 4 + j)] =
              static_cast<float>(h[static_cast<size_t>(j)]);
        }
      }
    }
    ExpectNear(layer.Run(false, false, after), want, 1e-5f);
  }
}

// ---- quantized products ----

TEST(GraphBuilderQuantized, AConvolutionOfCodesIsTheRealOneRounded) {
  const float x_scale = 0.05f, y_scale = 0.1f;
  const int32_t x_zero = 130, y_zero = 120;  // uint8
  std::vector<uint8_t> x(4 * 4 * 2);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint8_t>(97 * i + 13);
  std::vector<int8_t> w(3 * 3 * 3 * 2);
  for (size_t i = 0; i < w.size(); ++i)
    w[i] = static_cast<int8_t>(static_cast<int>(59 * i % 255) - 127);
  const std::vector<float> w_scale = {0.01f, 0.02f, 0.005f};
  const std::vector<int32_t> bias = {100, -200, 300};
  GraphBuilder g;
  const Value in = g.Input("x", DType::kUint8, Shape{1, 4, 4, 2},
                           {.scale = {x_scale}, .zero_point = {x_zero}, .axis = -1});
  Bytes bytes(w.size());
  std::memcpy(bytes.data(), w.data(), w.size());
  const Value weights = g.Constant(DType::kInt8, Shape{3, 3, 3, 2}, std::move(bytes),
                                   {.scale = w_scale, .zero_point = {}, .axis = 0});
  Value y = g.Conv2D(in, weights, g.Int32s(Shape{3}, bias),
                     {.window = {.before = {1, 1}, .after = {1, 1}},
                      .out = QuantizedType{DType::kUint8, y_scale, y_zero}});
  g.Output("y", g.Relu(y));
  Built built(g);
  EXPECT_EQ(built.ops(), std::vector<std::string>{"Conv2D"});
  built.Set(0, x);
  const auto got = built.Run<uint8_t>();
  ASSERT_EQ(got.size(), size_t{48});
  for (int64_t oy = 0; oy < 4; ++oy)
    for (int64_t ox = 0; ox < 4; ++ox)
      for (int64_t o = 0; o < 3; ++o) {
        int64_t sum = bias[static_cast<size_t>(o)];
        for (int64_t k = 0; k < 18; ++k) {
          const int64_t iy = oy + k / 6 - 1, ix = ox + k / 2 % 3 - 1;
          if (iy < 0 || iy > 3 || ix < 0 || ix > 3) continue;
          sum += (x[static_cast<size_t>((iy * 4 + ix) * 2 + k % 2)] - x_zero) *
                 w[static_cast<size_t>(o * 18 + k)];
        }
        const double real =
            static_cast<double>(sum) * double{x_scale} * double{w_scale[static_cast<size_t>(o)]};
        const double code = std::min(
            std::max(std::nearbyint(real / double{y_scale}) + y_zero, double{y_zero}), 255.0);
        EXPECT_NEAR(got[static_cast<size_t>((oy * 4 + ox) * 3 + o)], code, 1)
            << oy << ' ' << ox << ' ' << o;
      }
}

// int8 weights of float activations: the activations are quantized row by row at run time.
TEST(GraphBuilderQuantized, Int8WeightsOfFloatActivations) {
  const Floats x = Noise(2 * 16, 1);
  const std::vector<float> scale = {0.01f, 0.02f, 0.03f};
  Bytes codes(3 * 16);
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::byte>(37 * i + 5);
  Floats want(2 * 3);
  for (size_t r = 0; r < 2; ++r) {
    for (size_t o = 0; o < 3; ++o) {
      for (size_t k = 0; k < 16; ++k) {
        const auto code = static_cast<int8_t>(codes[o * 16 + k]);
        want[r * 3 + o] += x[r * 16 + k] * scale[o] * static_cast<float>(code);
      }
    }
  }
  GraphBuilder g;
  const Value w =
      g.Constant(DType::kInt8, Shape{3, 16}, codes, {.scale = scale, .zero_point = {}, .axis = 0});
  g.Output("y", g.Linear(g.Input("x", DType::kFloat32, Shape{2, 16}), w, {}));
  // A code of the activations is 1 / 127 of the largest, of the sum of 16 products at most half of
  // that for each.
  ExpectNear(RunOn(g, x), want, 16 * 0.5f / 127 * 0.03f * 127);
}

TEST(GraphBuilderQuantized, FunctionsOfCodesAreTables) {
  std::vector<int8_t> x(256);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<int8_t>(static_cast<int>(i) - 128);
  const QuantizedType out = {DType::kInt8, 1.0f / 256, -128};
  GraphBuilder g;
  const Value in =
      g.Input("x", DType::kInt8, Shape{1, 256}, {.scale = {0.05f}, .zero_point = {3}, .axis = -1});
  g.Output("sigmoid", g.Unary(OpType::kLogistic, in, 0, out));
  g.Output("softmax", g.Softmax(in, -1, 1, out));
  Built built(g);
  EXPECT_EQ(built.ops(), (std::vector<std::string>{"Softmax", "Table"}));
  built.Set(0, x);
  const auto sigmoid = built.Run<int8_t>(0), softmax = built.Run<int8_t>(1);
  double sum = 0;
  for (int8_t v : x) sum += std::exp(0.05 * (v - 3));
  for (size_t i = 0; i < x.size(); ++i) {
    const double real = 0.05 * (x[i] - 3);
    EXPECT_NEAR(sigmoid[i] + 128, std::min(256 / (1 + std::exp(-real)), 255.0), 0.51) << i;
    EXPECT_NEAR(softmax[i] + 128, 256 * std::exp(real) / sum, 1) << i;
  }
}

TEST(GraphBuilderQuantized, QuantizedOperandsNeedAResultType) {
  GraphBuilder g;
  const Value x =
      g.Input("x", DType::kInt8, Shape{4}, {.scale = {0.5f}, .zero_point = {0}, .axis = -1});
  EXPECT_TRUE(g.failed(g.At("sum").Add(x, x)));
  EXPECT_NE(g.status().message().find("'sum'"), std::string::npos) << g.status().message();
  GraphBuilder h;
  const Value y =
      h.Input("x", DType::kInt8, Shape{4}, {.scale = {0.5f}, .zero_point = {0}, .axis = -1});
  h.Output("y", h.Dequantize(h.Add(y, y, QuantizedType{DType::kInt8, 0.25f, 10})));
  Built built(h);
  built.Set(0, std::vector<int8_t>{-4, 0, 3, 20});
  EXPECT_EQ(built.Run(), (Floats{-4, 0, 3, 20}));
}

// ---- numbers that no graph has ----

TEST(GraphBuilderHostile, DilatedWeightsWithoutElementsAreRefused) {
  GraphBuilder g;
  const Value x = g.Input("x", DType::kFloat32, Shape{1, 4, 4, 2});
  TransposeConvArgs args;
  args.window.dilation = {2, 2};
  g.Output("y", g.TransposeConv2D(x, g.Floats(Shape{2, 2, 2, 0}, {}), {}, args));
  const Status status = g.FinishBytes().status();
  EXPECT_NE(status.message().find("without elements"), std::string::npos) << status.message();
}

TEST(GraphBuilderHostile, EveryNumberIsCheckedBeforeItIsUsed) {
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max(),
                    kLow = std::numeric_limits<int64_t>::min();
  for (const int64_t v :
       {kHuge, kLow, int64_t{1} << 31, int64_t{1} << 40, int64_t{-1}, int64_t{0}}) {
    const std::vector<std::function<Value(GraphBuilder&, Value)>> calls = {
        [&](GraphBuilder& g, Value x) {
          return g.Reshape(x, std::vector<int64_t>{v, v});
        },
        [&](GraphBuilder& g, Value x) {
          return g.Slice(x, {0, v, 0, v}, {1, v, 4, 1}, {1, v, 1, v});
        },
        [&](GraphBuilder& g, Value x) { return g.SliceAxis(x, 1, v, v, v); },
        [&](GraphBuilder& g, Value x) {
          return g.Pad(x, {0, v, 0, 0}, {0, 0, v, 0});
        },
        [&](GraphBuilder& g, Value x) {
          return g.EdgePad(x, {0, v, 0, 0}, {0, 0, v, 0});
        },
        [&](GraphBuilder& g, Value x) {
          return g.Tile(x, {v, v, v, v});
        },
        [&](GraphBuilder& g, Value x) {
          return g.BroadcastTo(x, {v, 4, 4, 2});
        },
        [&](GraphBuilder& g, Value x) { return g.SpaceToDepth(x, v); },
        [&](GraphBuilder& g, Value x) { return g.DepthToSpace(x, v); },
        [&](GraphBuilder& g, Value x) { return g.ResizeBilinear(x, v, v, ResizeRule::kHalfPixel); },
        [&](GraphBuilder& g, Value x) { return g.TopK(x, v)[0]; },
        [&](GraphBuilder& g, Value x) {
          return g.Split(x, 1, {v, v})[0];
        },
        [&](GraphBuilder& g, Value x) {
          return g.Transpose(x, {0, v, 2, 3});
        },
        [&](GraphBuilder& g, Value x) { return g.Mean(x, {v}); },
        [&](GraphBuilder& g, Value x) {
          return g.MaxPool(x, {.kernel = {v, v},
                               .stride = {v, 1},
                               .dilation = {1, v},
                               .before = {v, 0},
                               .after = {0, v}});
        },
        [&](GraphBuilder& g, Value x) {
          return g.AveragePool(x, {.window = {.kernel = {2, 2}, .before = {v, v}},
                                   .count_padding = true,
                                   .overhang = {v, v}});
        },
        [&](GraphBuilder& g, Value x) {
          const Value w = g.Floats(Shape{2, 1, 1, 2}, Floats(4, 1.0f));
          return g.Conv2D(
              x, w, {},
              {.window = {.stride = {v, v}, .dilation = {v, 1}, .before = {v, 0}}, .groups = v});
        },
        [&](GraphBuilder& g, Value x) {
          const Value w = g.Floats(Shape{2, 2, 2, 2}, Floats(16, 1.0f));
          TransposeConvArgs args;
          args.window = {.stride = {v, v}, .dilation = {v, v}, .before = {v, 0}, .after = {0, v}};
          args.extra = {v, v};
          return g.TransposeConv2D(x, w, {}, args);
        },
    };
    for (size_t i = 0; i < calls.size(); ++i) {
      GraphBuilder g;
      const Value y = calls[i](g, g.Input("x", DType::kFloat32, Shape{1, 4, 4, 2}));
      g.Output("y", y);
      const auto made = g.FinishBytes();
      EXPECT_EQ(made.ok(), made.status().message().empty()) << i << " of " << v;
    }
  }
}

}  // namespace
}  // namespace whit::tools
