// Checkpoints as torch.save writes them, made by hand, and what hostile ones do.
#include <gtest/gtest.h>

#include <cstring>

#include "tests/weights/byte_writer.h"
#include "tests/weights/damaged.h"
#include "tests/weights/zip_file.h"

namespace whit::tools {
namespace {

std::string Short(int value) {  // K or M
  std::string text = value < 256 ? "K" : "M";
  text += static_cast<char>(value & 255);
  if (value >= 256) text += static_cast<char>(value >> 8);
  return text;
}

std::string Text(const std::string& s) {
  return "X" + std::string{static_cast<char>(s.size()), 0, 0, 0} + s;
}

std::string Tuple(std::initializer_list<int> values) {
  std::string text = "(";
  for (int v : values) text += Short(v);
  return text + "t";
}

/// A call of _rebuild_tensor_v2.
std::string Tensor(const std::string& storage, const std::string& key, int elements, int offset,
                   std::initializer_list<int> shape, std::initializer_list<int> stride,
                   bool legacy = false) {
  return "ctorch._utils\n_rebuild_tensor_v2\n((" + Text("storage") + "ctorch\n" + storage + "\n" +
         Text(key) + Text("cpu") + Short(elements) + (legacy ? "N" : "") + "tQ" + Short(offset) +
         Tuple(shape) + Tuple(stride) + "\x89" + "ccollections\nOrderedDict\n)RtR";
}

std::string StateDict(const std::string& tensors) {
  return "\x80\x02"
         "ccollections\nOrderedDict\n)R(" +
         tensors + "u.";
}

std::string Floats(std::initializer_list<float> values) {
  std::string bytes(values.size() * sizeof(float), 0);
  std::memcpy(bytes.data(), values.begin(), bytes.size());
  return bytes;
}

std::vector<std::byte> Bytes(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
  return {bytes.begin(), bytes.end()};
}

std::vector<std::byte> Checkpoint(const std::string& pickle) {
  return ZipFile({{"m/data.pkl", pickle}, {"m/data/0", Floats({0, 1, 2, 3, 4, 5})}});
}

std::vector<float> ValuesOf(const WeightFile& file, size_t i) {
  auto values = ReadFloats(file, i);
  EXPECT_TRUE(values.ok()) << values.status().message();
  return values.ok() ? *values : std::vector<float>();
}

TEST(TorchWeightsTest, ViewsOfOneStorage) {
  const auto bytes =
      Checkpoint(StateDict(Text("a") + Tensor("FloatStorage", "0", 6, 0, {2, 3}, {3, 1}) +
                           Text("turned") + Tensor("FloatStorage", "0", 6, 0, {3, 2}, {1, 3}) +
                           Text("tail") + Tensor("FloatStorage", "0", 6, 4, {2}, {1}) +
                           Text("spread") + Tensor("FloatStorage", "0", 6, 5, {2, 2}, {0, 0}) +
                           Text("scalar") + Tensor("FloatStorage", "0", 6, 3, {}, {})));
  const auto file = OpenWeightBytes(bytes, "test");
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ((*file)->format(), "PyTorch zip");
  ASSERT_EQ((*file)->tensors().size(), 5u);
  EXPECT_EQ(ValuesOf(**file, 0), (std::vector<float>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(ValuesOf(**file, 1), (std::vector<float>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(ValuesOf(**file, 2), (std::vector<float>{4, 5}));
  EXPECT_EQ(ValuesOf(**file, 3), (std::vector<float>{5, 5, 5, 5}));
  EXPECT_EQ(ValuesOf(**file, 4), (std::vector<float>{3}));
}

TEST(TorchWeightsTest, ReachingBehindAStorageIsRefused) {
  const auto bytes =
      Checkpoint(StateDict(Text("long") + Tensor("FloatStorage", "0", 7, 0, {7}, {1}) +
                           Text("late") + Tensor("FloatStorage", "0", 6, 5, {2}, {1}) +
                           Text("wide") + Tensor("FloatStorage", "0", 6, 0, {2, 2}, {5, 1}) +
                           Text("double") + Tensor("DoubleStorage", "0", 6, 0, {4}, {1}) +
                           Text("none") + Tensor("FloatStorage", "1", 6, 0, {1}, {1})));
  const auto file = OpenWeightBytes(bytes, "test");
  ASSERT_TRUE(file.ok()) << file.status().message();
  for (const TensorEntry& entry : (*file)->tensors()) EXPECT_NE(entry.refused, "") << entry.name;
}

TEST(TorchWeightsTest, Legacy) {
  constexpr char kHead[] =
      "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03."
      "\x80\x02}.";
  const std::string head(kHead, sizeof kHead - 1);
  const std::vector<std::byte> bytes = Bytes(
      head + StateDict(Text("w") + Tensor("FloatStorage", "7", 4, 1, {3}, {1}, true)) +
      "\x80\x02]" + Text("7") + "a." + std::string("\4\0\0\0\0\0\0\0", 8) + Floats({9, 1, 2, 3}));
  const auto file = OpenWeightBytes(bytes, "test");
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ((*file)->format(), "PyTorch legacy");
  EXPECT_EQ(ValuesOf(**file, 0), (std::vector<float>{1, 2, 3}));
  ReadDamaged(bytes);
}

TEST(TorchWeightsTest, Damage) {
  const auto bytes =
      Checkpoint(StateDict(Text("a") + Tensor("FloatStorage", "0", 6, 0, {2, 3}, {3, 1})));
  EXPECT_EQ(ReadEverything(bytes), 1u);
  ReadDamaged(bytes);
}

TEST(TorchWeightsTest, CodeIsNotRun) {
  const auto bytes = Checkpoint(
      "\x80\x02"
      "cposix\nsystem\n(" +
      Text("touch x") + "tR.");
  const auto file = OpenWeightBytes(bytes, "test");
  ASSERT_FALSE(file.ok());
  EXPECT_NE(file.status().message().find("posix.system"), std::string::npos);
}

// Each list holds the one before twice: 2^60 values to walk, were they not counted.
TEST(TorchWeightsTest, MemoBombsEnd) {
  std::string text = "\x80\x02]q";
  text += '\0';
  for (int i = 1; i < 60; ++i) {
    for (const char* part : {"](h", "h"}) {
      text += part;
      text += static_cast<char>(i - 1);
    }
    text += "eq";
    text += static_cast<char>(i);
  }
  const auto file = OpenWeightBytes(Checkpoint(text + "."), "test");
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.status().code(), StatusCode::kOverBudget);
}

TEST(TorchWeightsTest, DeepNestingEnds) {
  std::string text = "\x80\x02]";
  for (int i = 0; i < 100000; ++i) text += "]";
  for (int i = 0; i < 100000; ++i) text += "a";
  const auto file = OpenWeightBytes(Checkpoint(text + "."), "test");
  ASSERT_FALSE(file.ok());
  EXPECT_NE(file.status().message().find("deep"), std::string::npos);
}

TEST(TorchWeightsTest, PathsOutOfTheArchiveAreRefused) {
  for (const char* name : {"../data.pkl", "/data.pkl", "m/../../data.pkl", "m\\data.pkl"}) {
    const auto file = OpenWeightBytes(ZipFile({{"m/data.pkl", "N."}, {name, "x"}}), "test");
    ASSERT_FALSE(file.ok()) << name;
    EXPECT_NE(file.status().message().find("leads out"), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace whit::tools
