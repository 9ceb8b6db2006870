// HDF5: both generations of the format, and files that lead in circles or promise too much. Files
// written by h5py with all its options were compared with it, tensor by tensor; those here are
// small enough to be cut and changed at every byte.
#include <gtest/gtest.h>

#include <zlib.h>

#include <cstdlib>
#include <filesystem>

#include "tests/weights/damaged.h"
#include "tests/weights/hdf5_file.h"

namespace whit::tools {
namespace {

using FileBytes = std::vector<std::byte>;

ByteWriter Deflated(const ByteWriter& data) {
  uLongf size = compressBound(data.size());
  std::vector<uint8_t> out(size);
  compress(out.data(), &size, reinterpret_cast<const Bytef*>(data.bytes().data()), data.size());
  out.resize(size);
  ByteWriter w;
  return w.Values(out);
}

template <typename T>
ByteWriter Numbers(const std::vector<T>& values) {
  ByteWriter w;
  return w.Values(values);
}

/// int16 with all low bytes before all high ones.
ByteWriter Shuffled(const std::vector<int16_t>& values) {
  ByteWriter w;
  for (int16_t v : values) w.U8(static_cast<uint16_t>(v) & 255u);
  for (int16_t v : values) w.U8(static_cast<uint16_t>(v) >> 8u);
  return w;
}

/// layer/b, layer/a (the order that the layer states) and z, in an old file.
FileBytes OldFile() {
  Hdf5File f(0);
  const uint64_t data = f.Raw(ByteWriter().U32(0x0000803f).U32(0x000000c0));  // 1, -2 big-endian
  const uint64_t a = f.OldHeader({Space({2}), Float32Type(true), Contiguous(data, 8)});
  const uint64_t b = f.OldHeader({Space({}), Int16Type(), Compact(Numbers<int16_t>({-7}))});
  // 3 x 5 in chunks of 2 x 4; one chunk was never written.
  const uint64_t tree = f.ChunkTree({
      {{0, 0, 0}, Deflated(Shuffled({1, 2, 3, 4, 6, 7, 8, 9}))},
      {{0, 4, 0}, Deflated(Shuffled({5, 0, 0, 0, 10, 0, 0, 0}))},
      {{2, 0, 0}, Deflated(Shuffled({-1, -300, 300, 4, 0, 0, 0, 0}))},
  });
  const Message filters = Filters(2), fill = Fill(Numbers<int16_t>({77}));
  // The last messages lie elsewhere.
  const ByteWriter more = Hdf5File::OldMessages({filters, fill});
  const uint64_t more_at = f.Raw(more);
  const uint64_t z = f.OldHeader({Space({3, 5}), Int16Type(), ChunkedByTree(tree, {2, 4, 2}),
                                  Continuation(more_at, more.size())});
  const Message names = Attribute("weight_names", TextType(2), Space({2}),
                                  ByteWriter().Text("b").U8(0).Text("a").U8(0));
  const Message layer_links = f.OldLinks({{"a", a}, {"b", b}});
  const uint64_t layer = f.OldHeader({layer_links, names});
  const Message root_links = f.OldLinks({{"layer", layer}, {"z", z}});
  f.SetRoot(f.OldHeader({root_links, Attribute("backend", TextType(8), Space({}),
                                               ByteWriter().Text("ours").Zeros(4))}));
  return f.bytes();
}

/// x in the root, d1 and d2 under dense links, in a new file.
FileBytes NewFile() {
  Hdf5File f(2);
  const uint64_t c0 = f.Raw(Numbers<float>({1, 2})), c2 = f.Raw(Numbers<float>({5, 0}));
  const uint64_t array = f.ChunkArray({c0, ~0ull, c2});
  const uint64_t x = f.NewHeader({Space({5}), Float32Type(false), ChunkedByArray(array, {2, 4})});
  const uint64_t d = f.NewHeader({Space({1}), Int16Type(), Compact(Numbers<int16_t>({3}))});
  const uint64_t d2 = f.NewHeader({Space({1}), Int16Type(), Compact(Numbers<int16_t>({4}))});
  const Message dense = f.DenseLinks({{"d1", d}, {"d2", d2}});
  const uint64_t group = f.NewHeader({dense});
  const uint64_t heap = f.GlobalHeap("2.4.0");
  const Message version = Attribute("keras_version", VariableTextType(), Space({}),
                                    ByteWriter().U32(5).U64(heap).U32(1));
  f.SetRoot(f.NewHeader({Link("x", x), Link("g", group), version}));
  return f.bytes();
}

std::unique_ptr<WeightFile> Open(const FileBytes& bytes) {
  auto file = OpenWeightBytes(bytes, "test.h5", SmallLimits());
  EXPECT_TRUE(file.ok()) << file.status().message();
  return file.ok() ? std::move(file).value() : nullptr;
}

Status Refusal(const FileBytes& bytes) {
  auto file = OpenWeightBytes(bytes, "test.h5", SmallLimits());
  if (!file.ok()) return file.status();
  std::vector<std::byte> scratch;
  for (size_t i = 0; i < (*file)->tensors().size(); ++i) {
    auto data = (*file)->Read(i, &scratch);
    if (!data.ok()) return data.status();
  }
  ADD_FAILURE() << "everything could be read";
  return OkStatus();
}

void ExpectMessage(const Status& status, const std::string& part) {
  EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
}

TEST(Hdf5Test, ReadsOldFiles) {
  const FileBytes bytes = OldFile();
  const auto file = Open(bytes);
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(file->format(), "HDF5");
  ASSERT_EQ(file->tensors().size(), 3u);
  EXPECT_EQ(file->tensors()[0].name, "layer/b");
  EXPECT_EQ(*ReadFloats(*file, 0), std::vector<float>{-7});
  EXPECT_EQ(file->tensors()[1].name, "layer/a");
  EXPECT_EQ(*ReadFloats(*file, 1), (std::vector<float>{1, -2}));
  EXPECT_EQ(file->tensors()[2].name, "z");
  EXPECT_EQ(file->tensors()[2].ShapeText(), "3x5");
  EXPECT_EQ(*ReadFloats(*file, 2),
            (std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, -1, -300, 300, 4, 77}));
  ASSERT_EQ(file->metadata().size(), 1u);
  EXPECT_EQ(file->metadata()[0], (std::pair<std::string, std::string>("backend", "ours")));
}

TEST(Hdf5Test, ReadsNewFiles) {
  const FileBytes bytes = NewFile();
  const auto file = Open(bytes);
  ASSERT_NE(file, nullptr);
  ASSERT_EQ(file->tensors().size(), 3u);
  EXPECT_EQ(file->tensors()[0].name, "x");
  EXPECT_EQ(*ReadFloats(*file, 0), (std::vector<float>{1, 2, 0, 0, 5}));
  EXPECT_EQ(file->tensors()[1].name, "g/d1");
  EXPECT_EQ(*ReadFloats(*file, 2), std::vector<float>{4});
  ASSERT_EQ(file->metadata().size(), 1u);
  EXPECT_EQ(file->metadata()[0], (std::pair<std::string, std::string>("keras_version", "2.4.0")));
}

TEST(Hdf5Test, DamagedOldFiles) { ReadDamaged(OldFile()); }
TEST(Hdf5Test, DamagedNewFiles) { ReadDamaged(NewFile()); }

TEST(Hdf5Test, GroupsThatHoldThemselvesAreListedOnce) {
  Hdf5File f(2);
  const uint64_t d = f.NewHeader({Space({1}), Int16Type(), Compact(Numbers<int16_t>({3}))});
  const uint64_t root = f.NewHeader({Link("self", 0x1122334455667788), Link("d", d)});
  f.SetRoot(root);
  // The one place where that number stands.
  for (size_t i = 0; i + 8 <= f.bytes().size(); ++i) {
    uint64_t value;
    std::memcpy(&value, f.bytes().data() + i, 8);
    if (value == 0x1122334455667788) f.file().Patch(i, root);
  }
  const auto file = Open(f.bytes());
  ASSERT_NE(file, nullptr);
  ASSERT_EQ(file->tensors().size(), 1u);
  EXPECT_EQ(file->tensors()[0].name, "d");
}

TEST(Hdf5Test, TreesThatLeadBackEnd) {
  // A node of level 1 whose children are itself, and one whose children share a node of level 0.
  for (const bool itself : {true, false}) {
    Hdf5File f(0);
    const uint64_t names = f.Raw(ByteWriter().Zeros(16));
    const uint64_t heap = f.Raw(ByteWriter().Text("HEAP").Zeros(4).U64(16).U64(~0ull).U64(names));
    ByteWriter leaf;
    leaf.Text("TREE").U8(0).U8(0).U16(0).U64(~0ull).U64(~0ull);
    const uint64_t leaf_at = f.Raw(leaf);
    uint64_t below = leaf_at;
    for (int level = 1; level < 9; ++level) {  // 1000 ^ 8 paths
      ByteWriter node;
      node.Text("TREE").U8(0).U8(static_cast<uint64_t>(level)).U16(1000).U64(~0ull).U64(~0ull);
      const uint64_t at = f.file().PadTo(8).size();
      for (int i = 0; i < 1000; ++i) node.U64(0).U64(itself ? at : below);
      below = f.Raw(node.U64(0));
    }
    f.SetRoot(f.OldHeader({SymbolTable(below, heap)}));
    const auto file = OpenWeightBytes(f.bytes(), "test.h5");
    ASSERT_FALSE(file.ok());
    ExpectMessage(file.status(), itself ? "level 8 below 8" : "more structure than a file of");
  }
}

TEST(Hdf5Test, HeadersThatContinueInThemselvesEnd) {
  Hdf5File f(0);
  const uint64_t at = f.file().PadTo(8).size();
  f.SetRoot(f.OldHeader({Continuation(at + 16, 24), Continuation(at + 16, 24)}));
  const auto file = OpenWeightBytes(f.bytes(), "test.h5");
  ASSERT_FALSE(file.ok());
}

FileBytes OneDataset(const std::vector<Message>& messages) {
  Hdf5File f(0);
  const uint64_t d = f.OldHeader(messages);
  const Message links = f.OldLinks({{"d", d}});
  f.SetRoot(f.OldHeader({links}));
  return f.bytes();
}

TEST(Hdf5Test, SizesThatTheFileCannotHold) {
  // Never written: 2^40 zeros out of nothing; and a size that overflows.
  ExpectMessage(Refusal(OneDataset({Space({1 << 20, 1 << 20}), Int16Type(), Contiguous(~0ull, 0)})),
                "more than a file of");
  ExpectMessage(
      Refusal(OneDataset({Space({1ull << 40, 1ull << 40}), Int16Type(), Contiguous(~0ull, 0)})),
      "2^62");
  ExpectMessage(Refusal(OneDataset({Space({100}), Int16Type(), Contiguous(8, 100)})),
                "200 bytes needed, 100 are stored");
  ExpectMessage(Refusal(OneDataset({Space({100}), Int16Type(), Contiguous(1 << 20, 200)})),
                "lies behind the file's end");
  ExpectMessage(Refusal(OneDataset({Space({5}), Int16Type(), Compact(Numbers<int16_t>({1, 2}))})),
                "10 bytes needed, 4 lie in the header");
}

TEST(Hdf5Test, ChunksThatInflateWithoutEnd) {
  Hdf5File f(0);
  const ByteWriter small = Deflated(Shuffled({1, 2, 3, 4}));
  // Chunks of 4 GiB.
  const uint64_t tree = f.ChunkTree({{{0, 0}, small}});
  const uint64_t d =
      f.OldHeader({Space({4}), Int16Type(), ChunkedByTree(tree, {0x7fffffff, 2}), Filters(2)});
  const Message links = f.OldLinks({{"d", d}});
  f.SetRoot(f.OldHeader({links}));
  ExpectMessage(Refusal(f.bytes()), "cannot come from");
}

TEST(Hdf5Test, ChunksThatAreNamedAgainAndAgain) {
  Hdf5File f(0);
  ByteWriter tree;
  const uint64_t data = f.Raw(Numbers(std::vector<int16_t>(4096, 1)));
  tree.Text("TREE").U8(1).U8(0).U16(2000).U64(~0ull).U64(~0ull);
  for (uint64_t i = 0; i < 2000; ++i) tree.U32(8192).U32(0).U64(0).U64(0).U64(data);
  const uint64_t tree_at = f.Raw(tree.Zeros(24));
  const uint64_t d = f.OldHeader({Space({4096}), Int16Type(), ChunkedByTree(tree_at, {4096, 2})});
  const Message links = f.OldLinks({{"d", d}});
  f.SetRoot(f.OldHeader({links}));
  ExpectMessage(Refusal(f.bytes()), "more bytes than the file has");
}

TEST(Hdf5Test, NamesTheFilterThatIsMissing) {
  ByteWriter lzf;
  lzf.U8(2).U8(1).U16(32000).U16(3).U16(0).U16(0).Text("lzf");
  ExpectMessage(Refusal(OneDataset({Space({4}), Int16Type(), ChunkedByTree(8, {4, 2}), {11, lzf}})),
                "compressed with lzf");
}

TEST(Hdf5Test, ReadsWhatKerasWrote) {
  const char* env = std::getenv("WHIT_SHARED");
  const std::filesystem::path path = std::filesystem::path(env != nullptr ? env : WHIT_SHARED_DIR) /
                                     "data/weights/pretrainedResnet.h5";
  if (!std::filesystem::exists(path)) {
    GTEST_SKIP() << "SKIPPED: no file " << path << "; set WHIT_SHARED";
  }
  const auto file = OpenWeights(path.string());
  ASSERT_TRUE(file.ok()) << file.status().message();
  ASSERT_EQ((*file)->tensors().size(), 117u);
  EXPECT_EQ((*file)->tensors()[0].name, "model_weights/conv2d/conv2d/kernel:0");
  EXPECT_EQ((*file)->tensors()[0].ShapeText(), "3x3x3x16");
  EXPECT_EQ((*file)->tensors()[1].name, "model_weights/conv2d/conv2d/bias:0");
  std::vector<std::byte> scratch;
  for (size_t i = 0; i < 117; ++i) EXPECT_TRUE((*file)->Read(i, &scratch).ok()) << i;
}

}  // namespace
}  // namespace whit::tools
