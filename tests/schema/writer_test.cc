#include "schema/writer.h"

#include <gtest/gtest.h>

#include "platform/mapping.h"
#include "tests/platform/temp_folder.h"
#include "tests/schema/tiny_model.h"

namespace whit {
namespace {

TEST(WriterTest, SameCallsSameBytes) {
  EXPECT_EQ(TinyFile(), TinyFile());
  FileWriter writer = TinyModel();
  const auto first = writer.Serialize();
  EXPECT_EQ(*first, *writer.Serialize());  // and no state is left behind
}

TEST(WriterTest, WritesWhatItSerializes) {
  TempFolder folder;
  FileWriter writer = TinyModel();
  ASSERT_TRUE(writer.Write(folder / "a.whit").ok());
  EXPECT_EQ(*ReadWholeFile(folder / "a.whit", 1 << 20), *writer.Serialize());
  EXPECT_EQ(folder.Files(), std::vector<std::string>{"a.whit"});
}

TEST(WriterTest, FailureLeavesNothing) {
  TempFolder folder;
  const Status written = TinyModel().Write(folder / "no/such/folder/a.whit");
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.code(), StatusCode::kIo);
  EXPECT_TRUE(folder.Files().empty());
}

TEST(WriterTest, EqualBlobsAreShared) {
  FileWriter writer;
  const auto a = Filled(100, 1), b = Filled(100, 2);
  EXPECT_EQ(writer.AddBlob(a), 0);
  EXPECT_EQ(writer.AddBlob(b), 1);
  EXPECT_EQ(writer.AddBlob(a), 0);
  EXPECT_EQ(writer.AddBlob({}), 2);
  const float numbers[] = {1.0f, 2.0f};
  EXPECT_EQ(writer.AddBlobOf(std::span<const float>(numbers)), 3);
  EXPECT_EQ(writer.blob(3).size(), 8u);
}

TEST(WriterTest, PaddingIsZeroAndBlobsAreAligned) {
  FileWriter writer = TinyModel();
  const auto bytes = *writer.Serialize();
  auto file = OpenBytes(bytes);
  ASSERT_TRUE(file.ok()) << file.status().message();
  std::vector<bool> used(bytes.size(), false);
  const auto mark = [&](std::span<const std::byte> part) {
    for (const std::byte& b : part) used[static_cast<size_t>(&b - bytes.data())] = true;
  };
  mark(std::span(bytes).first(sizeof(format::Header)));
  mark((*file)->graph_section());
  for (size_t i = 0; i < (*file)->blob_count(); ++i) {
    EXPECT_EQ(((*file)->blob(i).data() - bytes.data()) % 64, 0);
    mark((*file)->blob(i));
  }
  for (size_t i = 0; i < bytes.size(); ++i) ASSERT_TRUE(used[i] || bytes[i] == std::byte{0}) << i;
  EXPECT_EQ((*file)->weights_section().size() % 64, 0u);
}

TEST(WriterTest, ModelWithoutBlobs) {
  FileWriter writer;
  auto s = std::make_unique<fbs::SubgraphT>();
  s->tensors.push_back(MakeTensor("x", fbs::DType::float32, {4}));
  s->tensors.push_back(MakeTensor("y", fbs::DType::float32, {4}));
  s->operators.push_back(MakeOp("neg", fbs::Options::Neg, fbs::UnaryOptionsT(), {0}, {1}));
  writer.graph.subgraphs.push_back(std::move(s));
  auto signature = std::make_unique<fbs::SignatureT>();
  signature->inputs.push_back(MakeIo("x", 0, fbs::DType::float32));
  signature->outputs.push_back(MakeIo("y", 1, fbs::DType::float32));
  writer.graph.signatures.push_back(std::move(signature));
  const auto bytes = *writer.Serialize();
  auto file = OpenBytes(bytes);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_TRUE((*file)->weights_section().empty());
  EXPECT_LT(bytes.size(), 2000u);
}

}  // namespace
}  // namespace whit
