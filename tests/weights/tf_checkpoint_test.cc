// Checkpoints of TensorFlow: what they hold, and what a hostile one cannot do.
#include <filesystem>
#include <fstream>

#include "tests/weights/damaged.h"
#include "tests/weights/sstable_file.h"
#include "tools/import/weights/crc32c.h"
#include "tools/import/weights/snappy.h"

namespace whit::tools {
namespace {

using Entries = SstableFile::Entries;

std::span<const std::byte> BytesOf(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

TEST(Crc32c, KnownAnswers) {
  EXPECT_EQ(Crc32c(BytesOf("123456789")), 0xe3069283u);
  EXPECT_EQ(Crc32c(BytesOf(std::string(32, '\0'))), 0x8a9136aau);    // RFC 3720 B.4
  EXPECT_EQ(Crc32c(BytesOf(std::string(32, '\xff'))), 0x62a8ab43u);  // the same
  EXPECT_EQ(Crc32c(BytesOf("56789"), Crc32c(BytesOf("1234"))), 0xe3069283u);
}

std::string Unsnapped(const std::string& stream, uint64_t most = 1000) {
  std::vector<std::byte> out;
  const Status status = Unsnap(BytesOf(stream), most, &out);
  if (!status.ok()) return status.message();
  return {reinterpret_cast<const char*>(out.data()), out.size()};
}

TEST(Snappy, LiteralsAndCopies) {
  const std::string abc =
      "\x08"
      "abc";  // a literal of 3
  EXPECT_EQ(Unsnapped("\x03" + abc), "abc");
  EXPECT_EQ(Unsnapped("\x0a" + abc + "\x0d\x03"), "abcabcabca");                   // 7, 3 before
  EXPECT_EQ(Unsnapped("\x05" + abc + std::string("\x06\x02\x00", 3)), "abcbc");    // 2 bytes
  EXPECT_EQ(Unsnapped("\x05" + abc + std::string("\x07\x02\0\0\0", 5)), "abcbc");  // 4 bytes
  EXPECT_EQ(Unsnapped("\x46\xf0\x45" + std::string(70, 'x')), std::string(70, 'x'));
  EXPECT_EQ(Unsnapped(std::string(1, '\0')), "");
}

TEST(Snappy, DamageIsNamed) {
  const std::string abc =
      "\x08"
      "abc";
  const auto says = [](const std::string& stream, const char* what, uint64_t most = 1000) {
    EXPECT_NE(Unsnapped(stream, most).find(what), std::string::npos) << Unsnapped(stream, most);
  };
  says("", "states no size");
  says("\x04" + abc, "has 3 of the 4 bytes");
  says("\x02" + abc, "more than the 2 bytes");
  says("\x0a" + abc + "\x0d\x04", "copies from 4 bytes before byte 3");
  says("\x0a" + abc + std::string("\x0d\0", 2), "copies from 0 bytes");
  says("\x0a" + abc + "\x0d", "is cut");
  says(
      "\x0a\x0c"
      "abc",
      "is cut");
  says("\xff\xff\xff\x7f" + abc, "states 268435455 bytes", uint64_t{1} << 40);
  says("\x03" + abc, "at most 2 are taken", 2);
}

std::string Header(uint64_t shards, uint64_t endianness = 0) {
  return NumberField(1, shards) + NumberField(2, endianness);
}

struct StoredTensor {
  uint64_t type = 1;
  std::vector<uint64_t> shape;
  uint64_t shard = 0, offset = 0, size = 0;
  std::string bytes;  // that the checksum is of
  std::string more;   // fields behind

  std::string Entry() const {
    std::string dims;
    for (uint64_t d : shape) dims += BytesField(2, NumberField(1, d));
    return NumberField(1, type) + BytesField(2, dims) + NumberField(3, shard) +
           NumberField(4, offset) + NumberField(5, size) + Varint(6 << 3 | 5) +
           Fixed32(SlowChecksum(bytes)) + more;
  }
};

// A folder with the shards of "m".
class TfCheckpoint : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::path(testing::TempDir()) / ("whit_checkpoint_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    Write("m.data-00000-of-00002", "0123456789abcdef");
    Write("m.data-00001-of-00002", "ghijklmn");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void Write(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }
  std::string Index() const { return (folder_ / "m.index").string(); }
  Result<std::unique_ptr<WeightFile>> Open(const std::vector<std::byte>& bytes) {
    bytes_ = bytes;
    return OpenWeightBytes(bytes_, Index(), SmallLimits());
  }
  std::string Error(const std::vector<std::byte>& bytes) {
    const auto file = Open(bytes);
    return file.ok() ? "" : file.status().message();
  }
  // Why the only tensor of a checkpoint of two shards cannot be had.
  std::string Refusal(const StoredTensor& tensor) {
    const auto file =
        Open(SstableFile::Of(SstableFile::Plain({{"", Header(2)}, {"t", tensor.Entry()}})));
    if (!file.ok()) return file.status().message();
    std::vector<std::byte> scratch;
    const auto read = (*file)->Read(0, &scratch);
    return read.ok() ? "" : read.status().message();
  }

  std::filesystem::path folder_;
  std::vector<std::byte> bytes_;
};

#define EXPECT_SAYS(text, what)                                    \
  do {                                                             \
    const std::string said = (text);                               \
    EXPECT_NE(said.find(what), std::string::npos) << said << "\n"; \
  } while (false)

TEST_F(TfCheckpoint, TensorsOfTwoShards) {
  const StoredTensor a{1, {2, 1}, 0, 4, 8, "456789ab", ""};
  const StoredTensor b{4, {3}, 1, 5, 3, "lmn", ""};
  const StoredTensor text{7, {1}, 0, 0, 2, "01", ""};
  const std::string name = "net/kernel/.ATTRIBUTES/VARIABLE_VALUE";
  const auto file = Open(SstableFile::Of(SstableFile::Plain({{"", Header(2)},
                                                             {"_CHECKPOINTABLE_OBJECT_GRAPH", ""},
                                                             {"b", b.Entry()},
                                                             {name, a.Entry()},
                                                             {"text", text.Entry()}})));
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ((*file)->format(), "TensorFlow checkpoint");
  ASSERT_EQ((*file)->tensors().size(), size_t{3});
  std::vector<std::byte> scratch;
  auto read = (*file)->Read(0, &scratch);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(std::memcmp(read->data(), "lmn", 3), 0);
  EXPECT_EQ((*file)->tensors()[1].name, name);
  EXPECT_EQ((*file)->tensors()[1].shape, (std::vector<int64_t>{2, 1}));
  read = (*file)->Read(1, &scratch);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(std::memcmp(read->data(), "456789ab", 8), 0);
  EXPECT_EQ((*file)->tensors()[2].refused, "texts");
}

TEST_F(TfCheckpoint, BigEndianElementsAreTurned) {
  const StoredTensor a{1, {}, 0, 0, 4, "0123", ""};
  const auto file =
      Open(SstableFile::Of(SstableFile::Plain({{"", Header(2, 1)}, {"a", a.Entry()}})));
  ASSERT_TRUE(file.ok()) << file.status().message();
  std::vector<std::byte> scratch;
  const auto read = (*file)->Read(0, &scratch);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(std::memcmp(read->data(), "3210", 4), 0);
}

TEST_F(TfCheckpoint, ATensorThatCannotBeIsRefusedWithTheReason) {
  const StoredTensor good{1, {2}, 0, 0, 8, "01234567", ""};
  EXPECT_EQ(Refusal(good), "");
  StoredTensor t = good;
  t.shape = {3};
  EXPECT_SAYS(Refusal(t), "states 8 bytes, 3 needs 12");
  t = good, t.shard = 2;
  EXPECT_SAYS(Refusal(t), "lies in shard 2 of 2");
  t = good, t.offset = 9;
  EXPECT_SAYS(Refusal(t), "8 bytes at 9 reach behind its shard of 16");
  t = good, t.offset = uint64_t{1} << 63;
  EXPECT_SAYS(Refusal(t), "reach behind its shard");
  t = good, t.size = ~uint64_t{0};
  EXPECT_SAYS(Refusal(t), "states -1 bytes");
  t = good, t.more = BytesField(7, "");
  EXPECT_SAYS(Refusal(t), "a variable in 1 partitions");
  t = good, t.bytes = "x";
  EXPECT_SAYS(Refusal(t), "its shard is damaged");
  t = good, t.type = 20;
  EXPECT_SAYS(Refusal(t), "a handle of a resource");
  t = good, t.shape = {uint64_t{1} << 40, uint64_t{1} << 40};
  EXPECT_SAYS(Refusal(t), "has 2^62 bytes or more");
  t = good, t.shape = {~uint64_t{0}};
  EXPECT_SAYS(Refusal(t), "a dimension of -1");
  std::filesystem::remove(folder_ / "m.data-00000-of-00002");
  EXPECT_SAYS(Refusal(good), "its shard cannot be opened");
}

TEST_F(TfCheckpoint, PartsOfPartitionedVariablesAreNotListed) {
  const auto file = Open(SstableFile::Of(
      SstableFile::Plain({{"", Header(2)}, {std::string("\0part", 5), StoredTensor().Entry()}})));
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_TRUE((*file)->tensors().empty());
}

TEST_F(TfCheckpoint, HeadersThatCannotBe) {
  const auto with = [](const std::string& header) {
    return SstableFile::Of(SstableFile::Plain({{"", header}}));
  };
  EXPECT_SAYS(Error(with(Header(0))), "states 0 shards");
  EXPECT_SAYS(Error(with(Header(100'000))), "states 100000 shards");
  EXPECT_SAYS(Error(with(BytesField(1, "x"))), "checkpoints of version 1 are not read");
  EXPECT_SAYS(Error(SstableFile::Of(SstableFile::Plain({{"a", ""}}))), "not the header");
  EXPECT_SAYS(Error(SstableFile::Of(SstableFile::Plain({}))), "has no header");
}

TEST_F(TfCheckpoint, TablesThatCannotBe) {
  const std::string honest = SstableFile::Plain({{"", Header(2)}, {"a", StoredTensor().Entry()}});
  EXPECT_EQ(Error(SstableFile::Of(honest)), "");
  auto bytes = SstableFile::Of(honest);
  bytes[3] ^= std::byte{1};
  EXPECT_SAYS(Error(bytes), "block at 0 has the checksum");
  EXPECT_SAYS(Error(SstableFile::Of(honest, 2)), "compressed by method 2");
  EXPECT_SAYS(Error(SstableFile::Of(honest, 1)), "compressed by Snappy");
  EXPECT_SAYS(Error(SstableFile::Of("abc")), "a block of 3 bytes");
  EXPECT_SAYS(Error(SstableFile::Of(Fixed32(1))), "no room for its restarts");
  EXPECT_SAYS(Error(SstableFile::Of(SstableFile::Plain({{"", Header(2)}, {"b", ""}, {"a", ""}}))),
              "the key 'a' stands behind 'b'");
  const std::string tail = Fixed32(0) + Fixed32(1);
  EXPECT_SAYS(Error(SstableFile::Of(Varint(1) + Varint(0) + Varint(0) + tail)), "is damaged");
  EXPECT_SAYS(Error(SstableFile::Of(Varint(0) + Varint(~uint64_t{0}) + Varint(1) + tail)),
              "is damaged");
  EXPECT_SAYS(Error(SstableFile::Of(Varint(0) + Varint(0) + Varint(~uint64_t{0}) + tail)),
              "is damaged");
  EXPECT_SAYS(
      Error(SstableFile::Of(SstableFile::Plain({{"", Header(2)}, {std::string(5000, 'k'), ""}}))),
      "a key of 5000 bytes, at most 4096");
  EXPECT_SAYS(Error(SstableFile().Ending("")), "behind the 0 bytes of blocks");
  EXPECT_SAYS(Error(SstableFile().Ending(std::string(40, '\xff'))), "names no index");
}

// A block that many index entries name would cost what each of them costs.
TEST_F(TfCheckpoint, BlocksAreReadOnce) {
  SstableFile file;
  const std::string handle =
      file.Add(SstableFile::Plain({{"", Header(2)}, {"a", StoredTensor().Entry()}}));
  EXPECT_SAYS(Error(file.With(SstableFile::Plain({{"a", handle}, {"b", handle}}))),
              "begins before the end of the one before it");
  SstableFile itself;
  itself.Add(SstableFile::Plain({}));
  const auto bytes = itself.With(SstableFile::Plain({{"a", Varint(13) + Varint(1000)}}));
  EXPECT_SAYS(Error(bytes), "reaches behind");
}

TEST_F(TfCheckpoint, ShardsAreFoundBesideAnIndexAlone) {
  const auto bytes = SstableFile::Of(SstableFile::Plain(
      {{"", Header(2)}, {"a", StoredTensor{4, {2}, 0, 0, 2, "01", ""}.Entry()}}));
  const auto file = OpenWeightBytes(bytes, (folder_ / "m").string(), SmallLimits());
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_SAYS((*file)->tensors()[0].refused, "called PREFIX.index");
}

TEST_F(TfCheckpoint, AnyBytes) {
  const std::string block =
      SstableFile::Plain({{"", Header(2)},
                          {"a", StoredTensor{4, {2}, 0, 0, 2, "01", ""}.Entry()},
                          {"b", StoredTensor().Entry()}});
  ReadDamaged(SstableFile::Of(block));
  // Behind an honest checksum.
  std::mt19937 random(7);
  for (size_t i = 0; i < block.size(); ++i) {
    for (const int value : {0, 1, 127, 255, static_cast<int>(random() % 256)}) {
      std::string changed = block;
      changed[i] = static_cast<char>(value);
      ReadEverything(SstableFile::Of(changed), Index());
      SstableFile file;
      const std::string handle = file.Add(block);
      std::string index = SstableFile::Plain({{"~", handle}});
      index[i % index.size()] = static_cast<char>(value);
      ReadEverything(file.With(index), Index());
    }
  }
}

TEST(Snappy, AnyBytes) {
  std::mt19937 random(3);
  for (int round = 0; round < 20'000; ++round) {
    std::string stream(random() % 24, '\0');
    for (char& c : stream) c = static_cast<char>(random() % (round % 2 == 0 ? 256 : 16));
    EXPECT_LE(Unsnapped(stream).size(), size_t{1000});
  }
}

}  // namespace
}  // namespace whit::tools
