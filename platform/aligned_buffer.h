// The one allocation function of opening and planning: it can fail with a Status, and tests make it
// fail.
#ifndef WHIT_PLATFORM_ALIGNED_BUFFER_H_
#define WHIT_PLATFORM_ALIGNED_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "platform/status.h"

namespace whit {

/// 64: a cache line of every target and one step of a weight panel.
inline constexpr size_t kBufferAlignment = 64;

/// The next multiple of it. REQUIRES bytes <= 2^64 - 64.
constexpr uint64_t AlignUp(uint64_t bytes) {
  return (bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
}

/// Owned memory, 64-aligned, contents zero (large ones by untouched zero pages). Move-only.
class AlignedBuffer {
 public:
  /// kOutOfMemory (naming the bytes) if the system has not got them. 0 bytes: an empty buffer with
  /// data() == nullptr.
  static Result<AlignedBuffer> Allocate(uint64_t bytes);

  AlignedBuffer() = default;
  AlignedBuffer(AlignedBuffer&& other) noexcept;
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept;
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;
  ~AlignedBuffer();

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  std::span<std::byte> bytes() { return {data_, size_}; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  void* raw_ = nullptr;  // what free() wants
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

/// For tests: the n-th Allocate from now on (1: the next) of any thread fails; 0 switches this off.
void FailAllocationForTest(int64_t n);
/// For tests: calls of Allocate with bytes > 0 since the process began.
int64_t AllocationCountForTest();

}  // namespace whit

#endif  // WHIT_PLATFORM_ALIGNED_BUFFER_H_
