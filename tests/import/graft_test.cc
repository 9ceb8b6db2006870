// Layers of other frameworks on the products of a .tflite.
#include "tools/import/graft.h"

#include <cmath>

#include "tests/import/fake_weights.h"
#include "tests/import/imported.h"
#include "tests/import/tflite_model.h"
#include "tools/import/named_weights.h"

namespace whit::tools {
namespace {

using tflite::BuiltinOperator;
using tflite::TensorType;

constexpr int kIn = 3, kOut = 4;
constexpr size_t kTaps = 9;

// What Keras holds of a convolution, [3,3,kIn,kOut], and of a normalization.
struct GraftLayer {
  Floats kernel, bias, gamma, beta, mean, variance;
  explicit GraftLayer(uint32_t seed)
      : kernel(Noise(kTaps * kIn * kOut, seed)),
        bias(Noise(kOut, seed + 1)),
        gamma(Noise(kOut, seed + 2, 0.5f, 2)),
        beta(Noise(kOut, seed + 3)),
        mean(Noise(kOut, seed + 4)),
        variance(Noise(kOut, seed + 5, 0.1f, 1)) {}

  float Factor(size_t o, float epsilon) const {
    return gamma[o] / std::sqrt(variance[o] + epsilon);
  }
  // As a converter folds it: [kOut,3,3,kIn].
  Floats FoldedKernel(float epsilon) const {
    Floats folded(kernel.size());
    for (size_t o = 0; o < kOut; ++o) {
      for (size_t i = 0; i < kTaps * kIn; ++i)
        folded[o * kTaps * kIn + i] = kernel[i * kOut + o] * Factor(o, epsilon);
    }
    return folded;
  }
  Floats FoldedBias(float epsilon) const {
    Floats folded(kOut);
    for (size_t o = 0; o < kOut; ++o)
      folded[o] = (bias[o] - mean[o]) * Factor(o, epsilon) + beta[o];
    return folded;
  }
  void AddTo(FakeFile* file, const std::string& conv, const std::string& norm) const {
    file->Add(conv + "/kernel:0", {3, 3, kIn, kOut}, kernel);
    file->Add(conv + "/bias:0", {kOut}, bias);
    file->Add(norm + "/gamma:0", {kOut}, gamma);
    file->Add(norm + "/beta:0", {kOut}, beta);
    file->Add(norm + "/moving_mean:0", {kOut}, mean);
    file->Add(norm + "/moving_variance:0", {kOut}, variance);
  }
};

struct Product {
  std::string weights, bias;  // names
  Floats kernel, shift;
};

// Convolutions of one input, each an output.
std::vector<uint8_t> ForeignModel(const std::vector<Product>& products) {
  TfliteModel m;
  const int x = m.Tensor("x", TensorType::FLOAT32, {1, 5, 5, kIn});
  std::vector<int32_t> outputs;
  for (const Product& p : products) {
    const int w = m.Tensor(p.weights, TensorType::FLOAT32, {kOut, 3, 3, kIn});
    const int b = m.Tensor(p.bias, TensorType::FLOAT32, {kOut});
    const int y =
        m.Tensor("y" + std::to_string(outputs.size()), TensorType::FLOAT32, {1, 3, 3, kOut});
    m.Fill(w, p.kernel);
    m.Fill(b, p.shift);
    m.Op(BuiltinOperator::CONV_2D, {x, w, b}, {y});
    tflite::Conv2DOptionsT options;
    options.padding = tflite::Padding::VALID;
    options.stride_h = options.stride_w = 1;
    m.Options(options);
    outputs.push_back(y);
  }
  return m.Bytes({x}, outputs);
}

struct Grafted {
  WeightMatches matches;
  Status status, check;
  std::vector<Floats> biases;

  Grafted(const std::vector<uint8_t>& model, const FakeFile& file,
          std::optional<double> epsilon = {}) {
    auto weights = NamedWeights::Of(file);
    ImportOptions options;
    options.weights = &*weights;
    options.epsilon = epsilon;
    auto bytes = ImportTfliteBytes(model, options);
    status = bytes.ok() ? OkStatus() : Status(bytes.status());
    matches = weights->Matches(), check = weights->Check(false);
    if (!bytes.ok()) return;
    auto opened = ModelFile::Open(Mapping::Borrow(*bytes));
    for (const auto* op : *(*opened)->main_subgraph().operators()) {
      const auto* conv = op->options_as_Conv2D();
      if (conv == nullptr) continue;
      const auto blob = (*opened)->blob(static_cast<size_t>(conv->bias()));
      Floats& bias = biases.emplace_back(kOut);
      std::memcpy(bias.data(), blob.data(), bias.size() * sizeof(float));
    }
  }
};

void ExpectClose(const Floats& got, const Floats& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-5f) << i;
}

const Product kForeign{"net/conv_b/Conv2D", "net/norm_b/FusedBatchNormV3;net/conv_b/BiasAdd",
                       Noise(kTaps* kIn* kOut, 90), Noise(kOut, 91)};

TEST(Graft, NamesTellTheLayerAndItsNormalization) {
  const GraftLayer a(10), b(20);
  FakeFile file;
  a.AddTo(&file, "model/conv_a/conv_a", "model/norm_a/norm_a");
  b.AddTo(&file, "model/conv_b/conv_b", "model/norm_b/norm_b");
  Product other = kForeign;
  other.weights = "net/conv_a/Conv2D", other.bias = "net/norm_a/FusedBatchNormV3";
  const Grafted g(ForeignModel({kForeign, other}), file);
  ASSERT_TRUE(g.status.ok()) << g.status.message();
  EXPECT_TRUE(g.check.ok()) << g.check.message();
  ExpectClose(g.biases[0], b.FoldedBias(1e-3f));  // Keras' epsilon
  ExpectClose(g.biases[1], a.FoldedBias(1e-3f));
  ASSERT_EQ(g.matches.grafted.size(), size_t{2});
  EXPECT_EQ(g.matches.grafted[0].source, "model/conv_b/conv_b/kernel:0");
  EXPECT_EQ(g.matches.grafted[0].normalization, "model/norm_b/norm_b/moving_mean:0");
  EXPECT_EQ(g.matches.grafted[0].by, "name");
  EXPECT_GT(g.matches.grafted[0].difference, 0.1);
  EXPECT_TRUE(g.matches.kept.empty());
}

// Keras 3 numbers tensors and calls folders by classes: names and epsilon are in its configuration.
TEST(Graft, FoldersOfKeras3GetTheirNames) {
  const GraftLayer a(10), b(20);
  FakeFile file;
  size_t number = 0;
  for (const GraftLayer& layer : {a, b}) {
    const std::string end = number == 0 ? "" : "_" + std::to_string(number);
    const std::string conv = "layers/conv2d" + end + "/vars/";
    const std::string norm = "layers/functional/layers/batch_normalization" + end + "/vars/";
    file.Add(conv + "0", {3, 3, kIn, kOut}, layer.kernel), file.Add(conv + "1", {kOut}, layer.bias);
    file.Add(norm + "0", {kOut}, layer.gamma), file.Add(norm + "1", {kOut}, layer.beta);
    file.Add(norm + "2", {kOut}, layer.mean), file.Add(norm + "3", {kOut}, layer.variance);
    ++number;
  }
  const std::string norms = R"({"class_name":"BatchNormalization","config":{"name":"norm_a"}},
      {"class_name":"BatchNormalization","config":{"name":"norm_b","epsilon":0.25}})";
  file.Say("model_config", R"({"class_name":"Functional","config":{"layers":[
      {"class_name":"InputLayer","config":{"name":"x"}},
      {"class_name":"Conv2D","config":{"name":"conv_a"}},
      {"class_name":"Conv2D","config":{"name":"conv_b"}}, 7, {"class_name":{}},
      {"class_name":"Functional","config":{"name":"f","layers":[)" +
                               norms + "]}}]}}");
  Product other = kForeign;
  other.weights = "net/conv_a/Conv2D", other.bias = "net/norm_a/FusedBatchNormV3";
  const Grafted g(ForeignModel({kForeign, other}), file);
  ASSERT_TRUE(g.status.ok()) << g.status.message();
  EXPECT_TRUE(g.check.ok()) << g.check.message();
  ExpectClose(g.biases[0], b.FoldedBias(0.25f));
  ExpectClose(g.biases[1], a.FoldedBias(1e-3f));
  EXPECT_EQ(g.matches.grafted[0].by, "name");
}

TEST(Graft, ConfigurationsThatAreNoneSayNothing) {
  const GraftLayer b(20);
  std::string nested = R"({"config":{"layers":)";
  for (int i = 0; i < 20000; ++i)
    nested += R"([{"class_name":"LongNameOfAClass","config":{"layers":)";
  for (const std::string& text : {std::string("{"), std::string("[1,2]"), nested + "[]"}) {
    std::string whole = text;
    for (int i = 0; text.size() > 100 && i < 20000; ++i) whole += "}}]";
    FakeFile file;
    b.AddTo(&file, "conv_b", "norm_b");
    file.Say("model_config", text.size() > 100 ? whole + "}}" : whole);
    const Grafted g(ForeignModel({kForeign}), file);
    ASSERT_TRUE(g.status.ok()) << g.status.message();
    ExpectClose(g.biases[0], b.FoldedBias(1e-3f));
  }
}

TEST(Graft, EpsilonCanBeGiven) {
  const GraftLayer b(20);
  FakeFile file;
  b.AddTo(&file, "conv_b", "norm_b");
  const Grafted g(ForeignModel({kForeign}), file, 0.25);
  ASSERT_TRUE(g.status.ok()) << g.status.message();
  ExpectClose(g.biases[0], b.FoldedBias(0.25f));
}

TEST(Graft, ValuesTellWhereNamesDoNot) {
  const GraftLayer a(10), b(20);
  FakeFile file;
  a.AddTo(&file, "conv_1", "norm_1");
  b.AddTo(&file, "conv_2", "norm_2");
  const Product first{"unknown_1", "unknown_2", b.FoldedKernel(1e-3f), b.FoldedBias(1e-3f)};
  const Product second{"unknown_3", "unknown_4", a.FoldedKernel(1e-3f), a.FoldedBias(1e-3f)};
  const Grafted g(ForeignModel({first, second}), file);
  ASSERT_TRUE(g.status.ok()) << g.status.message();
  EXPECT_TRUE(g.check.ok()) << g.check.message();
  ASSERT_EQ(g.matches.grafted.size(), size_t{2});
  EXPECT_EQ(g.matches.grafted[0].source, "conv_2/kernel:0");
  EXPECT_EQ(g.matches.grafted[0].by, "value");
  EXPECT_LT(g.matches.grafted[0].difference, 1e-5);
}

TEST(Graft, NothingIsGuessed) {
  const GraftLayer a(10), b(20);
  FakeFile file;
  a.AddTo(&file, "conv_1", "norm_1");
  b.AddTo(&file, "conv_2", "norm_2");
  Product x = kForeign, y = kForeign;
  x.weights = "unknown_1", x.bias = "unknown_2", y.weights = "unknown_3", y.bias = "unknown_4";
  const Grafted g(ForeignModel({x, y}), file);
  EXPECT_TRUE(g.matches.grafted.empty());
  EXPECT_EQ(g.biases[0], kForeign.shift);
  EXPECT_EQ(g.matches.untold.size(), size_t{2});
  EXPECT_NE(g.check.message().find("2 products of the graph that neither names nor values tell"),
            std::string::npos)
      << g.check.message();
}

TEST(Graft, ShapeTellsTheLastOne) {
  const GraftLayer a(10);
  FakeFile file;
  file.Add("conv.weight", {kOut, kIn, 3, 3}, a.kernel);
  file.Add("conv.bias", {kOut}, a.bias);
  const Grafted g(ForeignModel({kForeign}), file);
  ASSERT_EQ(g.matches.grafted.size(), size_t{1});
  EXPECT_EQ(g.matches.grafted[0].by, "shape");
  EXPECT_EQ(g.biases[0], a.bias);
}

TEST(Graft, ANormalizationMayStandByItself) {
  const Floats gamma = Noise(kOut, 1, 1, 2), beta = Noise(kOut, 2), mean = Noise(kOut, 3);
  FakeFile file;
  file.Add("bn.weight", {kOut}, gamma);
  file.Add("bn.bias", {kOut}, beta);
  file.Add("bn.running_mean", {kOut}, mean);
  file.Add("bn.running_var", {kOut}, Floats(kOut, 0.25f));
  TfliteModel m;
  const int x = m.Tensor("x", TensorType::FLOAT32, {1, 2, 2, kOut});
  const int scale = m.Tensor("net/bn/scale", TensorType::FLOAT32, {kOut});
  const int scaled = m.Tensor("scaled", TensorType::FLOAT32, {1, 2, 2, kOut});
  const int shift = m.Tensor("net/bn/shift", TensorType::FLOAT32, {kOut});
  const int y = m.Tensor("y", TensorType::FLOAT32, {1, 2, 2, kOut});
  m.Fill(scale, Floats(kOut, 1));
  m.Fill(shift, Floats(kOut, 0));
  m.Op(BuiltinOperator::MUL, {x, scale}, {scaled});
  m.Op(BuiltinOperator::ADD, {scaled, shift}, {y});
  const Grafted g(m.Bytes({x}, {y}), file);
  EXPECT_TRUE(g.check.ok()) << g.check.message();
  ASSERT_EQ(g.matches.grafted.size(), size_t{1});
  EXPECT_EQ(g.matches.grafted[0].normalization, "bn.running_mean");
  double worst = 0;
  for (size_t o = 0; o < kOut; ++o) {
    const double factor = static_cast<double>(gamma[o]) / std::sqrt(0.25 + 1e-5);
    worst =
        std::max({worst, std::abs(factor - 1),
                  std::abs(static_cast<double>(beta[o]) - static_cast<double>(mean[o]) * factor)});
  }
  EXPECT_NEAR(g.matches.grafted[0].difference, worst, 1e-5);
}

// PyTorch makes channels, rows, columns flat in that order; the graph rows, columns, channels.
TEST(Graft, ColumnsBehindAFlatPictureAreTurned) {
  constexpr int kH = 2, kW = 3, kC = 2, kK = kH * kW * kC;
  Floats torch(kK);
  for (size_t k = 0; k < torch.size(); ++k) torch[k] = static_cast<float>(k);
  FakeFile file;
  file.Add("fc.weight", {1, kK}, torch);
  TfliteModel m;
  const int x = m.Tensor("x", TensorType::FLOAT32, {1, kH, kW, kC});
  const int flat = m.Tensor("flat", TensorType::FLOAT32, {1, kK});
  const int w = m.Tensor("net/fc/MatMul", TensorType::FLOAT32, {1, kK});
  const int y = m.Tensor("y", TensorType::FLOAT32, {1, 1});
  Floats turned;
  for (int h = 0; h < kH; ++h) {
    for (int column = 0; column < kW; ++column) {
      for (int c = 0; c < kC; ++c)
        turned.push_back(torch[static_cast<size_t>((c * kH + h) * kW + column)]);
    }
  }
  m.Fill(w, turned);
  m.Op(BuiltinOperator::RESHAPE, {x, m.Ints("shape", {1, kK})}, {flat});
  m.Op(BuiltinOperator::FULLY_CONNECTED, {flat, w, -1}, {y});
  const Grafted g(m.Bytes({x}, {y}), file);
  ASSERT_TRUE(g.status.ok()) << g.status.message();
  ASSERT_EQ(g.matches.grafted.size(), size_t{1});
  EXPECT_EQ(g.matches.grafted[0].difference, 0);
}

TEST(Graft, ABiasWithoutAPlaceIsRefused) {
  FakeFile file;
  file.AddNoise("fc.weight", {2, 3});
  file.AddNoise("fc.bias", {2});
  TfliteModel m;
  const int x = m.Tensor("x", TensorType::FLOAT32, {1, 3});
  const int w = m.Tensor("net/fc/MatMul", TensorType::FLOAT32, {2, 3});
  const int y = m.Tensor("y", TensorType::FLOAT32, {1, 2});
  m.Fill(w, Noise(6, 5));
  m.Op(BuiltinOperator::FULLY_CONNECTED, {x, w, -1}, {y});
  const Grafted g(m.Bytes({x}, {y}), file);
  EXPECT_NE(g.status.message().find("has no bias in the graph, 'fc.weight'"), std::string::npos)
      << g.status.message();
}

TEST(Graft, ANormalizationThatIsNotFiniteIsRefused) {
  GraftLayer b(20);
  b.variance[2] = -1;
  FakeFile file;
  b.AddTo(&file, "conv_b", "norm_b");
  const Grafted g(ForeignModel({kForeign}), file);
  EXPECT_NE(g.status.message().find("'norm_b/moving_variance:0' is not finite in channel 2"),
            std::string::npos)
      << g.status.message();
}

}  // namespace
}  // namespace whit::tools
