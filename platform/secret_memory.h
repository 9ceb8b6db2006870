// Memory for plaintext that must not leak: a bounded piece of it, locked and wiped, seen through a
// larger range of addresses.
#ifndef WHIT_PLATFORM_SECRET_MEMORY_H_
#define WHIT_PLATFORM_SECRET_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "platform/status.h"

namespace whit {

/// Addresses without memory: reading them ends the process. Move-only; given back on destruction.
class ReservedRange {
 public:
  /// kOutOfMemory where the system has no such range.
  static Result<ReservedRange> Reserve(uint64_t bytes);
  ReservedRange() = default;
  ReservedRange(ReservedRange&& other) noexcept;
  ReservedRange& operator=(ReservedRange&& other) noexcept;
  ReservedRange(const ReservedRange&) = delete;
  ReservedRange& operator=(const ReservedRange&) = delete;
  ~ReservedRange();

  /// Page-aligned; the bytes asked for, rounded up to whole pages of the system.
  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

/// Memory that is never swapped out nor in a core dump and is wiped when it goes. Parts of it can
/// be shown in a ReservedRange, for reading: the same memory, no copy. Not thread-safe. Linux only.
class SecretMemory {
 public:
  /// Whole pages of the system. kOverBudget where RLIMIT_MEMLOCK does not allow it.
  static Result<std::unique_ptr<SecretMemory>> Create(uint64_t bytes);
  SecretMemory(const SecretMemory&) = delete;
  SecretMemory& operator=(const SecretMemory&) = delete;
  ~SecretMemory();

  std::span<std::byte> bytes() const { return {data_, size_}; }
  /// Bytes [offset, offset + size) at address `at` of a reserved range. All three are multiples of
  /// the system's page.
  Status Show(const std::byte* at, uint64_t offset, uint64_t size) const;
  /// The opposite: reading there ends the process again.
  static Status Hide(const std::byte* at, uint64_t size);

 private:
  SecretMemory(int fd, std::byte* data, size_t size) : fd_(fd), data_(data), size_(size) {}
  int fd_;
  std::byte* data_;
  size_t size_;
};

/// The system's page, in bytes.
uint64_t SystemPageBytes();

}  // namespace whit

#endif  // WHIT_PLATFORM_SECRET_MEMORY_H_
