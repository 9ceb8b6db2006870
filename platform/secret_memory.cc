// 64-bit file offsets on 32-bit hosts too; must come before any system header.
#define _FILE_OFFSET_BITS 64

#include "platform/secret_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "platform/crypto.h"
#include "platform/posix.h"

namespace whit {
namespace {

uint64_t WholePages(uint64_t bytes) {
  const uint64_t page = SystemPageBytes();
  return (bytes + page - 1) / page * page;
}

void KeepOutOfDumps([[maybe_unused]] void* at, [[maybe_unused]] size_t size) {
#ifdef MADV_DONTDUMP
  (void)madvise(at, size, MADV_DONTDUMP);
#endif
}

// A file in memory without a name; -1 where the system has none.
int AnonymousFile() {
#ifdef MFD_CLOEXEC
  return memfd_create("whit", MFD_CLOEXEC);
#else
  errno = ENOSYS;
  return -1;
#endif
}

}  // namespace

uint64_t SystemPageBytes() {
  static const auto bytes = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

Result<ReservedRange> ReservedRange::Reserve(uint64_t bytes) {
  if (bytes > SIZE_MAX / 2) {
    return Status(StatusCode::kUnsupported,
                  std::to_string(bytes) + " bytes are more than this process can address");
  }
  const size_t size = static_cast<size_t>(WholePages(bytes));
  void* at = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) {
    return Status(StatusCode::kOutOfMemory,
                  "no range of " + std::to_string(size) + " addresses: " + posix::ErrorText(errno));
  }
  ReservedRange range;
  range.data_ = static_cast<std::byte*>(at);
  range.size_ = size;
  return range;
}

ReservedRange::ReservedRange(ReservedRange&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

ReservedRange& ReservedRange::operator=(ReservedRange&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

ReservedRange::~ReservedRange() {
  if (data_ != nullptr) munmap(data_, size_);
}

Result<std::unique_ptr<SecretMemory>> SecretMemory::Create(uint64_t bytes) {
  const size_t size = static_cast<size_t>(WholePages(bytes));
  const int fd = AnonymousFile();
  if (fd < 0) {
    return Status(StatusCode::kUnsupported,
                  "this system has no files in memory (memfd_create): " + posix::ErrorText(errno));
  }
  void* at = MAP_FAILED;
  if (ftruncate(fd, static_cast<off_t>(size)) == 0)
    at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) {
    const int error = errno;
    close(fd);
    return Status(
        StatusCode::kOutOfMemory,
        std::to_string(size) + " bytes of memory for plaintext: " + posix::ErrorText(error));
  }
  std::unique_ptr<SecretMemory> memory(new SecretMemory(fd, static_cast<std::byte*>(at), size));
  KeepOutOfDumps(at, size);
  if (mlock(at, size) != 0) return posix::LockError("plaintext", size, errno);
  return memory;
}

SecretMemory::~SecretMemory() {
  WipeMemory({data_, size_});
  munmap(data_, size_);
  close(fd_);
}

Status SecretMemory::Show(const std::byte* at, uint64_t offset, uint64_t size) const {
  void* to = const_cast<std::byte*>(at);
  int flags = MAP_SHARED | MAP_FIXED;
#ifdef MAP_POPULATE
  flags |= MAP_POPULATE;  // the memory is there: no page fault of its own for each page
#endif
  if (mmap(to, static_cast<size_t>(size), PROT_READ, flags, fd_, static_cast<off_t>(offset)) ==
      MAP_FAILED) {
    return Status(StatusCode::kOutOfMemory, "cannot map plaintext: " + posix::ErrorText(errno));
  }
  KeepOutOfDumps(to, static_cast<size_t>(size));
  return OkStatus();
}

Status SecretMemory::Hide(const std::byte* at, uint64_t size) {
  void* to = const_cast<std::byte*>(at);
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
  if (mmap(to, static_cast<size_t>(size), PROT_NONE, flags, -1, 0) == MAP_FAILED)
    return Status(StatusCode::kOutOfMemory, "cannot unmap plaintext: " + posix::ErrorText(errno));
  return OkStatus();
}

}  // namespace whit
