// safetensors and NumPy files made by hand, written again, and damaged.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstring>
#include <filesystem>

#include "tests/weights/damaged.h"
#include "tests/weights/zip_file.h"
#include "tools/import/weights/write_weights.h"

namespace whit::tools {
namespace {

std::vector<std::byte> Safetensors(const std::string& header, size_t data) {
  std::vector<std::byte> out(8);
  const uint64_t size = header.size();
  std::memcpy(out.data(), &size, sizeof size);
  for (char c : header) out.push_back(static_cast<std::byte>(c));
  for (size_t i = 0; i < data; ++i) out.push_back(static_cast<std::byte>(i));
  return out;
}

std::string ErrorOf(const std::string& header, size_t data) {
  const auto file = OpenWeightBytes(Safetensors(header, data), "test");
  return file.ok() ? "" : file.status().message();
}

constexpr char kTwo[] =
    R"({"__metadata__":{"by":"hand"},"a":{"dtype":"U8","shape":[2,2],"data_offsets":[0,4]},)"
    R"("b":{"dtype":"I16","shape":[],"data_offsets":[4,6]}})";

TEST(SafetensorsTest, TypesShapesBytes) {
  const auto bytes = Safetensors(kTwo, 6);
  const auto file = OpenWeightBytes(bytes, "test");
  ASSERT_TRUE(file.ok()) << file.status().message();
  ASSERT_EQ((*file)->tensors().size(), 2u);
  EXPECT_EQ((*file)->metadata()[0].second, "hand");
  EXPECT_EQ((*file)->tensors()[0].ShapeText(), "2x2");
  EXPECT_EQ(*ReadFloats(**file, 1), std::vector<float>{4 + 256 * 5});
  ReadDamaged(bytes);
}

TEST(SafetensorsTest, WhatIsWrongIsSaid) {
  EXPECT_NE(ErrorOf(kTwo, 5).find("cut"), std::string::npos);
  EXPECT_NE(ErrorOf(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,4]}})", 4).find("needs 3"),
            std::string::npos);
  EXPECT_NE(ErrorOf(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                    R"("b":{"dtype":"U8","shape":[4],"data_offsets":[3,7]}})",
                    7)
                .find("share bytes"),
            std::string::npos);
  EXPECT_NE(ErrorOf(R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,4]}})", 4), "");
  EXPECT_NE(
      ErrorOf(R"({"a":{"dtype":"U8","shape":[4294967296,4294967296,4],"data_offsets":[0,4]}})", 4),
      "");
  EXPECT_NE(ErrorOf(R"({"a":{"a":{"a":{}}}})", 4), "");
  EXPECT_NE(ErrorOf("{", 4), "");
}

TEST(SafetensorsTest, UnknownTypesAreListedAndRefused) {
  const auto bytes = Safetensors(R"({"a":{"dtype":"F4","shape":[8],"data_offsets":[0,4]}})", 4);
  const auto file = OpenWeightBytes(bytes, "test");
  ASSERT_TRUE(file.ok());
  EXPECT_NE((*file)->tensors()[0].refused, "");
}

std::string Npy(const std::string& descr, bool fortran, const std::string& shape,
                const std::string& data) {
  const std::string header = "{'descr': '" + descr +
                             "', 'fortran_order': " + (fortran ? "True" : "False") +
                             ", 'shape': " + shape + ", }\n";
  return std::string("\x93NUMPY\x01\0", 8) + static_cast<char>(header.size()) + '\0' + header +
         data;
}

TEST(NumpyWeightsTest, OrdersOfBytesAndAxes) {
  const std::string data("\0\1\0\2\0\3\0\4\0\5\0\6", 12);
  const auto bytes = ZipFile({{"big.npy", Npy(">i2", false, "(2, 3)", data)},
                              {"columns.npy", Npy(">i2", true, "(2, 3)", data)},
                              {"scalar.npy", Npy("<i2", false, "()", data)},
                              {"readme.txt", "x"}});
  const auto file = OpenWeightBytes(bytes, "test");
  ASSERT_TRUE(file.ok()) << file.status().message();
  ASSERT_EQ((*file)->tensors().size(), 3u);
  EXPECT_EQ(*ReadFloats(**file, 0), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(*ReadFloats(**file, 1), (std::vector<float>{1, 3, 5, 2, 4, 6}));
  EXPECT_EQ(*ReadFloats(**file, 2), (std::vector<float>{256}));
  ReadDamaged(bytes);
}

TEST(WriteWeightsTest, WrittenFilesReadTheSame) {
  const auto bytes = Safetensors(kTwo, 6);
  const auto file = OpenWeightBytes(bytes, "test");
  ASSERT_TRUE(file.ok());
  char folder[] = "/tmp/whit_weights_XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const WeightSelection selection{file->get(), {1, 0}, {"x.b", "x.a"}};
  for (const char* name : {"/o.safetensors", "/o.npz"}) {
    const std::string path = folder + std::string(name);
    const Status status = std::string(name) == "/o.npz" ? WriteNpz(selection, path)
                                                        : WriteSafetensors(selection, path);
    ASSERT_TRUE(status.ok()) << status.message();
    const auto again = OpenWeights(path);
    ASSERT_TRUE(again.ok()) << again.status().message();
    ASSERT_EQ((*again)->tensors().size(), 2u);
    EXPECT_EQ((*again)->tensors()[0].name, "x.b");
    EXPECT_EQ((*again)->tensors()[1].shape, (std::vector<int64_t>{2, 2}));
    EXPECT_EQ(*ReadFloats(**again, 1), *ReadFloats(**file, 0));
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace whit::tools
