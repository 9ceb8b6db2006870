// A .whit with other weights is what an import of a model with those weights is.
#include "tools/inspect/replaced_weights.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/import/tflite_model.h"
#include "tools/import/import.h"
#include "tools/import/weights/weights.h"

namespace whit::tools {
namespace {

using tflite::TensorType;

// A convolution whose input has a zero point; the weights of a second one are equal where `same`.
std::vector<std::byte> Imported(const std::vector<int8_t>& weights, bool same = true) {
  TfliteModel m;
  m.Quantized("in", TensorType::INT8, {1, 4, 4, 3}, {0.5f}, {7});
  m.Quantized("w", TensorType::INT8, {2, 1, 1, 3}, {0.25f, 0.5f}, {0, 0});
  m.Fill(1, weights);
  m.Quantized("b", TensorType::INT32, {2}, {0.125f, 0.25f}, {0, 0});
  m.Fill(2, std::vector<int32_t>{5, -7});
  m.Quantized("v", TensorType::INT8, {2, 1, 1, 3}, {0.25f, 0.5f}, {0, 0});
  m.Fill(3, std::vector<int8_t>{1, 2, 3, 4, 5, static_cast<int8_t>(same ? 6 : 60)});
  m.Quantized("y", TensorType::INT8, {1, 4, 4, 2}, {1.0f}, {-3});
  m.Quantized("z", TensorType::INT8, {1, 4, 4, 2}, {1.0f}, {-3});
  tflite::Conv2DOptionsT conv;
  conv.stride_h = conv.stride_w = 1;
  m.Op(tflite::BuiltinOperator::CONV_2D, {0, 1, 2}, {4});
  m.Options(conv);
  m.Op(tflite::BuiltinOperator::CONV_2D, {0, 3, 2}, {5});
  m.Options(conv);
  auto bytes = ImportTfliteBytes(m.Bytes({0}, {4, 5}));
  EXPECT_TRUE(bytes.ok()) << bytes.status().message();
  return std::move(bytes).value();
}

std::vector<std::byte> BlobOf(const ModelFile& file, int blob) {
  const auto bytes = file.blob(static_cast<size_t>(blob));
  return {bytes.begin(), bytes.end()};
}

void ExpectEqual(const ModelFile& a, const ModelFile& b) {
  ASSERT_EQ(a.graph().weights()->size(), b.graph().weights()->size());
  for (uint32_t i = 0; i < a.graph().weights()->size(); ++i) {
    const fbs::Weights &v = *a.graph().weights()->Get(i), &w = *b.graph().weights()->Get(i);
    EXPECT_EQ(BlobOf(a, v.data()), BlobOf(b, w.data())) << i;
    EXPECT_EQ(BlobOf(a, v.sums()), BlobOf(b, w.sums())) << i;
    EXPECT_EQ(BlobOf(a, v.limits()), BlobOf(b, w.limits())) << i;
    EXPECT_EQ(BlobOf(a, v.pair_flags()), BlobOf(b, w.pair_flags())) << i;
  }
  const auto &ops = *a.main_subgraph().operators(), &others = *b.main_subgraph().operators();
  ASSERT_EQ(ops.size(), others.size());
  for (uint32_t k = 0; k < ops.size(); ++k) {
    EXPECT_EQ(BlobOf(a, ops.Get(k)->options_as_Conv2D()->bias()),
              BlobOf(b, others.Get(k)->options_as_Conv2D()->bias()))
        << k;
  }
}

TEST(ReplacedWeightsTest, IsWhatAnImportMakes) {
  const std::vector<int8_t> before = {1, 2, 3, 4, 5, 6}, after = {-9, 100, 3, 127, -128, 0};
  for (const bool same : {true, false}) {  // equal contents share one blob
    const auto bytes = Imported(before, same), wanted = Imported(after, same);
    const auto file = ModelFile::Open(Mapping::Borrow(bytes));
    ASSERT_TRUE(file.ok()) << file.status().message();
    if ((*file)->graph().weights()->size() != 2) continue;  // one record for both operators
    ASSERT_TRUE(CanReplaceWeights(**file, 0));
    const auto replaced = ReplaceWeights(**file, 0, std::as_bytes(std::span(after)));
    ASSERT_TRUE(replaced.ok()) << replaced.status().message();
    const auto opened = ModelFile::Open(Mapping::Borrow(*replaced));
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    const auto other = ModelFile::Open(Mapping::Borrow(wanted));
    ASSERT_TRUE(other.ok());
    ExpectEqual(**opened, **other);
  }
}

// Only a foreign writer makes such files: which of two equal blobs an index means is lost.
TEST(ReplacedWeightsTest, EqualBlobsAreRefused) {
  auto bytes = Imported({1, 2, 3, 4, 5, 6}, false);
  const auto file = ModelFile::Open(Mapping::Borrow(bytes));
  ASSERT_TRUE(file.ok());
  ASSERT_EQ((*file)->graph().weights()->size(), 2u);
  const auto blob = [&](uint32_t i) {
    const int index = (*file)->graph().weights()->Get(i)->data();
    return (*file)->blob(static_cast<size_t>(index));
  };
  std::memcpy(bytes.data() + (blob(0).data() - bytes.data()), blob(1).data(), blob(1).size());
  const std::vector<int8_t> zeros(6);
  const auto replaced = ReplaceWeights(**file, 0, std::as_bytes(std::span(zeros)));
  ASSERT_FALSE(replaced.ok());
  EXPECT_NE(replaced.status().message().find("equals one before it"), std::string::npos);
}

TEST(ReplacedWeightsTest, OnlyRecords) {
  const auto bytes = Imported({1, 2, 3, 4, 5, 6}, false);
  const auto file = ModelFile::Open(Mapping::Borrow(bytes));
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE(CanReplaceWeights(**file, 1));
  EXPECT_FALSE(CanReplaceWeights(**file, 2));
}

}  // namespace
}  // namespace whit::tools
