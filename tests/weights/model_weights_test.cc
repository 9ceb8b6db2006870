// The tensors of .tflite and .whit files, and that an import keeps the weights.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "platform/mapping.h"
#include "tests/import/tflite_model.h"
#include "tests/schema/tiny_model.h"
#include "tests/weights/damaged.h"
#include "tools/import/import.h"
#include "tools/import/weights/entry_names.h"

namespace whit::tools {
namespace {

using tflite::TensorType;

std::vector<std::byte> AsFileBytes(const std::vector<uint8_t>& file) {
  const auto bytes = std::as_bytes(std::span(file));
  return {bytes.begin(), bytes.end()};
}

template <typename T>
std::vector<T> Values(const WeightFile& file, size_t i) {
  std::vector<std::byte> scratch;
  const auto bytes = file.Read(i, &scratch);
  EXPECT_TRUE(bytes.ok()) << bytes.status().message();
  std::vector<T> values(static_cast<size_t>(file.tensors()[i].elements()));
  if (bytes.ok()) std::memcpy(values.data(), bytes->data(), bytes->size());
  return values;
}

// A convolution of 3 channels to 2, uint8 with a zero point, and tensors of other kinds beside it.
TfliteModel SmallModel() {
  TfliteModel m;
  m.Quantized("in", TensorType::UINT8, {1, 4, 4, 3}, {0.5f}, {128});
  m.Quantized("w", TensorType::UINT8, {2, 1, 1, 3}, {0.25f}, {120});
  m.Fill(1, std::vector<uint8_t>{0, 1, 127, 128, 200, 255});
  m.Quantized("b", TensorType::INT32, {2}, {0.125f}, {0});
  m.Fill(2, std::vector<int32_t>{5, -7});
  m.Quantized("out", TensorType::UINT8, {1, 4, 4, 2}, {1.0f}, {128});
  tflite::Conv2DOptionsT conv;
  conv.stride_h = conv.stride_w = 1;
  m.Op(tflite::BuiltinOperator::CONV_2D, {0, 1, 2}, {3});
  m.Options(conv);
  return m;
}

TEST(TfliteWeightsTest, ListsConstantsAsTheFileHasThem) {
  TfliteModel m = SmallModel();
  const int four = m.Quantized("w", TensorType::INT4, {3}, {0.5f}, {0});  // the name again
  m.Fill(four, std::vector<uint8_t>{0x8f, 0x07});
  const int per_channel = m.Quantized("pc", TensorType::INT8, {2, 3}, {1, 2, 3}, {0, 0, 0});
  m.tensor(per_channel).quantization->quantized_dimension = 1;
  m.Fill(per_channel, std::vector<int8_t>{1, 2, 3, 4, 5, 6});
  const int odd = m.Quantized("", TensorType::INT8, {2}, {1, 2, 3}, {0});
  m.Fill(odd, std::vector<int8_t>{1, 2});
  const int strings = m.Tensor("s", TensorType::STRING, {1});
  m.Fill(strings, std::vector<uint8_t>{1});
  const int brief = m.Tensor("short", TensorType::FLOAT32, {2});
  m.Fill(brief, std::vector<float>{1});

  const std::vector<std::byte> bytes = AsFileBytes(m.Bytes({0}, {3}));
  const auto opened = OpenWeightBytes(bytes, "m.tflite");
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  const WeightFile& file = **opened;
  EXPECT_EQ(file.format(), "TFLite");
  ASSERT_EQ(file.tensors().size(), 7u);
  const auto& t = file.tensors();
  EXPECT_EQ(t[0].name, "w");
  EXPECT_EQ(t[0].type, ElementType::kUint8);
  EXPECT_EQ(t[0].ShapeText(), "2x1x1x3");
  EXPECT_EQ(t[0].codes.scale, std::vector<float>{0.25f});
  EXPECT_EQ(t[0].codes.zero_point, std::vector<int64_t>{120});
  EXPECT_EQ(t[0].codes.axis, -1);
  EXPECT_EQ(Values<uint8_t>(file, 0), (std::vector<uint8_t>{0, 1, 127, 128, 200, 255}));
  EXPECT_EQ(Values<int32_t>(file, 1), (std::vector<int32_t>{5, -7}));
  EXPECT_EQ(t[2].name, "w#2");
  EXPECT_EQ(Values<int8_t>(file, 2), (std::vector<int8_t>{-1, -8, 7}));
  EXPECT_EQ(t[3].codes.axis, 1);
  EXPECT_EQ(t[3].codes.scale, (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(t[4].name, "tensor 6");
  EXPECT_EQ(t[4].refused, "3 scales and 1 zero points do not belong to the shape 2");
  EXPECT_EQ(t[5].refused, "STRING elements");
  EXPECT_EQ(t[6].refused, "2 needs 8 bytes, its buffer has 4");
  std::vector<std::byte> scratch;
  EXPECT_EQ(file.Read(5, &scratch).status().code(), StatusCode::kUnsupported);
}

TEST(WhitWeightsTest, UnpacksWhatTheImportPacked) {
  const auto imported = ImportTfliteBytes(SmallModel().Bytes({0}, {3}));
  ASSERT_TRUE(imported.ok()) << imported.status().message();
  const auto opened = OpenWeightBytes(*imported, "m.whit");
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  const WeightFile& file = **opened;
  EXPECT_EQ(file.format(), "whit");
  ASSERT_EQ(file.tensors().size(), 1u);
  const TensorEntry& w = file.tensors()[0];
  EXPECT_EQ(w.name, "w");
  EXPECT_EQ(w.type, ElementType::kInt8);
  EXPECT_EQ(w.ShapeText(), "2x1x1x3");
  EXPECT_EQ(w.channel_axis, 0);
  EXPECT_EQ(w.codes.zero_point, std::vector<int64_t>{-8});  // canonical: less 128
  EXPECT_EQ(Values<int8_t>(file, 0), (std::vector<int8_t>{-128, -127, -1, 0, 72, 127}));
}

TEST(WhitWeightsTest, ListsConstantsAndVariables) {
  const std::vector<std::byte> bytes = TinyFile();
  const auto opened = OpenWeightBytes(bytes, "tiny.whit");
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  const auto& t = (*opened)->tensors();
  ASSERT_EQ(t.size(), 3u);
  EXPECT_EQ(t[0].name, "conv/w");
  EXPECT_EQ(t[0].codes.scale.size(), 10u);
  EXPECT_EQ(t[0].codes.axis, 0);
  EXPECT_EQ(t[1].name, "offset");
  EXPECT_EQ(Values<int8_t>(**opened, 1), std::vector<int8_t>(10, 5));
  EXPECT_EQ(t[2].name, "state");
  EXPECT_EQ(Values<float>(**opened, 2), std::vector<float>(3, 0));
  EXPECT_EQ(ReadEverything(bytes), 3u);
}

TEST(TfliteWeightsTest, DamagedFiles) { ReadDamaged(AsFileBytes(SmallModel().Bytes({0}, {3}))); }

// Of every real model: what its import holds under the same name and shape are the same numbers.
TEST(WhitWeightsTest, RealModels) {
  const char* env = std::getenv("WHIT_SHARED");
  const std::filesystem::path folder =
      std::filesystem::path(env != nullptr ? env : WHIT_SHARED_DIR) / "data/models";
  if (!std::filesystem::exists(folder)) {
    GTEST_SKIP() << "SKIPPED: no models at " << folder << "; set WHIT_SHARED";
  }
  size_t compared = 0;
  for (const auto& item : std::filesystem::directory_iterator(folder)) {
    if (item.path().extension() != ".tflite") continue;
    SCOPED_TRACE(item.path().string());
    const auto bytes = ReadWholeFile(item.path().string(), 1u << 30);
    ASSERT_TRUE(bytes.ok());
    const auto source = OpenWeightBytes(*bytes, item.path().string());
    ASSERT_TRUE(source.ok()) << source.status().message();
    const auto imported =
        ImportTfliteBytes({reinterpret_cast<const uint8_t*>(bytes->data()), bytes->size()});
    ASSERT_TRUE(imported.ok()) << imported.status().message();
    const auto whit = OpenWeightBytes(*imported, "imported");
    ASSERT_TRUE(whit.ok()) << whit.status().message();
    std::vector<std::byte> theirs_scratch, ours_scratch;
    for (size_t i = 0; i < (*whit)->tensors().size(); ++i) {
      const TensorEntry& ours = (*whit)->tensors()[i];
      const TensorEntry* theirs = (*source)->Find(ours.name);
      if (theirs == nullptr || theirs->shape != ours.shape || !theirs->refused.empty()) continue;
      const auto a = (*source)->Read(static_cast<size_t>(theirs - (*source)->tensors().data()),
                                     &theirs_scratch);
      const auto b = (*whit)->Read(i, &ours_scratch);
      ASSERT_TRUE(a.ok() && b.ok()) << ours.name;
      if (a->size() != b->size()) continue;  // float16 that became float32
      const bool shifted = theirs->type == ElementType::kUint8 && ours.type == ElementType::kInt8;
      size_t differ = 0;
      for (size_t k = 0; k < a->size(); ++k)
        differ += (*a)[k] != ((*b)[k] ^ std::byte{static_cast<uint8_t>(shifted ? 0x80 : 0)});
      EXPECT_EQ(differ, 0u) << ours.name;
      ++compared;
    }
  }
  EXPECT_GT(compared, 100u);
}

TEST(EntryNamesTest, AreUniqueUtf8) {
  EntryNames names;
  EXPECT_EQ(names.Take("a", ""), "a");
  EXPECT_EQ(names.Take("a#2", ""), "a#2");
  EXPECT_EQ(names.Take("a", ""), "a#3");
  EXPECT_EQ(names.Take("", "tensor 4"), "tensor 4");
  EXPECT_EQ(ToUtf8("gr\xc3\xbc\xc3\x9f\xe2\x82\xac\xf0\x9f\x98\x80"),
            "gr\xc3\xbc\xc3\x9f\xe2\x82\xac\xf0\x9f\x98\x80");
  // Overlong, a surrogate, above U+10FFFF, cut off, a lone continuation.
  EXPECT_EQ(ToUtf8("\xc0\x80"), "\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(ToUtf8("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(ToUtf8("\xf4\x90\x80\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(ToUtf8("x\xe2\x82"), "x\xef\xbf\xbd\xef\xbf\xbd");
}

}  // namespace
}  // namespace whit::tools
