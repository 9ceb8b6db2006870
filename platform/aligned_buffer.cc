#include "platform/aligned_buffer.h"

#include <atomic>
#include <cstdlib>
#include <string>
#include <utility>

namespace whit {
namespace {

std::atomic<int64_t> g_fail_at{0};  // counts down to the allocation that fails; 0 and below: none
std::atomic<int64_t> g_allocations{0};

bool MustFailForTest() {
  return g_fail_at.load(std::memory_order_relaxed) > 0 && g_fail_at.fetch_sub(1) == 1;
}

}  // namespace

Result<AlignedBuffer> AlignedBuffer::Allocate(uint64_t bytes) {
  AlignedBuffer buffer;
  if (bytes == 0) return buffer;
  g_allocations.fetch_add(1, std::memory_order_relaxed);
  // Half the address space: beyond it pointer differences overflow.
  const bool representable = bytes <= SIZE_MAX / 2 - kBufferAlignment;
  if (MustFailForTest() || !representable) {
    return Status(StatusCode::kOutOfMemory, "cannot allocate " + std::to_string(bytes) + " bytes");
  }
  // calloc and not aligned_alloc plus memset: the pages of a large arena stay untouched until they
  // are used.
  buffer.raw_ = std::calloc(1, static_cast<size_t>(bytes) + kBufferAlignment - 1);
  if (buffer.raw_ == nullptr) {
    return Status(StatusCode::kOutOfMemory, "cannot allocate " + std::to_string(bytes) + " bytes");
  }
  const size_t misaligned = reinterpret_cast<uintptr_t>(buffer.raw_) % kBufferAlignment;
  const size_t skip = misaligned == 0 ? 0 : kBufferAlignment - misaligned;
  buffer.data_ = static_cast<std::byte*>(buffer.raw_) + skip;
  buffer.size_ = static_cast<size_t>(bytes);
  return buffer;
}

AlignedBuffer::AlignedBuffer(AlignedBuffer&& other) noexcept
    : raw_(std::exchange(other.raw_, nullptr)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

AlignedBuffer& AlignedBuffer::operator=(AlignedBuffer&& other) noexcept {
  std::swap(raw_, other.raw_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

AlignedBuffer::~AlignedBuffer() { std::free(raw_); }

void FailAllocationForTest(int64_t n) { g_fail_at.store(n); }
int64_t AllocationCountForTest() { return g_allocations.load(); }

}  // namespace whit
