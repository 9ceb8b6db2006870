// Weights that take the place of a graph file's own constants.
#include "tools/import/named_weights.h"

#include "tests/import/fake_weights.h"
#include "tests/import/imported.h"
#include "tests/import/tflite_model.h"

namespace whit::tools {
namespace {

using tflite::BuiltinOperator;
using tflite::TensorType;

// y[1,2] = x[1,3] * w[2,3] + b[2]
std::vector<uint8_t> Linear() {
  TfliteModel m;
  const int x = m.Tensor("x", TensorType::FLOAT32, {1, 3});
  const int w = m.Tensor("fc.weight", TensorType::FLOAT32, {2, 3});
  const int b = m.Tensor("fc.bias", TensorType::FLOAT32, {2});
  const int y = m.Tensor("y", TensorType::FLOAT32, {1, 2});
  m.Fill(w, Floats{1, 2, 3, 4, 5, 6});
  m.Fill(b, Floats{7, 8});
  m.Op(BuiltinOperator::FULLY_CONNECTED, {x, w, b}, {y});
  return m.Bytes({x}, {y});
}

struct Replaced {
  WeightMatches matches;
  Status status, check;
  Floats bias;

  explicit Replaced(const FakeFile& file) {
    auto weights = NamedWeights::Of(file);
    ImportOptions options;
    options.weights = &*weights;
    auto bytes = ImportTfliteBytes(Linear(), options);
    status = bytes.ok() ? OkStatus() : Status(bytes.status());
    matches = weights->Matches(), check = weights->Check(false);
    if (!bytes.ok()) return;
    auto opened = ModelFile::Open(Mapping::Borrow(*bytes));
    const auto& op = *(*opened)->main_subgraph().operators()->Get(0);
    const auto blob = (*opened)->blob(static_cast<size_t>(op.options_as_FullyConnected()->bias()));
    bias.resize(2);
    std::memcpy(bias.data(), blob.data(), bias.size() * sizeof(float));
  }
};

TEST(NamedWeights, TakeThePlaceOfConstantsBehindAPrefix) {
  FakeFile file;
  file.AddNoise("state_dict.fc.weight", {2, 3});
  file.Add("state_dict.fc.bias", {2}, {-1, -2});
  const Replaced r(file);
  ASSERT_TRUE(r.status.ok()) << r.status.message();
  EXPECT_TRUE(r.check.ok()) << r.check.message();
  EXPECT_EQ(r.bias, (Floats{-1, -2}));
  EXPECT_EQ(r.matches.prefix, "state_dict.");
  EXPECT_EQ(r.matches.matched.size(), size_t{2});
}

TEST(NamedWeights, WhatTheFileDoesNotHaveKeepsItsValue) {
  FakeFile file;
  file.AddNoise("fc.weight", {2, 3});
  const Replaced r(file);
  EXPECT_TRUE(r.check.ok()) << r.check.message();
  EXPECT_EQ(r.bias, (Floats{7, 8}));
}

TEST(NamedWeights, AnotherShapeIsNamedWithBoth) {
  FakeFile file;
  file.AddNoise("fc.weight", {3, 2});
  const Replaced r(file);
  EXPECT_NE(r.check.message().find("'fc.weight' is float32 3x2, the graph needs float32 2x3"),
            std::string::npos)
      << r.check.message();
}

TEST(NamedWeights, TheShortestNameThatFitsDecidesThePrefix) {
  FakeFile file;
  for (const char* name : {"ema.net.layer1.conv.weight", "net.layer1.conv.weight",
                           "net.conv.weight", "net.myconv.weight"}) {
    file.AddNoise(name, {1});
  }
  auto weights = NamedWeights::Of(file);
  weights->FindPrefix("conv.weight");
  EXPECT_EQ(weights->Matches().prefix, "net.");
  weights->FindPrefix("nothing");
  EXPECT_EQ(weights->Matches().prefix, "");
}

}  // namespace
}  // namespace whit::tools
