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

/// 2x3 int8 codes of storage 0, with scales of storage 1 and zero points of storage 2.
std::string ByChannel(int axis, const std::string& scales, const std::string& zeros,
                      bool legacy = false) {
  return "ctorch._utils\n_rebuild_qtensor\n((" + Text("storage") + "ctorch\nQInt8Storage\n" +
         Text("0") + Text("cpu") + Short(6) + (legacy ? "N" : "") + "tQ" + Short(0) +
         Tuple({2, 3}) + Tuple({3, 1}) + "(ctorch\nper_channel_affine\n" + scales + zeros +
         Short(axis) + "t\x89" + "ccollections\nOrderedDict\n)RtR";
}

std::string Doubles(std::initializer_list<double> values) {
  std::string bytes(values.size() * sizeof(double), 0);
  std::memcpy(bytes.data(), values.begin(), bytes.size());
  return bytes;
}

std::string Longs(std::initializer_list<int64_t> values) {
  std::string bytes(values.size() * sizeof(int64_t), 0);
  std::memcpy(bytes.data(), values.begin(), bytes.size());
  return bytes;
}

std::vector<std::byte> Quantized(const std::string& tensors, bool deflated = false) {
  return ZipFile({{"m/data.pkl", StateDict(tensors)},
                  {"m/data/0", "\1\2\3\4\5\6"},
                  {"m/data/1", Doubles({0.5, 0.25, 2})},
                  {"m/data/2", Longs({0, -3, 7})}},
                 deflated);
}

TEST(TorchWeightsTest, ScalesByChannel) {
  const std::string three = ByChannel(1, Tensor("DoubleStorage", "1", 3, 0, {3}, {1}),
                                      Tensor("LongStorage", "2", 3, 0, {3}, {1}));
  const std::string two = ByChannel(0, Tensor("DoubleStorage", "1", 3, 1, {2}, {1}),
                                    Tensor("LongStorage", "2", 3, 0, {2}, {2}));
  for (const bool deflated : {false, true}) {
    const auto bytes = Quantized(Text("a") + three + Text("b") + two, deflated);
    const auto file = OpenWeightBytes(bytes, "test");
    ASSERT_TRUE(file.ok()) << file.status().message();
    const auto& t = (*file)->tensors();
    ASSERT_EQ(t.size(), 2u);
    for (const TensorEntry& entry : t) ASSERT_EQ(entry.refused, "");
    EXPECT_EQ(t[0].type, ElementType::kInt8);
    EXPECT_EQ(t[0].codes.axis, 1);
    EXPECT_EQ(t[0].codes.scale, (std::vector<float>{0.5f, 0.25f, 2}));
    EXPECT_EQ(t[0].codes.zero_point, (std::vector<int64_t>{0, -3, 7}));
    EXPECT_EQ(t[1].codes.axis, 0);
    EXPECT_EQ(t[1].codes.scale, (std::vector<float>{0.25f, 2}));
    EXPECT_EQ(t[1].codes.zero_point, (std::vector<int64_t>{0, 7}));
    EXPECT_EQ(ValuesOf(**file, 0), (std::vector<float>{1, 2, 3, 4, 5, 6}));
    ReadDamaged(bytes);
  }
}

TEST(TorchWeightsTest, ScalesThatDoNotBelong) {
  const std::string scales = Tensor("DoubleStorage", "1", 3, 0, {3}, {1}),
                    zeros = Tensor("LongStorage", "2", 3, 0, {3}, {1});
  const std::pair<std::string, const char*> cases[] = {
      {ByChannel(0, scales, zeros), "its scales: of shape 3, axis 0 has 2 channels"},
      {ByChannel(2, scales, zeros), "its scales: of axis 2, the tensor has 2 axes"},
      {ByChannel(1, Tensor("LongStorage", "2", 3, 0, {3}, {1}), zeros), "its scales are int64"},
      {ByChannel(1, scales, Tensor("DoubleStorage", "1", 3, 0, {3}, {1})), "points are float64"},
      {ByChannel(1, Tensor("DoubleStorage", "1", 3, 1, {3}, {1}), zeros), "behind its storage"},
      {ByChannel(1, Tensor("DoubleStorage", "7", 3, 0, {3}, {1}), zeros), "not in the file"},
  };
  for (const auto& [tensor, words] : cases) {
    const auto bytes = Quantized(Text("a") + tensor);
    const auto file = OpenWeightBytes(bytes, "test");
    ASSERT_TRUE(file.ok()) << file.status().message();
    const TensorEntry& entry = (*file)->tensors()[0];
    EXPECT_NE(entry.refused.find(words), std::string::npos) << entry.refused;
    EXPECT_TRUE(entry.codes.empty());
    EXPECT_EQ(entry.codes.axis, -1);
  }
  const auto none = OpenWeightBytes(Quantized(Text("a") + ByChannel(1, "N", "N")), "test");
  ASSERT_FALSE(none.ok());
  EXPECT_NE(none.status().message().find("'a (scales)'"), std::string::npos);
}

// One scale shown as 2^30 by a stride of 0, for as many channels of one code.
TEST(TorchWeightsTest, ScalesWithoutEnd) {
  const auto many = [](const std::string& storage, const std::string& key) {
    return "ctorch._utils\n_rebuild_tensor_v2\n((" + Text("storage") + "ctorch\n" + storage + "\n" +
           Text(key) + Text("cpu") + Short(3) + "tQK" + std::string(1, 0) +
           std::string("(J\0\0\0\x40t(K\0t", 11) + "\x89" + "ccollections\nOrderedDict\n)RtR";
  };
  const std::string tensor =
      "ctorch._utils\n_rebuild_qtensor\n((" + Text("storage") + "ctorch\nQInt8Storage\n" +
      Text("0") + Text("cpu") + Short(6) + "tQ" + Short(0) + std::string("(J\0\0\0\x40t(K\0t", 11) +
      "(ctorch\nper_channel_affine\n" + many("DoubleStorage", "1") + many("LongStorage", "2") +
      Short(0) + "t\x89" + "ccollections\nOrderedDict\n)RtR";
  const auto bytes = Quantized(Text("a") + tensor);
  const auto file = OpenWeightBytes(bytes, "test");
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_NE((*file)->tensors()[0].refused.find("more numbers than a file of"), std::string::npos)
      << (*file)->tensors()[0].refused;
}

constexpr char kHead[] =
    "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03."
    "\x80\x02}.";

TEST(TorchWeightsTest, LegacyScalesByChannel) {
  const std::string tensor = ByChannel(1, Tensor("DoubleStorage", "1", 3, 0, {3}, {1}, true),
                                       Tensor("LongStorage", "2", 3, 0, {3}, {1}, true), true);
  const auto count = [](int n) { return std::string(1, static_cast<char>(n)) + std::string(7, 0); };
  const auto bytes =
      Bytes(std::string(kHead, sizeof kHead - 1) + StateDict(Text("w") + tensor) + "\x80\x02](" +
            Text("0") + Text("1") + Text("2") + "e." + count(6) + "\1\2\3\4\5\6" + count(3) +
            Doubles({0.5, 0.25, 2}) + count(3) + Longs({0, -3, 7}));
  const auto file = OpenWeightBytes(bytes, "test");
  ASSERT_TRUE(file.ok()) << file.status().message();
  const TensorEntry& w = (*file)->tensors()[0];
  EXPECT_EQ(w.refused, "");
  EXPECT_EQ(w.codes.scale, (std::vector<float>{0.5f, 0.25f, 2}));
  EXPECT_EQ(w.codes.zero_point, (std::vector<int64_t>{0, -3, 7}));
  EXPECT_EQ(ValuesOf(**file, 0), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  ReadDamaged(bytes);
}

TEST(TorchWeightsTest, Legacy) {
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
