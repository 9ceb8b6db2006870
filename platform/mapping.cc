// 64-bit file offsets on 32-bit hosts too; must come before any system header.
#define _FILE_OFFSET_BITS 64

#include "platform/mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "platform/posix.h"

namespace whit {
namespace {

static_assert(sizeof(off_t) == 8, "models of more than 2 GiB need 64-bit file offsets");

using posix::ErrorText;
using posix::IoError;
using posix::kMaxTransfer;

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

// Opens for reading. Non-blocking, so that a named pipe without a writer does not hang; regular
// files do not care.
Result<int> OpenForReading(const std::string& path) {
  int fd;
  do {
    fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return IoError("cannot open", path, errno);
  return fd;
}

Result<uint64_t> RegularFileSize(int fd, const std::string& name) {
  struct stat info;
  if (fstat(fd, &info) != 0) return IoError("cannot examine", name, errno);
  if (S_ISDIR(info.st_mode))
    return Status(StatusCode::kIo, "'" + name + "' is a directory, not a file");
  if (!S_ISREG(info.st_mode))
    return Status(StatusCode::kIo, "'" + name + "' is not a regular file");
  if (info.st_size <= 0) return Status(StatusCode::kIo, "'" + name + "' is empty");
  return static_cast<uint64_t>(info.st_size);
}

Status ReadExactly(int fd, uint64_t offset, std::span<std::byte> into, const std::string& name) {
  while (!into.empty()) {
    const ssize_t got =
        pread(fd, into.data(), std::min(into.size(), kMaxTransfer), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return IoError("cannot read", name, errno);
    if (got == 0) {
      return Status(StatusCode::kIo, "'" + name + "' ended at byte " + std::to_string(offset) +
                                         " while it was read, " + std::to_string(into.size()) +
                                         " bytes early");
    }
    offset += static_cast<uint64_t>(got);
    into = into.subspan(static_cast<size_t>(got));
  }
  return OkStatus();
}

// Checks a range against the file and gives its size in bytes that this process can address.
Result<size_t> CheckRange(uint64_t file_size, uint64_t offset, uint64_t size,
                          const std::string& name) {
  if (offset >= file_size) {
    return Status(StatusCode::kIo, "'" + name + "' has " + std::to_string(file_size) +
                                       " bytes, none at offset " + std::to_string(offset));
  }
  const uint64_t available = file_size - offset;
  if (size == 0) size = available;
  if (size > available) {
    return Status(StatusCode::kIo, "'" + name + "' has " + std::to_string(available) +
                                       " bytes from offset " + std::to_string(offset) + " on, " +
                                       std::to_string(size) + " were asked for");
  }
  if (size > SIZE_MAX / 2) {
    return Status(StatusCode::kUnsupported, "'" + name + "': " + std::to_string(size) +
                                                " bytes are more than this process can address");
  }
  return static_cast<size_t>(size);
}

}  // namespace

Result<Mapping> Mapping::MapFile(const std::string& path, MapMode mode, uint64_t offset,
                                 uint64_t size) {
  WHIT_ASSIGN_OR_RETURN(const int fd, OpenForReading(path));
  FileDescriptor owner(fd);
  return MapFd(fd, mode, offset, size, path);
}

Result<Mapping> Mapping::MapFd(int fd, MapMode mode, uint64_t offset, uint64_t size,
                               const std::string& given_name) {
  const std::string name = given_name.empty() ? "descriptor " + std::to_string(fd) : given_name;
  WHIT_ASSIGN_OR_RETURN(const uint64_t file_size, RegularFileSize(fd, name));
  WHIT_ASSIGN_OR_RETURN(const size_t bytes, CheckRange(file_size, offset, size, name));

  Mapping mapping;
  mapping.fd_ = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (mapping.fd_ < 0) return IoError("cannot keep a descriptor of", name, errno);
  mapping.offset_ = offset;
  if (mode == MapMode::kRead) {
    auto buffer = AlignedBuffer::Allocate(bytes);
    if (!buffer.ok()) return Status(buffer.status()).WithContext("'" + name + "'");
    mapping.owned_ = std::move(*buffer);
    WHIT_RETURN_IF_ERROR(ReadExactly(fd, offset, mapping.owned_.bytes(), name));
    mapping.bytes_ = mapping.owned_.bytes();
    return mapping;
  }

  // mmap wants a page boundary: begin at the one before and remember how far in the range starts.
  const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const size_t lead = static_cast<size_t>(offset % page);
  void* base =
      mmap(nullptr, lead + bytes, PROT_READ, MAP_PRIVATE, fd, static_cast<off_t>(offset - lead));
  if (base == MAP_FAILED) return IoError("cannot map", name, errno);
  mapping.base_ = base;
  mapping.base_bytes_ = lead + bytes;
  mapping.bytes_ = {static_cast<const std::byte*>(base) + lead, bytes};
  if (mode == MapMode::kLock && mlock(base, mapping.base_bytes_) != 0) {
    return posix::LockError("'" + name + "'", mapping.base_bytes_, errno);
  }
  return mapping;
}

Mapping Mapping::Borrow(std::span<const std::byte> bytes) {
  Mapping mapping;
  mapping.bytes_ = bytes;
  return mapping;
}

Mapping::Mapping(Mapping&& other) noexcept
    : bytes_(std::exchange(other.bytes_, {})),
      base_(std::exchange(other.base_, nullptr)),
      base_bytes_(std::exchange(other.base_bytes_, 0)),
      owned_(std::move(other.owned_)),
      fd_(std::exchange(other.fd_, -1)),
      offset_(other.offset_) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  std::swap(base_, other.base_);
  std::swap(base_bytes_, other.base_bytes_);
  std::swap(owned_, other.owned_);
  std::swap(fd_, other.fd_);
  std::swap(offset_, other.offset_);
  return *this;
}

void Mapping::Drop(std::span<const std::byte> part) const {
  if (base_ == nullptr || part.data() < bytes_.data() ||
      part.data() + part.size() > bytes_.data() + bytes_.size()) {
    return;
  }
  // Whole pages alone: others are of the neighbours too.
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<uintptr_t>(part.data()) + page - 1) / page * page;
  const auto end = reinterpret_cast<uintptr_t>(part.data() + part.size()) / page * page;
  // The mapping is private and read-only, so the file has all of it. Locked pages stay (EINVAL).
  if (begin < end) (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

Mapping::~Mapping() {
  if (base_ != nullptr) munmap(base_, base_bytes_);
  if (fd_ >= 0) close(fd_);
}

Result<std::vector<std::byte>> ReadWholeFile(const std::string& path, uint64_t max_bytes) {
  WHIT_ASSIGN_OR_RETURN(const int fd, OpenForReading(path));
  FileDescriptor owner(fd);
  WHIT_ASSIGN_OR_RETURN(const uint64_t size, RegularFileSize(fd, path));
  if (size > max_bytes || size > SIZE_MAX / 2) {
    return Status(StatusCode::kOverBudget,
                  "'" + path + "' has " + std::to_string(size) + " bytes, at most " +
                      std::to_string(std::min<uint64_t>(max_bytes, SIZE_MAX / 2)) + " are allowed");
  }
  std::vector<std::byte> bytes(static_cast<size_t>(size));
  WHIT_RETURN_IF_ERROR(ReadExactly(fd, 0, bytes, path));
  return bytes;
}

}  // namespace whit
