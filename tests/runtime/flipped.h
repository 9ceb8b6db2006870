// Files on disk whose bytes in memory change behind the library's back, for tests of repair.
#ifndef WHIT_TESTS_RUNTIME_FLIPPED_H_
#define WHIT_TESTS_RUNTIME_FLIPPED_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

namespace whit {

class FileOnDisk {
 public:
  explicit FileOnDisk(std::span<const std::byte> bytes) {
    static int number = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("whit_flips_" + std::to_string(getpid()) + "_" + std::to_string(number++));
    Write(0, bytes);
  }
  ~FileOnDisk() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }

  /// In place, as a bad disk would: the same file, through to storage.
  void Write(uint64_t offset, std::span<const std::byte> bytes) const {
    const int fd = open(path_.c_str(), O_WRONLY | O_CREAT, 0600);
    EXPECT_EQ(pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)),
              static_cast<ssize_t>(bytes.size()));
    EXPECT_EQ(fsync(fd), 0);
    close(fd);
  }

 private:
  std::filesystem::path path_;
};

/// Flips a bit where it lies, read-only or not: a private mapping gets a page of its own for it.
inline void FlipBit(std::span<const std::byte> bytes, uint64_t bit) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  auto* const at = const_cast<std::byte*>(bytes.data()) + bit / 8;
  auto* const base = reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(at) / page * page);
  ASSERT_EQ(mprotect(base, page, PROT_READ | PROT_WRITE), 0);
  *at ^= std::byte{static_cast<uint8_t>(1u << bit % 8)};
}

}  // namespace whit

#endif  // WHIT_TESTS_RUNTIME_FLIPPED_H_
