// Mapping: right bytes again, from storage, where memory has other ones.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE  // O_DIRECT
#endif
#define _FILE_OFFSET_BITS 64

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "platform/mapping.h"
#include "platform/posix.h"

namespace whit {

namespace {

// Offset, length and address of a read past the page cache: multiples of the device's block, at
// most this on every device in use.
constexpr size_t kBlock = 4096;

// As many bytes as the file has, at most the buffer; -1 with errno.
ssize_t ReadAt(int fd, std::byte* into, size_t size, uint64_t offset) {
  size_t have = 0;
  while (have < size) {
    const ssize_t got = pread(fd, into + have, size - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    have += static_cast<size_t>(got);
    if (have % kBlock != 0) break;  // the end of the file
  }
  return static_cast<ssize_t>(have);
}

// Around the page cache, by a description of its own: O_DIRECT must not reach the caller's. -1
// where the system or the file system has no such thing.
ssize_t ReadAround(int fd, std::byte* into, size_t size, uint64_t offset) {
#if defined(__linux__) && defined(O_DIRECT)
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  const int direct = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT);
  if (direct < 0) return -1;
  const ssize_t got = ReadAt(direct, into, size, offset);
  close(direct);
  return got;
#else
  (void)fd, (void)into, (void)size, (void)offset;
  return -1;
#endif
}

void ForgetCached([[maybe_unused]] int fd, [[maybe_unused]] uint64_t offset,
                  [[maybe_unused]] size_t size) {
#ifdef POSIX_FADV_DONTNEED
  (void)posix_fadvise(fd, static_cast<off_t>(offset), static_cast<off_t>(size),
                      POSIX_FADV_DONTNEED);
#endif
}

struct Pages {
  void* begin;
  size_t size;
};

Pages PagesUnder(std::span<const std::byte> part) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto at = reinterpret_cast<uintptr_t>(part.data());
  const uintptr_t begin = at / page * page, end = (at + part.size() + page - 1) / page * page;
  return {reinterpret_cast<void*>(begin), end - begin};
}

}  // namespace

void Mapping::Forget(std::span<const std::byte> part) const {
  if (base_ == nullptr || fd_ < 0) return;
  // Not the pages at the borders: the neighbours may have private copies there, repaired before.
  Drop(part);
  ForgetCached(fd_, offset_ + static_cast<uint64_t>(part.data() - bytes_.data()), part.size());
}

Status Mapping::ReadStored(std::span<const std::byte> part, std::span<std::byte> into) const {
  if (fd_ < 0) {
    return Status(StatusCode::kUnsupported,
                  "the model was opened from memory: there is no file to read it again from");
  }
  const uint64_t offset = offset_ + static_cast<uint64_t>(part.data() - bytes_.data());
  const uint64_t from = offset / kBlock * kBlock;
  const auto lead = static_cast<size_t>(offset - from);
  const size_t size = (lead + part.size() + kBlock - 1) / kBlock * kBlock;
  WHIT_ASSIGN_OR_RETURN(AlignedBuffer buffer, AlignedBuffer::Allocate(size + kBlock));
  const auto address = reinterpret_cast<uintptr_t>(buffer.data());
  std::byte* const aligned = buffer.data() + (kBlock - address % kBlock) % kBlock;
  ssize_t got = ReadAround(fd_, aligned, size, from);
  if (got < 0) {
    ForgetCached(fd_, offset, part.size());
    got = ReadAt(fd_, aligned, size, from);
  }
  if (got < 0) return posix::IoError("cannot read again", "the model's file", errno);
  if (static_cast<size_t>(got) < lead + part.size()) {
    return Status(StatusCode::kIo, "the model's file ends at byte " +
                                       std::to_string(from + static_cast<uint64_t>(got)) + ", " +
                                       std::to_string(offset + part.size()) + " are needed");
  }
  std::memcpy(into.data(), aligned + lead, part.size());
  return OkStatus();
}

Status Mapping::Overwrite(std::span<const std::byte> part, std::span<const std::byte> right) const {
  const Pages pages = PagesUnder(part);
  if (base_ != nullptr && mprotect(pages.begin, pages.size, PROT_READ | PROT_WRITE) != 0)
    return posix::IoError("cannot make writable", "pages of the model", errno);
  // Bytes that are right stay untouched. The write makes a private copy of a mapped page.
  auto* to = const_cast<std::byte*>(part.data());
  for (size_t i = 0; i < part.size(); ++i) {
    if (to[i] != right[i]) to[i] = right[i];
  }
  if (base_ != nullptr && mprotect(pages.begin, pages.size, PROT_READ) != 0)
    return posix::IoError("cannot protect", "pages of the model", errno);
  return OkStatus();
}

}  // namespace whit
