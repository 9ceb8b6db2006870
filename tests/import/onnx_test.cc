// The ONNX importer: what becomes which operators, and what is refused with which words. Numbers
// are for tests/golden/onnx_cases.py; here they are checked where no case of its has them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "runtime/whit.h"
#include "tests/import/onnx_model.h"
#include "tools/import/import.h"

namespace whit::tools::onnx {
namespace {

std::span<const uint8_t> ProtoBytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// An imported model and what it computes.
class Imported {
 public:
  explicit Imported(const std::string& onnx, const ImportOptions& options = {}) {
    auto bytes = ImportModelBytes(ProtoBytes(onnx), options, &report_);
    EXPECT_TRUE(bytes.ok()) << bytes.status().message();
    if (!bytes.ok()) return;
    file_ = std::move(bytes).value();
    auto model = Model::OpenBytes(file_);
    EXPECT_TRUE(model.ok()) << model.status().message();
    if (model.ok()) model_ = std::move(model).value();
  }

  bool ok() const { return model_.has_value(); }
  const ImportReport& report() const { return report_; }

  // Names of the operators, in their order.
  std::vector<std::string> Ops() const {
    std::vector<std::string> ops;
    if (!ok()) return ops;
    auto runner = Runner::Create(*model_);
    if (!runner.ok()) return ops;
    for (const PlanStep& step : DescribePlan(*runner)) ops.push_back(step.op);
    return ops;
  }

  // Output 0 for float inputs.
  std::vector<float> Run(const std::vector<std::vector<float>>& inputs) {
    if (!ok()) return {};
    auto runner = Runner::Create(*model_);
    EXPECT_TRUE(runner.ok()) << runner.status().message();
    if (!runner.ok()) return {};
    for (size_t i = 0; i < inputs.size(); ++i) {
      auto in = runner->input(i).bytes();
      EXPECT_EQ(in.size(), inputs[i].size() * sizeof(float));
      if (in.size() != inputs[i].size() * sizeof(float)) return {};
      std::memcpy(in.data(), inputs[i].data(), in.size());
    }
    const Status status = runner->Run();
    EXPECT_TRUE(status.ok()) << status.message();
    const auto out = runner->output(0).bytes();
    std::vector<float> values(out.size() / sizeof(float));
    std::memcpy(values.data(), out.data(), out.size());
    return values;
  }

 private:
  ImportReport report_;
  std::vector<std::byte> file_;
  std::optional<whit::Model> model_;
};

Status Refusal(const std::string& onnx, const ImportOptions& options = {}) {
  auto bytes = ImportModelBytes(ProtoBytes(onnx), options);
  EXPECT_FALSE(bytes.ok());
  return bytes.status();
}

void ExpectHas(const Status& status, const std::string& part) {
  EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
}

std::vector<float> Ramp(size_t n, float step = 0.25f, float first = -1) {
  std::vector<float> values(n);
  for (size_t i = 0; i < n; ++i)
    values[i] = first + step * static_cast<float>(static_cast<int>(i * 7 % 13));
  return values;
}

void ExpectClose(const std::vector<float>& got, const std::vector<float>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], want[i], 1e-5f * (1 + std::abs(want[i]))) << "at " << i;
}

size_t Count(const std::vector<std::string>& ops, const std::string& op) {
  return static_cast<size_t>(std::count(ops.begin(), ops.end(), op));
}

// x[1,2,3,4] convolved to three channels, normalized, clamped, flattened and classified: every kind
// of order that a value can have.
Graph Classifier() {
  Graph g;
  g.inputs = {Info("x", 1, {"N", "2", "3", "4"})};
  g.outputs = {Info("y", 1, {"N", "2"})};
  g.initializers = {Floats("w", {3, 2, 1, 1}, {1, 2, -1, 0.5f, 3, -2}),
                    Floats("gamma", {3}, {2, 1, 0.5f}),
                    Floats("beta", {3}, {0.1f, 0.2f, 0.3f}),
                    Floats("mean", {3}, {1, -1, 0}),
                    Floats("variance", {3}, {4, 1, 0.25f}),
                    Floats("fc", {2, 36}, Ramp(72)),
                    Floats("bias", {2}, {1, -1})};
  g.nodes = {Node("Conv", {"x", "w"}, {"c"}, {Attr("kernel_shape", std::vector<int64_t>{1, 1})}),
             Node("BatchNormalization", {"c", "gamma", "beta", "mean", "variance"}, {"b"},
                  {Attr("epsilon", 0.0f)}),
             Node("Relu", {"b"}, {"r"}), Node("Flatten", {"r"}, {"f"}),
             Node("Gemm", {"f", "fc", "bias"}, {"y"}, {Attr("transB", int64_t{1})})};
  return g;
}

// The same in plain loops, NCHW.
std::vector<float> Classified(const std::vector<float>& x) {
  const float w[3][2] = {{1, 2}, {-1, 0.5f}, {3, -2}};
  const float gamma[] = {2, 1, 0.5f}, beta[] = {0.1f, 0.2f, 0.3f}, mean[] = {1, -1, 0};
  const float deviation[] = {2, 1, 0.5f};
  const auto fc = Ramp(72);
  std::vector<float> y = {1, -1};
  for (size_t c = 0; c < 3; ++c) {
    for (size_t p = 0; p < 12; ++p) {
      const float conv = w[c][0] * x[p] + w[c][1] * x[12 + p];
      const float r = std::max((conv - mean[c]) / deviation[c] * gamma[c] + beta[c], 0.0f);
      for (size_t o = 0; o < 2; ++o) y[o] += r * fc[o * 36 + c * 12 + p];
    }
  }
  return y;
}

TEST(OnnxTest, ImagesAreTurnedOnceAndClassifiersNotAtAll) {
  Imported m(Classifier().Model());
  // Normalization and activation are in the convolution; the flattened image is not turned back.
  EXPECT_EQ(m.Ops(), (std::vector<std::string>{"Transpose", "Conv2D", "FullyConnected"}));
  const auto x = Ramp(24);
  ExpectClose(m.Run({x}), Classified(x));
  ASSERT_EQ(m.report().notes.size(), 1u);
  EXPECT_NE(m.report().notes[0].find("'N' is 1"), std::string::npos);
}

TEST(OnnxTest, LayoutNhwcHasNoTransposeAtAll) {
  ImportOptions options;
  options.channels_last = true;
  Imported m(Classifier().Model(), options);
  EXPECT_EQ(Count(m.Ops(), "Transpose"), 0u);
  const auto x = Ramp(24);
  std::vector<float> nhwc;
  for (size_t p = 0; p < 12; ++p) nhwc.push_back(x[p]), nhwc.push_back(x[12 + p]);
  ExpectClose(m.Run({nhwc}), Classified(x));
}

// The shape that a reshape takes is computed from the input's own, as PyTorch exports view().
TEST(OnnxTest, ShapeArithmeticEndsAtImport) {
  Graph g;
  g.inputs = {Info("x", 1, {"2", "3", "4"})};
  g.outputs = {Info("y", 1, {"2", "12"})};
  g.initializers = {Int64s("zero", {0}), Int64s("rest", {-1})};
  g.nodes = {Node("Shape", {"x"}, {"s"}), Node("Gather", {"s", "zero"}, {"n"}),
             Node("Concat", {"n", "rest"}, {"shape"}, {Attr("axis", int64_t{0})}),
             Node("Reshape", {"x", "shape"}, {"r"}), Node("Neg", {"r"}, {"y"})};
  Imported m(g.Model());
  EXPECT_EQ(m.Ops(), (std::vector<std::string>{"Neg"}));
}

// PyTorch writes gelu in five nodes; their constants come anywhere before they are read.
TEST(OnnxTest, GeluWrittenWithErfIsOneOperator) {
  Graph g;
  g.inputs = {Info("x", 1, {"2", "4"})};
  g.outputs = {Info("y", 1, {"2", "4"})};
  g.initializers = {Floats("root", {}, {1.41421356f}), Floats("half", {}, {0.5f})};
  g.nodes = {Node("Div", {"x", "root"}, {"d"}),
             Node("Erf", {"d"}, {"e"}),
             Node("Constant", {}, {"one"}, {TensorAttr("value", Floats("", {}, {1}))}),
             Node("Add", {"e", "one"}, {"a"}),
             Node("Mul", {"x", "a"}, {"m"}),
             Node("Mul", {"m", "half"}, {"y"})};
  Imported m(g.Model());
  EXPECT_EQ(m.Ops(), (std::vector<std::string>{"Gelu"}));
  const auto x = Ramp(8, 0.5f, -3);
  std::vector<float> want;
  for (float v : x) want.push_back(v * 0.5f * (1 + std::erf(v / 1.41421356f)));
  ExpectClose(m.Run({x}), want);
  // Somebody else reads the sum: it stays as it is written.
  g.outputs.push_back(Info("a", 1, {"2", "4"}));
  Imported apart(g.Model());
  EXPECT_GT(apart.Ops().size(), 5u);
  ExpectClose(apart.Run({x}), want);
}

// Multi-head attention's reshape and transpose of [N,T,heads*d]: only products may move anything.
TEST(OnnxTest, TransposesOfMatricesBecomePartOfProducts) {
  Graph g;
  g.inputs = {Info("a", 1, {"1", "2", "3"}), Info("b", 1, {"1", "4", "3"})};
  g.outputs = {Info("y", 1, {"1", "2", "4"})};
  g.nodes = {Node("Transpose", {"b"}, {"t"}, {Attr("perm", std::vector<int64_t>{0, 2, 1})}),
             Node("MatMul", {"a", "t"}, {"y"})};
  Imported m(g.Model());
  EXPECT_EQ(m.Ops(), (std::vector<std::string>{"BatchMatMul"}));
  const std::vector<float> a = Ramp(6), b = Ramp(12, 0.5f);
  std::vector<float> want;
  for (size_t i = 0; i < 2; ++i) {
    for (size_t j = 0; j < 4; ++j) {
      float sum = 0;
      for (size_t k = 0; k < 3; ++k) sum += a[i * 3 + k] * b[j * 3 + k];
      want.push_back(sum);
    }
  }
  ExpectClose(m.Run({a, b}), want);
}

// Channel shuffle: split the channels, exchange, join; one transpose of the innermost axes.
TEST(OnnxTest, ChannelShuffleStaysChannelsLast) {
  Graph g;
  g.inputs = {Info("x", 1, {"1", "4", "2", "2"})};
  g.outputs = {Info("y", 1, {"1", "4", "2", "2"})};
  g.initializers = {Int64s("split", {1, 2, 2, 2, 2}), Int64s("whole", {1, 4, 2, 2}),
                    Floats("w", {4, 4, 1, 1}, {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1})};
  g.nodes = {Node("Conv", {"x", "w"}, {"c"}), Node("Reshape", {"c", "split"}, {"s"}),
             Node("Transpose", {"s"}, {"t"}, {Attr("perm", std::vector<int64_t>{0, 2, 1, 3, 4})}),
             Node("Reshape", {"t", "whole"}, {"j"}), Node("Conv", {"j", "w"}, {"y"})};
  Imported m(g.Model());
  EXPECT_EQ(Count(m.Ops(), "Transpose"), 3u);  // both borders and the shuffle
  std::vector<float> x(16);
  for (size_t i = 0; i < 16; ++i) x[i] = static_cast<float>(i);
  ExpectClose(m.Run({x}), {0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15});
}

Wire Codes(const std::string& name, const std::vector<int64_t>& dims,
           const std::vector<int8_t>& v) {
  return Tensor(name, 3, dims, Raw(v));
}

// x -> Q -> DQ -> Conv(DQ(w), DQ(b)) -> Relu -> Q -> DQ -> y
TEST(OnnxTest, ConvolutionBetweenDequantizeAndQuantizeIsOfIntegers) {
  Graph g;
  g.inputs = {Info("x", 1, {"1", "2", "2", "2"})};
  g.outputs = {Info("y", 1, {"1", "1", "2", "2"})};
  const std::vector<int32_t> bias = {100};
  g.initializers = {Floats("sx", {}, {0.5f}),
                    Codes("zx", {}, {3}),
                    Floats("sw", {1}, {0.25f}),
                    Codes("zw", {1}, {0}),
                    Codes("w", {1, 2, 1, 1}, {4, -8}),
                    Tensor("b", 6, {1}, Raw(bias)),
                    Floats("sb", {1}, {0.125f}),
                    Floats("sy", {}, {0.5f}),
                    Codes("zy", {}, {-10})};
  g.nodes = {Node("QuantizeLinear", {"x", "sx", "zx"}, {"xq"}),
             Node("DequantizeLinear", {"xq", "sx", "zx"}, {"xd"}),
             Node("DequantizeLinear", {"w", "sw", "zw"}, {"wd"}, {Attr("axis", int64_t{0})}),
             Node("DequantizeLinear", {"b", "sb"}, {"bd"}, {Attr("axis", int64_t{0})}),
             Node("Conv", {"xd", "wd", "bd"}, {"c"}),
             Node("Relu", {"c"}, {"r"}),
             Node("QuantizeLinear", {"r", "sy", "zy"}, {"yq"}),
             Node("DequantizeLinear", {"yq", "sy", "zy"}, {"y"})};
  Imported m(g.Model());
  const auto ops = m.Ops();
  EXPECT_EQ(Count(ops, "Conv2D"), 1u);
  EXPECT_EQ(Count(ops, "Quantize"), 1u);  // of the input alone: Relu is in the convolution
  EXPECT_EQ(Count(ops, "Dequantize"), 1u);
  const std::vector<float> x = {1, 2, 3, -4, 0, 5, -6, 7};
  std::vector<float> want;
  for (size_t p = 0; p < 4; ++p) {  // all values are multiples of the scales: exact
    const float y = std::max(x[p] * 1.0f + x[4 + p] * -2.0f + 12.5f, 0.0f);
    want.push_back(std::nearbyint(y / 0.5f) * 0.5f);
  }
  ExpectClose(m.Run({x}), want);
}

TEST(OnnxTest, AConstantConditionChoosesABranch) {
  Graph yes, no, g;
  yes.nodes = {Node("Neg", {"x"}, {"a"})};
  yes.outputs = {Info("a", 1, {"2"})};
  no.nodes = {Node("NoSuchOperator", {"x"}, {"b"})};  // nobody looks at it
  no.outputs = {Info("b", 1, {"2"})};
  g.inputs = {Info("x", 1, {"2"})};
  g.outputs = {Info("y", 1, {"2"})};
  g.initializers = {Tensor("c", 9, {}, std::string(1, '\1'))};
  g.nodes = {
      Node("If", {"c"}, {"y"},
           {GraphAttr("then_branch", yes.Message()), GraphAttr("else_branch", no.Message())})};
  Imported m(g.Model());
  ExpectClose(m.Run({{1, -2}}), {-1, 2});
}

// ---- refusals ----

TEST(OnnxRefusalTest, AllUnknownOperatorsInOneMessage) {
  Graph g;
  g.inputs = {Info("x", 1, {"2"})};
  g.outputs = {Info("y", 1, {"2"}), Info("z", 1, {"2"})};
  g.nodes = {Node("Foo", {"x"}, {"a"}), Node("Neg", {"a"}, {"y"}), Node("Bar", {"x"}, {"b"}),
             Node("Foo", {"b"}, {"z"}), Node("Baz", {"x"}, {"unused"})};
  const Status status = Refusal(g.Model());
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  ExpectHas(status, "Foo ('the Foo', 'the Foo')");
  ExpectHas(status, "Bar ('the Bar')");
  EXPECT_EQ(status.message().find("Baz"), std::string::npos) << "nobody needs it";
}

TEST(OnnxRefusalTest, OpenDimensionsAreNamed) {
  Graph g;
  g.inputs = {Info("x", 1, {"batch", "length", "3"})};
  g.outputs = {Info("y", 1, {"batch", "length", "3"})};
  g.nodes = {Node("Neg", {"x"}, {"y"})};
  ExpectHas(Refusal(g.Model()), "'length'");
  ImportOptions options;
  options.dims = {{"length", 5}, {"batch", 2}};
  Imported m(g.Model(), options);
  EXPECT_EQ(m.Run({Ramp(30)}).size(), 30u);
  options.dims = {{"width", 5}};
  ExpectHas(Refusal(g.Model(), options), "'width'");
  options.dims.clear();
  options.shapes = {{"x", {1, 2}}};
  ExpectHas(Refusal(g.Model(), options), "must have 3 dimensions");
  options.shapes = {{"z", {1, 2, 3}}};
  ExpectHas(Refusal(g.Model(), options), "no input 'z'; it has 'x'");
}

TEST(OnnxRefusalTest, WhatIsNoModel) {
  EXPECT_EQ(Refusal("").code(), StatusCode::kInvalidModel);
  ExpectHas(Refusal("hello, this is no model at all"), "nor an ONNX model");
  Graph g;
  g.inputs = {Info("x", 1, {"2"})};
  g.outputs = {Info("y", 1, {"2"})};
  g.nodes = {Node("Neg", {"x"}, {"y"})};
  ExpectHas(Refusal(g.Model(5)), "operator set 5");
  ExpectHas(Refusal(g.Model(99)), "operator set 99");
  g.nodes = {Node("Neg", {"w"}, {"y"})};
  ExpectHas(Refusal(g.Model()), "reads 'w', which nobody wrote before it");
  g.nodes = {};
  ExpectHas(Refusal(g.Model()), "written by no node");
}

// ---- hostile files ----

TEST(OnnxHostileTest, EveryTruncationAndManyFlipsEndWithAStatus) {
  const std::string good = Classifier().Model();
  for (size_t n = 0; n < good.size(); ++n) (void)ImportOnnxBytes(ProtoBytes(good.substr(0, n)));
  uint32_t random = 1;
  for (int i = 0; i < 2000; ++i) {
    std::string bad = good;
    for (int k = 0; k < 3; ++k) {
      random = random * 1664525 + 1013904223;
      bad[random / 16 % bad.size()] = static_cast<char>(random >> 24);
    }
    const auto result = ImportOnnxBytes(ProtoBytes(bad));
    EXPECT_TRUE(result.ok() || !result.status().message().empty());
  }
}

// A few bytes that ask for much.
TEST(OnnxHostileTest, ClaimedSizesAreRefused) {
  Graph g;
  g.inputs = {Info("x", 1, {"1"})};
  g.outputs = {Info("y", 1, {"1"})};
  const auto refused = [&](const std::vector<Wire>& nodes, const std::vector<Wire>& initializers) {
    g.nodes = nodes, g.initializers = initializers;
    const Status status = Refusal(g.Model());
    EXPECT_FALSE(status.message().empty());
  };
  const int64_t huge = int64_t{1} << 40;
  refused({Node("ConstantOfShape", {"s"}, {"y"})}, {Int64s("s", {huge, huge})});
  refused({Node("Expand", {"x", "s"}, {"y"})}, {Int64s("s", {huge})});
  refused({Node("Tile", {"x", "s"}, {"y"})}, {Int64s("s", {huge})});
  refused({Node("Reshape", {"x", "s"}, {"y"})}, {Int64s("s", {huge, huge, huge, huge})});
  refused({Node("Pad", {"x", "s"}, {"y"})}, {Int64s("s", {huge, huge})});
  refused({Node("Range", {"a", "b", "c"}, {"r"}), Node("Add", {"r", "r"}, {"y"})},
          {Tensor("a", 7, {}, Raw(std::vector<int64_t>{0})),
           Tensor("b", 7, {}, Raw(std::vector<int64_t>{huge})),
           Tensor("c", 7, {}, Raw(std::vector<int64_t>{1}))});
  refused({Node("Resize", {"x", "", "s"}, {"y"})}, {Floats("s", {1}, {1e30f})});
  refused({Node("Conv", {"x", "s"}, {"y"})}, {Floats("s", {1}, {1})});
}

// Doubling a constant forty times would take a terabyte.
TEST(OnnxHostileTest, ConstantsThatGrowAreStopped) {
  Graph g;
  g.inputs = {Info("x", 1, {"1"})};
  g.outputs = {Info("y", 1, {"1"})};
  g.initializers = {Floats("c0", {1024}, std::vector<float>(1024, 1.0f))};
  for (int i = 0; i < 40; ++i) {
    const std::string from = "c" + std::to_string(i);
    g.nodes.push_back(
        Node("Concat", {from, from}, {"c" + std::to_string(i + 1)}, {Attr("axis", int64_t{0})}));
  }
  g.nodes.push_back(Node("ReduceSum", {"c40"}, {"s"}));
  g.nodes.push_back(Node("Add", {"x", "s"}, {"y"}));
  EXPECT_FALSE(Refusal(g.Model()).message().empty());
}

}  // namespace
}  // namespace whit::tools::onnx
