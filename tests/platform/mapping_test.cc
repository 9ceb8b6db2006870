// Before any header: 32-bit systems else cannot make files of 4 GiB.
#define _FILE_OFFSET_BITS 64
#include "platform/mapping.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "tests/platform/temp_folder.h"

namespace whit {
namespace {

std::vector<std::byte> Pattern(size_t size) {
  std::vector<std::byte> bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + i / 251);
  return bytes;
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

constexpr MapMode kModes[] = {MapMode::kMap, MapMode::kRead, MapMode::kLock};

TEST(MappingTest, EveryModeGivesTheBytesOfAnyRange) {
  TempFolder folder;
  const auto bytes = Pattern(3 * 4096 + 17);
  const std::string path = folder.Add("a", bytes);
  for (MapMode mode : kModes) {
    for (uint64_t offset : {0, 1, 4, 4095, 4096, 4100, 12304}) {
      for (uint64_t size :
           {uint64_t{0}, uint64_t{1}, std::min<uint64_t>(4097, bytes.size() - offset)}) {
        auto mapping = Mapping::MapFile(path, mode, offset, size);
        ASSERT_TRUE(mapping.ok()) << mapping.status().message();
        const size_t want = size == 0 ? bytes.size() - offset : size;
        ASSERT_EQ(mapping->size(), want);
        EXPECT_TRUE(std::equal(mapping->bytes().begin(), mapping->bytes().end(),
                               bytes.begin() + static_cast<long>(offset)));
        EXPECT_EQ(mapping->mapped(), mode != MapMode::kRead);
      }
    }
  }
}

TEST(MappingTest, ReadBytesAreAligned) {
  TempFolder folder;
  auto mapping = Mapping::MapFile(folder.Add("a", Pattern(1000)), MapMode::kRead, 5);
  ASSERT_TRUE(mapping.ok());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(mapping->data()) % kBufferAlignment, 0u);
}

TEST(MappingTest, DescriptorMayBeClosed) {
  TempFolder folder;
  const auto bytes = Pattern(5000);
  const int fd = open(folder.Add("a", bytes).c_str(), O_RDONLY);
  auto mapping = Mapping::MapFd(fd, MapMode::kMap, 100, 200);
  close(fd);
  ASSERT_TRUE(mapping.ok());
  EXPECT_TRUE(std::equal(mapping->bytes().begin(), mapping->bytes().end(), bytes.begin() + 100));
}

TEST(MappingTest, MovesAndBorrows) {
  TempFolder folder;
  const auto bytes = Pattern(5000);
  auto mapping = Mapping::MapFile(folder.Add("a", bytes));
  ASSERT_TRUE(mapping.ok());
  const std::byte* data = mapping->data();
  Mapping moved = std::move(*mapping);
  EXPECT_EQ(moved.data(), data);
  EXPECT_EQ(mapping->size(), 0u);
  Mapping other = Mapping::Borrow(bytes);
  EXPECT_EQ(other.data(), bytes.data());
  other = std::move(moved);
  EXPECT_EQ(other.data(), data);
  EXPECT_EQ(other.data()[4999], bytes[4999]);
}

TEST(MappingTest, BadFilesAreOneClearLine) {
  TempFolder folder;
  const std::string file = folder.Add("a", Pattern(100));
  mkfifo((folder / "pipe").c_str(), 0600);
  const struct {
    std::string path;
    uint64_t offset, size;
    const char* part;
  } cases[] = {
      {folder / "missing", 0, 0, "No such file"},
      {folder / "", 0, 0, "is a directory"},
      {folder.Add("empty", {}), 0, 0, "is empty"},
      {folder / "pipe", 0, 0, "not a regular file"},
      {file, 100, 0, "has 100 bytes, none at offset 100"},
      {file, 90, 11, "has 10 bytes from offset 90 on, 11"},
      {file, 1, UINT64_MAX, "has 99 bytes from"},
      {file, UINT64_MAX, 2, "none at offset"},
  };
  for (MapMode mode : kModes) {
    for (const auto& c : cases) {
      auto mapping = Mapping::MapFile(c.path, mode, c.offset, c.size);
      ASSERT_FALSE(mapping.ok()) << c.part;
      EXPECT_EQ(mapping.status().code(), StatusCode::kIo);
      EXPECT_TRUE(Contains(mapping.status().message(), c.part)) << mapping.status().message();
      EXPECT_FALSE(Contains(mapping.status().message(), "\n"));
    }
  }
}

TEST(MappingTest, AllocationFailureIsAStatus) {
  TempFolder folder;
  const std::string file = folder.Add("a", Pattern(100));
  FailAllocationForTest(1);
  auto mapping = Mapping::MapFile(file, MapMode::kRead);
  FailAllocationForTest(0);
  ASSERT_FALSE(mapping.ok());
  EXPECT_EQ(mapping.status().code(), StatusCode::kOutOfMemory);
}

TEST(MappingTest, OffsetsBeyond4GiB) {
  TempFolder folder;
  const std::string path = folder / "sparse";
  std::ofstream(path).put('x');
  const uint64_t offset = (uint64_t{5} << 30) + 3;
  if (truncate(path.c_str(), static_cast<off_t>(offset)) != 0)
    GTEST_SKIP() << "no sparse files here";
  std::ofstream(path, std::ios::app) << "tail";
  for (MapMode mode : kModes) {
    auto mapping = Mapping::MapFile(path, mode, offset);
    ASSERT_TRUE(mapping.ok()) << mapping.status().message();
    ASSERT_EQ(mapping->size(), 4u);
    EXPECT_EQ(mapping->data()[3], std::byte{'l'});
  }
}

TEST(ReadWholeFileTest, ReadsAndLimits) {
  TempFolder folder;
  const auto bytes = Pattern(1000);
  const std::string path = folder.Add("a", bytes);
  auto read = ReadWholeFile(path, 1000);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, bytes);
  auto refused = ReadWholeFile(path, 999);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), StatusCode::kOverBudget);
  EXPECT_TRUE(Contains(refused.status().message(), "1000 bytes, at most 999"));
  EXPECT_FALSE(ReadWholeFile(folder / "missing", 10).ok());
}

TEST(WriteFileTest, WritesChunksAndReplaces) {
  TempFolder folder;
  const auto bytes = Pattern(5000);
  const std::string path = folder / "a";
  for (size_t split : {size_t{0}, size_t{1}, size_t{5000}}) {
    const std::span<const std::byte> all = bytes;
    const std::span<const std::byte> chunks[] = {all.first(split), all.subspan(split)};
    const Status written = WriteFileAtomically(path, chunks);
    ASSERT_TRUE(written.ok()) << written.message();
    EXPECT_EQ(*ReadWholeFile(path, 1 << 20), bytes);
    EXPECT_EQ(folder.Files().size(), 1u);
  }
}

TEST(WriteFileTest, KeepsASymbolicLink) {
  TempFolder folder;
  folder.Add("target", Pattern(10));
  std::filesystem::create_symlink("target", folder / "link");
  const auto bytes = Pattern(20);
  const std::span<const std::byte> chunks[] = {bytes};
  ASSERT_TRUE(WriteFileAtomically(folder / "link", chunks).ok());
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_EQ(*ReadWholeFile(folder / "target", 100), bytes);
}

TEST(WriteFileTest, RefusesWhatIsNoFile) {
  TempFolder folder;
  const auto bytes = Pattern(20);
  const std::span<const std::byte> chunks[] = {bytes};
  mkfifo((folder / "pipe").c_str(), 0600);
  EXPECT_FALSE(WriteFileAtomically(folder / "", chunks).ok());
  EXPECT_FALSE(WriteFileAtomically(folder / "pipe", chunks).ok());
  EXPECT_FALSE(WriteFileAtomically(folder / "no/such/folder/a", chunks).ok());
  EXPECT_EQ(folder.Files().size(), 1u);
}

TEST(WriteFileTest, FailureLeavesTheOldFileAndNothingElse) {
  TempFolder folder;
  const auto old = Pattern(10);
  const std::string path = folder.Add("a", old);
  const auto bytes = Pattern(100'000);
  const std::span<const std::byte> chunks[] = {bytes};
  rlimit saved{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &saved), 0);
  const rlimit small{50'000, saved.rlim_max};
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status written = WriteFileAtomically(path, chunks);
  setrlimit(RLIMIT_FSIZE, &saved);
  signal(SIGXFSZ, handler);
  ASSERT_FALSE(written.ok());
  EXPECT_TRUE(Contains(written.message(), "File too large")) << written.message();
  EXPECT_EQ(*ReadWholeFile(path, 1000), old);
  EXPECT_EQ(folder.Files(), std::vector<std::string>{"a"});
}

}  // namespace
}  // namespace whit
