#include "platform/aligned_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace whit {
namespace {

TEST(AlignedBufferTest, AlignedAndZero) {
  for (uint64_t size : {1, 63, 64, 65, 4096, 1 << 20}) {
    auto buffer = AlignedBuffer::Allocate(size);
    ASSERT_TRUE(buffer.ok());
    EXPECT_EQ(buffer->size(), size);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % kBufferAlignment, 0u);
    EXPECT_TRUE(std::all_of(buffer->bytes().begin(), buffer->bytes().end(),
                            [](std::byte b) { return b == std::byte{0}; }));
    std::fill(buffer->bytes().begin(), buffer->bytes().end(), std::byte{1});
  }
  auto empty = AlignedBuffer::Allocate(0);
  ASSERT_TRUE(empty.ok());
  EXPECT_EQ(empty->data(), nullptr);
}

TEST(AlignedBufferTest, ImpossibleSizesAreAStatus) {
  for (uint64_t size : {UINT64_MAX, UINT64_MAX - 63, uint64_t{SIZE_MAX} / 2}) {
    auto buffer = AlignedBuffer::Allocate(size);
    ASSERT_FALSE(buffer.ok());
    EXPECT_EQ(buffer.status().code(), StatusCode::kOutOfMemory);
    EXPECT_NE(buffer.status().message().find(std::to_string(size)), std::string::npos);
  }
}

TEST(AlignedBufferTest, NthAllocationFails) {
  for (int n = 1; n <= 3; ++n) {
    FailAllocationForTest(n);
    for (int i = 1; i <= 4; ++i)
      EXPECT_EQ(AlignedBuffer::Allocate(8).ok(), i != n) << n << " " << i;
    FailAllocationForTest(0);
  }
  const int64_t before = AllocationCountForTest();
  (void)AlignedBuffer::Allocate(8);
  EXPECT_EQ(AllocationCountForTest(), before + 1);
}

TEST(AlignedBufferTest, Moves) {
  auto buffer = AlignedBuffer::Allocate(100);
  std::byte* data = buffer->data();
  AlignedBuffer moved = std::move(*buffer);
  EXPECT_EQ(moved.data(), data);
  EXPECT_EQ(buffer->data(), nullptr);
  AlignedBuffer other;
  other = std::move(moved);
  EXPECT_EQ(other.data(), data);
  EXPECT_EQ(other.size(), 100u);
}

}  // namespace
}  // namespace whit
