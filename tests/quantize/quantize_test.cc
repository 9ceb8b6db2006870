#include "tools/quantize/quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "platform/mapping.h"
#include "tests/runtime/model_builder.h"
#include "tools/import/emit.h"
#include "tools/import/graph_builder.h"
#include "tools/import/load_graph.h"

namespace whit::tools {
namespace {

std::vector<float> RandomFloats(size_t n, uint32_t seed, float scale = 1) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& v : values) v = scale * normal(rng);
  return values;
}

// Convolution, depthwise, a residual, a concatenation of branches, swish, pools, a padded border, a
// matrix product and a softmax.
std::vector<std::byte> FloatNetwork() {
  GraphBuilder g;
  const auto weights = [&](const Shape& shape, uint32_t seed) {
    const float scale = 1 / std::sqrt(static_cast<float>(shape.elements() / shape[0]));
    return g.Floats(shape, RandomFloats(static_cast<size_t>(shape.elements()), seed, scale));
  };
  const auto bias = [&](int64_t n) {
    return g.Floats(Shape{n}, RandomFloats(static_cast<size_t>(n), 9));
  };
  Value x = g.Input("image", DType::kFloat32, Shape{1, 12, 12, 3});
  g.SetNormalization(x, {127}, {64});
  Value a = g.At("conv").Conv2D(x, weights(Shape{8, 3, 3, 3}, 1), bias(8),
                                {.window = {.before = {1, 1}, .after = {1, 1}}});
  a = g.At("swish").Swish(a);
  Value b = g.At("depthwise")
                .DepthwiseConv2D(a, weights(Shape{8, 3, 3, 1}, 2), bias(8),
                                 {.window = {.before = {1, 1}, .after = {1, 1}}, .groups = 8});
  b = g.At("residual").Add(a, g.Relu6(b));
  const Value c = g.At("pool").MaxPool(b, {.kernel = {2, 2}, .stride = {2, 2}});
  const Value d = g.At("average").AveragePool(b, {.window = {.kernel = {2, 2}, .stride = {2, 2}}});
  Value y = g.At("joined").Concat({c, d}, 3);
  y = g.At("border").Pad(y, {0, 1, 1, 0}, {0, 1, 1, 0});
  y = g.At("mean").GlobalAveragePool(y);
  y = g.At("scores").Linear(y, weights(Shape{10, 16}, 3), bias(10));
  g.Output("probabilities", g.At("softmax").Softmax(y));
  auto bytes = g.FinishBytes();
  EXPECT_TRUE(bytes.ok()) << bytes.status().message();
  return std::move(bytes).value();
}

std::vector<Sample> Samples(size_t count) {
  std::vector<Sample> samples(count);
  for (size_t i = 0; i < count; ++i) {
    const auto values = RandomFloats(12 * 12 * 3, static_cast<uint32_t>(100 + i));
    const auto bytes = std::as_bytes(std::span(values));
    samples[i].inputs.emplace_back(bytes.begin(), bytes.end());
  }
  return samples;
}

TEST(LoadGraphTest, WhatIsWrittenAgainIsTheSame) {
  for (const auto& source : {FloatNetwork(), SmallNetwork()}) {
    const auto again = [](std::span<const std::byte> bytes) {
      const auto file = *ModelFile::Open(Mapping::Borrow(bytes));
      FileWriter writer;
      Emit(*LoadGraph(*file), &writer);
      return *writer.Serialize();
    };
    const auto once = again(source);
    EXPECT_EQ(once, again(once));
    const Model a = *Model::OpenBytes(source), b = *Model::OpenBytes(once);
    auto ra = Runner::Create(a), rb = Runner::Create(b);
    ASSERT_TRUE(ra.ok() && rb.ok());
    for (Runner* r : {&*ra, &*rb}) {
      auto in = r->input(0).bytes();
      for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<uint8_t>(i % 61);
      ASSERT_TRUE(r->Run().ok());
    }
    EXPECT_TRUE(std::ranges::equal(ra->output(0).bytes(), rb->output(0).bytes()));
  }
}

TEST(QuantizeTest, EverythingBecomesIntegerAndStaysClose) {
  const auto source = FloatNetwork();
  const auto samples = Samples(16), others = Samples(40);
  QuantizeReport report;
  const auto made = QuantizeModel(source, samples, std::span(others).subspan(16), {}, &report);
  ASSERT_TRUE(made.ok()) << made.status().message();
  EXPECT_LT(made->size(), source.size());
  EXPECT_EQ(report.compared, 24u);
  EXPECT_GT(report.output_sqnr_db, 20);
  EXPECT_GE(report.same_top.value_or(0), 22u);
  for (const LayerReport& l : report.layers) {
    EXPECT_EQ(l.integer, l.op != "Softmax") << l.node << ": " << l.why_float;
    if (l.integer) {
      EXPECT_GT(l.sqnr_db.value_or(0), 15) << l.node;
    }
  }
  const Model model = *Model::OpenBytes(*made);
  EXPECT_EQ(model.inputs()[0].type, Type::kFloat32);
  EXPECT_EQ(model.outputs()[0].type, Type::kFloat32);
  EXPECT_EQ(model.input_normalization(0).mean, std::vector<float>{127});
  EXPECT_EQ(model.input_normalization(0).std, std::vector<float>{64});
}

TEST(QuantizeTest, TheSameBytesEveryTime) {
  const auto source = FloatNetwork();
  const auto samples = Samples(4);
  QuantizeReport report;
  QuantizeOptions options;
  const auto first = QuantizeModel(source, samples, {}, options, &report);
  options.threads = 3;
  const auto second = QuantizeModel(source, samples, {}, options, &report);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(*first, *second);
}

TEST(QuantizeTest, KeptOperatorsAndIntegerEnds) {
  const auto source = FloatNetwork();
  const auto samples = Samples(4);
  QuantizeReport report;
  QuantizeOptions options;
  options.integer_io = true;
  options.keep = {"depth*"};
  const auto made = QuantizeModel(source, samples, {}, options, &report);
  ASSERT_TRUE(made.ok()) << made.status().message();
  const Model model = *Model::OpenBytes(*made);
  EXPECT_EQ(model.inputs()[0].type, Type::kInt8);
  EXPECT_EQ(model.outputs()[0].type, Type::kInt8);
  size_t kept = 0;
  for (const LayerReport& l : report.layers) {
    if (l.node == "depthwise") {
      EXPECT_EQ(l.why_float, "kept, as asked");
      ++kept;
    } else {
      // Codes are compared with reals here too.
      EXPECT_GT(l.sqnr_db.value_or(0), 15) << l.node;
      EXPECT_LT(l.sqnr_db.value_or(200), 100) << l.node;
    }
  }
  EXPECT_EQ(kept, 1u);
  EXPECT_GT(report.output_sqnr_db, 15);
  options.keep = {"depth*", "nobody"};
  EXPECT_NE(QuantizeModel(source, samples, {}, options, &report)
                .status()
                .message()
                .find("no operator has the name 'nobody'"),
            std::string::npos);
}

TEST(QuantizeTest, WhatCannotBeIsSaid) {
  const auto source = FloatNetwork();
  QuantizeReport report;
  const auto none = QuantizeModel(source, {}, {}, {}, &report);
  EXPECT_NE(none.status().message().find("there is no sample"), std::string::npos);
  auto samples = Samples(2);
  samples[1].inputs[0].pop_back();
  EXPECT_NE(QuantizeModel(source, samples, {}, {}, &report)
                .status()
                .message()
                .find("sample 1 does not fit"),
            std::string::npos);
  samples = Samples(1);
  const float nan = std::nanf("");
  std::memcpy(samples[0].inputs[0].data(), &nan, sizeof nan);
  EXPECT_NE(QuantizeModel(source, samples, {}, {}, &report)
                .status()
                .message()
                .find("infinite or no number"),
            std::string::npos);
  std::vector<Sample> pixels(1);
  pixels[0].inputs.emplace_back(8 * 8 * 3);
  EXPECT_NE(QuantizeModel(SmallNetwork(), pixels, {}, {}, &report)
                .status()
                .message()
                .find("no operator of the model can be quantized: its result is not float ("),
            std::string::npos);
}

}  // namespace
}  // namespace whit::tools
