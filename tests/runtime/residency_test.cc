// Weights are used where the file is mapped: no byte is copied, no page becomes private and dirty.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "runtime/whit.h"
#include "tests/runtime/model_builder.h"

namespace whit {
namespace {

class TemporaryFile {
 public:
  explicit TemporaryFile(const std::vector<std::byte>& bytes)
      : path_(std::filesystem::temp_directory_path() /
              ("whit_residency_" + std::to_string(getpid()) + ".whit")) {
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    // Pages of the cache that are not written back yet would count as dirty.
    const int fd = open(path_.c_str(), O_RDONLY);
    EXPECT_EQ(fsync(fd), 0);
    close(fd);
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

// The kB after `key` in the smaps entry that contains `address`; -1 if there is none.
long SmapsValue(uintptr_t address, const std::string& key) {
  std::ifstream smaps("/proc/self/smaps");
  std::string line;
  bool inside = false;
  while (std::getline(smaps, line)) {
    unsigned long begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) {
      inside = begin <= address && address < end;
    } else if (inside && line.rfind(key + ":", 0) == 0) {
      return std::stol(line.substr(key.size() + 1));
    }
  }
  return -1;
}

TEST(Residency, MappedWeightsStayCleanFilePages) {
  const TemporaryFile file(SmallNetwork());
  auto model = Model::Open(file.path());
  ASSERT_TRUE(model.ok()) << model.status().message();
  auto runner = Runner::Create(*model);
  ASSERT_TRUE(runner.ok()) << runner.status().message();
  ASSERT_TRUE(runner->Run().ok());

  const AddressRange mapping = MappingRange(*model);
  const auto ranges = WeightRanges(*model);
  ASSERT_FALSE(ranges.empty());
  for (const AddressRange& range : ranges) {
    EXPECT_GE(range.begin, mapping.begin);
    EXPECT_LE(range.end, mapping.end);
    EXPECT_EQ(SmapsValue(range.begin, "Private_Dirty"), 0);
    EXPECT_EQ(SmapsValue(range.begin, "Anonymous"), 0);
  }
  EXPECT_GT(SmapsValue(ranges[0].begin, "Rss"), 0);  // the entry was found and is in use
}

TEST(Residency, ReadModeOwnsItsCopy) {
  const TemporaryFile file(SmallNetwork());
  OpenOptions options;
  options.residency = Residency::kRead;
  auto model = Model::Open(file.path(), options);
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_NE(SmapsValue(MappingRange(*model).begin, "Anonymous"), 0);
}

TEST(Residency, ModelInsideAnArchive) {
  std::vector<std::byte> archive(1028, std::byte{0xAB});  // any multiple of 4
  const auto bytes = SmallNetwork();
  archive.insert(archive.end(), bytes.begin(), bytes.end());
  archive.resize(archive.size() + 333, std::byte{0xCD});
  const TemporaryFile file(archive);
  auto alone = Model::OpenBytes(bytes);
  auto inside = Model::Open(file.path(), {}, 1028, bytes.size());
  ASSERT_TRUE(alone.ok());
  ASSERT_TRUE(inside.ok()) << inside.status().message();
  auto a = Runner::Create(*alone), b = Runner::Create(*inside);
  ASSERT_TRUE(a.ok() && b.ok());
  for (auto* runner : {&*a, &*b}) {
    auto in = runner->input(0).bytes();
    for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<uint8_t>(i * 7);
    ASSERT_TRUE(runner->Run().ok());
  }
  const auto x = a->output(0).bytes(), y = b->output(0).bytes();
  EXPECT_EQ(std::vector<uint8_t>(x.begin(), x.end()), std::vector<uint8_t>(y.begin(), y.end()));
}

TEST(Residency, OneLineForWhatIsNoModel) {
  for (const char* path : {"/nonexistent/model.whit", "/", "/dev/null"}) {
    auto model = Model::Open(path);
    ASSERT_FALSE(model.ok()) << path;
    EXPECT_NE(model.status().message().find(path), std::string::npos) << model.status().message();
    EXPECT_EQ(model.status().message().find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace whit
