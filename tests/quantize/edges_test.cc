// Models that are no straight row of convolutions: whatever an operator refuses stays float, and
// nothing that a file or a sample holds ends the process.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <random>

#include "tools/import/graph_builder.h"
#include "tools/quantize/quantize.h"

namespace whit::tools {
namespace {

std::vector<float> Random(int64_t n, uint32_t seed, float scale = 1) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(n));
  for (float& v : values) v = scale * normal(rng);
  return values;
}

Value Weights(GraphBuilder& g, const Shape& shape, uint32_t seed) {
  const float scale = 1 / std::sqrt(static_cast<float>(shape.elements() / shape[0]));
  return g.Floats(shape, Random(shape.elements(), seed, scale));
}

std::vector<std::byte> MakeModel(const Shape& input,
                                 const std::function<Value(GraphBuilder&, Value)>& body) {
  GraphBuilder g;
  const Value x = g.Input("x", DType::kFloat32, input);
  g.Output("y", body(g, x));
  auto bytes = g.FinishBytes();
  EXPECT_TRUE(bytes.ok()) << bytes.status().message();
  return std::move(bytes).value();
}

std::vector<Sample> Samples(const Shape& shape, size_t count) {
  std::vector<Sample> samples(count);
  for (size_t i = 0; i < count; ++i) {
    const auto values = Random(shape.elements(), static_cast<uint32_t>(50 + i));
    const auto bytes = std::as_bytes(std::span(values));
    samples[i].inputs.emplace_back(bytes.begin(), bytes.end());
  }
  return samples;
}

// int8 codes, a scale a channel of `axis` or one.
Value CodedWeights(GraphBuilder& g, const Shape& shape, int axis, uint32_t seed) {
  std::mt19937 rng(seed);
  Bytes codes(static_cast<size_t>(shape.elements()));
  for (std::byte& b : codes) b = static_cast<std::byte>(static_cast<int>(rng() % 255) - 127);
  Quantization q;
  q.axis = axis;
  q.scale.resize(axis < 0 ? 1 : static_cast<size_t>(shape[axis]));
  for (size_t i = 0; i < q.scale.size(); ++i) q.scale[i] = 0.002f * static_cast<float>(i + 1);
  return g.Constant(DType::kInt8, shape, std::move(codes), q);
}

struct Case {
  const char* name;
  Shape input;
  std::function<Value(GraphBuilder&, Value)> body;
  double least_db;
  std::string floats = "";  // what stays float and why
};

TEST(QuantizeEdgesTest, Graphs) {
  const Shape image{1, 6, 6, 4}, row{1, 32};
  const auto dense = [](GraphBuilder& g, Value x, int64_t n, uint32_t seed) {
    return g.Linear(x, Weights(g, Shape{n, g.shape(x).back()}, seed), {});
  };
  const std::vector<Case> cases = {
      {"logsoftmax between", row,
       [&](GraphBuilder& g, Value x) { return dense(g, g.LogSoftmax(dense(g, x, 16, 1)), 8, 2); },
       15},
      {"softmax joined with more", row,
       [&](GraphBuilder& g, Value x) {
         const Value a = dense(g, x, 16, 1);
         return dense(g, g.Concat({g.Softmax(a), g.Relu(a)}, 1), 8, 2);
       },
       15},
      {"sigmoid joined with more", row,
       [&](GraphBuilder& g, Value x) {
         const Value a = dense(g, x, 16, 1);
         return dense(g, g.Concat({g.Sigmoid(a), g.Tanh(a), a}, 1), 8, 2);
       },
       15},
      {"more products than 32 bits hold", Shape{1, 70000},
       [&](GraphBuilder& g, Value x) { return dense(g, dense(g, x, 8, 1), 8, 2); }, 15,
       "FullyConnected: sums of 70000 products may not fit 32 bits; "},
      {"transposed convolution", image,
       [&](GraphBuilder& g, Value x) {
         TransposeConvArgs args;
         args.window.stride = {2, 2};
         return g.TransposeConv2D(x, Weights(g, Shape{5, 3, 3, 4}, 1), {}, args);
       },
       20},
      {"groups, a depthwise multiplier", image,
       [&](GraphBuilder& g, Value x) {
         const Value a = g.Conv2D(x, Weights(g, Shape{6, 3, 3, 2}, 1), {}, {.groups = 2});
         ConvArgs args{.groups = 6, .order = WeightOrder::kHWOI};
         return g.DepthwiseConv2D(a, Weights(g, Shape{3, 3, 6, 2}, 2), {}, args);
       },
       20},
      {"the input given out beside", image,
       [&](GraphBuilder& g, Value x) {
         g.Output("copy", x);
         return g.MaxPool(x, {.kernel = {2, 2}, .stride = {2, 2}});
       },
       20},
      {"a constant joined and added", row,
       [&](GraphBuilder& g, Value x) {
         const Value a = g.Add(dense(g, x, 16, 1), g.Floats(Shape{16}, Random(16, 3)));
         return dense(g, g.Concat({a, g.Floats(Shape{1, 4}, Random(4, 4))}, 1), 8, 2);
       },
       15},
      {"maximum of two, sizes far apart", row,
       [&](GraphBuilder& g, Value x) {
         const Value a = dense(g, x, 16, 1), b = g.Mul(dense(g, x, 16, 2), g.Float(0.01f));
         return g.Maximum(g.Relu6(a), b);
       },
       10},
      {"functions", row,
       [&](GraphBuilder& g, Value x) {
         Value a = g.HardSwish(dense(g, x, 16, 1));
         a = g.Gelu(dense(g, a, 16, 2));
         return g.LeakyRelu(dense(g, g.Elu(a), 16, 3), 0.1f);
       },
       15},
      {"weights that are int8 already", image,
       [&](GraphBuilder& g, Value x) {
         Value a = g.Conv2D(x, CodedWeights(g, Shape{6, 3, 3, 4}, 0, 1), {}, {});
         a = g.DepthwiseConv2D(a, CodedWeights(g, Shape{6, 3, 3, 1}, 0, 2), {}, {.groups = 6});
         a = g.GlobalAveragePool(a);
         return g.Linear(a, CodedWeights(g, Shape{5, 6}, -1, 3), g.Floats(Shape{5}, Random(5, 4)));
       },
       20},
      {"batch product of two that are computed", Shape{1, 4, 8},
       [&](GraphBuilder& g, Value x) {
         const Value a = dense(g, x, 8, 1), b = dense(g, x, 8, 2);
         return dense(g, g.MatMul(a, b, false, true), 8, 3);
       },
       10, "BatchMatMul: no integer form; "},
  };
  for (const Case& c : cases) {
    const auto source = MakeModel(c.input, c.body);
    const auto samples = Samples(c.input, 8);
    for (const bool integer_io : {false, true}) {
      QuantizeReport report;
      QuantizeOptions options;
      options.integer_io = integer_io;
      const auto made = QuantizeModel(source, samples, {}, options, &report);
      ASSERT_TRUE(made.ok()) << c.name << ": " << made.status().message();
      EXPECT_GT(report.output_sqnr_db, c.least_db) << c.name << " io " << integer_io;
      std::string floats;
      for (const LayerReport& l : report.layers) {
        if (!l.integer) floats += l.op + ": " + l.why_float + "; ";
      }
      EXPECT_EQ(floats, c.floats) << c.name << " io " << integer_io;
    }
  }
}

// Behind a clamp the calibration sees nothing of them.
TEST(QuantizeEdgesTest, NumbersThatAreNone) {
  const Shape row{1, 8};
  const float nan = std::nanf(""), inf = std::numeric_limits<float>::infinity();
  for (const float bad : {nan, inf, -inf, 3.4e38f, std::numeric_limits<float>::lowest()}) {
    for (const bool in_bias : {false, true}) {
      const auto source = MakeModel(row, [&](GraphBuilder& g, Value x) {
        std::vector<float> w = Random(4 * 8, 1), b = Random(4, 2);
        (in_bias ? b : w)[2] = bad;
        const Value a = g.Relu6(g.Linear(x, g.Floats(Shape{4, 8}, w), g.Floats(Shape{4}, b)));
        return g.Linear(a, Weights(g, Shape{3, 4}, 3), {});
      });
      QuantizeReport report;
      const auto made = QuantizeModel(source, Samples(row, 4), {}, {}, &report);
      if (std::isnan(bad)) {
        EXPECT_NE(made.status().message().find("infinite or no number"), std::string::npos);
        continue;
      }
      ASSERT_TRUE(made.ok()) << bad << " " << in_bias << ": " << made.status().message();
      EXPECT_EQ(report.layers[0].integer, !std::isinf(bad));
      EXPECT_EQ(report.layers[0].why_float,
                std::isinf(bad) ? "a weight or a bias is infinite or no number" : "");
    }
  }
}

// What does not fit into one run's memory is looked at in several.
TEST(ObserverTest, PartsShowTheSameTensors) {
  const Shape row{1, 8};
  const auto source = MakeModel(row, [&](GraphBuilder& g, Value x) {
    const Value a = g.At("a").Linear(x, Weights(g, Shape{4, 8}, 1), {});
    return g.At("c").Linear(g.At("b").Tanh(a), Weights(g, Shape{3, 4}, 2), {});
  });
  const auto seen = [&](uint64_t most_bytes, size_t variants) {
    std::map<std::string, std::vector<float>> tensors;
    auto observer = Observer::Create(source, 1, most_bytes);
    EXPECT_TRUE(observer.ok()) << observer.status().message();
    EXPECT_EQ(observer->variants(), variants);
    for (const Sample& sample : Samples(row, 2)) {
      EXPECT_TRUE(observer
                      ->Run(sample,
                            [&](const Observed& t) {
                              EXPECT_EQ(t.channels, t.values.size());
                              tensors[t.name].insert(tensors[t.name].end(), t.values.begin(),
                                                     t.values.end());
                            })
                      .ok());
    }
    return tensors;
  };
  const auto whole = seen(Observer::kMostBytes, 1);
  EXPECT_EQ(whole.size(), 3u);
  EXPECT_EQ(whole, seen(1, 3));
  EXPECT_EQ(whole, seen(32, 2));
}

// An index is no score.
TEST(QuantizeEdgesTest, NoClassesWhereTheOutputIsAnIndex) {
  const Shape row{1, 8};
  const auto source = MakeModel(row, [&](GraphBuilder& g, Value x) {
    return g.ArgMax(g.Linear(x, Weights(g, Shape{4, 8}, 1), {}), 1);
  });
  QuantizeReport report;
  const auto made = QuantizeModel(source, Samples(row, 4), {}, {}, &report);
  ASSERT_TRUE(made.ok()) << made.status().message();
  EXPECT_FALSE(report.same_top.has_value());
}

}  // namespace
}  // namespace whit::tools
