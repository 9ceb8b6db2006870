#include "schema/page_sum.h"

#include <algorithm>
#include <cstring>

namespace whit {

namespace {

// Words side by side, each lane with sums of its own: two registers of 16 bytes, whose additions do
// not wait for each other. Lane 2 i is the lower half of 64-bit word i, lane 2 i + 1 the upper one:
// so taking them apart is a mask and a shift.
constexpr size_t kWords = 4, kLanes = 2 * kWords;
constexpr size_t kStride = kLanes * sizeof(uint32_t);

typedef uint64_t Two __attribute__((vector_size(16)));  // gcc and clang, every target

struct Lanes {
  Two low[kWords / 2] = {}, high[kWords / 2] = {};
  Two low_running[kWords / 2] = {}, high_running[kWords / 2] = {};
};

inline void AddStride(const std::byte* at, Lanes* lanes) {
  for (size_t i = 0; i < kWords / 2; ++i) {
    Two v;
    std::memcpy(&v, at + i * sizeof(v), sizeof(v));
    lanes->low[i] += v & 0xffffffffu;
    lanes->high[i] += v >> 32;
    lanes->low_running[i] += lanes->low[i];
    lanes->high_running[i] += lanes->high[i];
  }
}

}  // namespace

PageSum SumOf(std::span<const std::byte> bytes) {
  Lanes lanes;
  const size_t whole = bytes.size() / kStride * kStride;
  for (size_t at = 0; at < whole; at += kStride) AddStride(bytes.data() + at, &lanes);
  if (whole < bytes.size()) {
    std::byte rest[kStride] = {};
    std::memcpy(rest, bytes.data() + whole, bytes.size() - whole);
    AddStride(rest, &lanes);
  }
  // Lane l holds the words l, l + 8, ...: each stands kLanes times in the running sum for every
  // stride from its own to the last, less l for the words before it in its stride.
  PageSum sum;
  for (size_t i = 0; i < kWords; ++i) {
    const uint64_t words[2] = {lanes.low[i / 2][i % 2], lanes.high[i / 2][i % 2]};
    const uint64_t running[2] = {lanes.low_running[i / 2][i % 2], lanes.high_running[i / 2][i % 2]};
    for (size_t half = 0; half < 2; ++half) {
      sum.words += words[half];
      sum.running += kLanes * running[half] - (2 * i + half) * words[half];
    }
  }
  return sum;
}

}  // namespace whit
