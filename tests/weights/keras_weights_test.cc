// .keras: HDF5 inside of a zip, as it lies and deflated, and archives that are not what they say.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/weights/damaged.h"
#include "tests/weights/hdf5_file.h"
#include "tests/weights/zip_file.h"

namespace whit::tools {
namespace {

std::string TextOf(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// layers/dense/vars/0 with {1, -2} and 1 with {3}.
std::string Weights() {
  Hdf5File f(0);
  const uint64_t data = f.Raw(ByteWriter().U32(0x0000803f).U32(0x000000c0));
  const uint64_t kernel = f.OldHeader({Space({2, 1}), Float32Type(true), Contiguous(data, 8)});
  const uint64_t bias =
      f.OldHeader({Space({1}), Int16Type(), Compact(ByteWriter().Values<int16_t>({3}))});
  uint64_t group = f.OldHeader({f.OldLinks({{"0", kernel}, {"1", bias}})});
  for (const char* name : {"vars", "dense", "layers"}) {
    const Message links = f.OldLinks({{name, group}});
    group = f.OldHeader({links});
  }
  f.SetRoot(group);
  return TextOf(f.bytes());
}

std::vector<std::byte> Archive(bool deflated, const std::string& weights = Weights()) {
  return ZipFile({{"metadata.json", R"({"keras_version":"3.5.0"})"},
                  {"config.json", R"({"class_name":"Sequential"})"},
                  {"model.weights.h5", weights},
                  {"assets/words.npy", "no array"}},
                 deflated);
}

std::string ErrorOf(const std::vector<std::byte>& bytes, const WeightLimits& limits = {}) {
  const auto file = OpenWeightBytes(bytes, "test.keras", limits);
  return file.ok() ? "" : file.status().message();
}

void ExpectContains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST(KerasWeightsTest, ReadsStoredAndDeflated) {
  for (const bool deflated : {false, true}) {
    const auto bytes = Archive(deflated);
    const auto file = OpenWeightBytes(bytes, "test.keras");
    ASSERT_TRUE(file.ok()) << file.status().message();
    EXPECT_EQ((*file)->format(), "Keras zip");
    ASSERT_EQ((*file)->tensors().size(), 2u);
    EXPECT_EQ((*file)->tensors()[0].name, "layers/dense/vars/0");
    EXPECT_EQ(*ReadFloats(**file, 0), (std::vector<float>{1, -2}));
    EXPECT_EQ(*ReadFloats(**file, 1), std::vector<float>{3});
    ASSERT_EQ((*file)->metadata().size(), 2u);
    EXPECT_EQ((*file)->metadata()[0].second, R"({"keras_version":"3.5.0"})");
    EXPECT_EQ((*file)->metadata()[1].first, "model_config");
  }
}

TEST(KerasWeightsTest, DamagedStored) { ReadDamaged(Archive(false)); }
TEST(KerasWeightsTest, DamagedDeflated) { ReadDamaged(Archive(true)); }

TEST(KerasWeightsTest, WhatIsUnpackedIsBounded) {
  WeightLimits limits;
  limits.unpacked_bytes = 100;
  ExpectContains(ErrorOf(Archive(true), limits), "at most 100 are unpacked; store it");
  EXPECT_EQ(ErrorOf(Archive(false), limits), "");
  const std::string large(17 << 20, ' ');
  ExpectContains(ErrorOf(ZipFile({{"config.json", large}, {"model.weights.h5", Weights()}})),
                 "config.json has 17825792 bytes, at most 16777216 are read");
}

TEST(KerasWeightsTest, OtherContentsAreNamed) {
  ExpectContains(ErrorOf(Archive(false, "PK")), "model.weights.h5 is no HDF5 file");
  ExpectContains(ErrorOf(ZipFile({{"m/model.weights.h5", Weights()}})), "outside of any");
  ExpectContains(ErrorOf(ZipFile({{"config.json", "{}"}})),
                 "a zip archive of 1 files, none of them with weights");
  // Fewer and more bytes than are stated.
  for (const uint64_t stated : {Weights().size() + 1, Weights().size() - 1}) {
    const auto bytes = ZipFile({{"model.weights.h5", Weights()}}, true, stated);
    ExpectContains(ErrorOf(bytes), "model.weights.h5");
  }
}

// ---- .npz ----

std::string Npy(size_t elements, size_t header) {
  std::string text =
      "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(elements) + ",), }";
  text.resize(header - 10, ' ');
  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(text.size() & 255);
  out += static_cast<char>(text.size() >> 8);
  out += text;
  for (size_t i = 0; i < elements; ++i) {
    const auto value = static_cast<float>(i);
    out.append(reinterpret_cast<const char*>(&value), 4);
  }
  return out;
}

TEST(NumpyZipTest, HeadersOfEverySize) {
  for (const size_t header : {128, 255, 256, 257, 4096, 60000}) {
    for (const bool deflated : {false, true}) {
      const auto bytes = ZipFile({{"a.npy", Npy(3, header)}, {"b.npy", Npy(1, 128)}}, deflated);
      const auto file = OpenWeightBytes(bytes, "test.npz");
      ASSERT_TRUE(file.ok()) << file.status().message();
      EXPECT_EQ(*ReadFloats(**file, 0), (std::vector<float>{0, 1, 2})) << header;
      EXPECT_EQ(*ReadFloats(**file, 1), std::vector<float>{0});
    }
  }
  ReadDamaged(ZipFile({{"a.npy", Npy(3, 300)}}, true));
}

// Only the headers are unpacked to list: what is damaged behind them is found when it is read.
TEST(NumpyZipTest, ListingDoesNotUnpack) {
  auto bytes = ZipFile({{"a.npy", Npy(10000, 128)}}, true);
  std::fill(bytes.begin() + 2000, bytes.begin() + 2100, std::byte{0xff});
  const auto file = OpenWeightBytes(bytes, "test.npz");
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ((*file)->tensors()[0].ShapeText(), "10000");
  std::vector<std::byte> scratch;
  EXPECT_FALSE((*file)->Read(0, &scratch).ok());
}

TEST(NumpyZipTest, SizesAreHeldAgainstWhatIsStated) {
  const std::string npy = Npy(3, 128);
  for (const bool deflated : {false, true}) {
    const auto cut = ZipFile({{"a.npy", npy.substr(0, npy.size() - 1)}}, deflated);
    ExpectContains(ErrorOf(cut), "3 needs 12 bytes, the file has 11: it is cut");
  }
  // Stated, but not packed: found out when it is read.
  const std::string longer = Npy(100, 128);
  const auto fewer = ZipFile({{"a.npy", longer.substr(0, longer.size() - 1)}}, true, longer.size());
  EXPECT_EQ(ErrorOf(fewer), "");
  EXPECT_EQ(ReadEverything(fewer), 0u);
}

}  // namespace
}  // namespace whit::tools
