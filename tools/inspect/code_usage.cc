#include "tools/inspect/code_usage.h"

#include <cmath>
#include <cstdlib>
#include <numeric>

#include "tools/import/weights/blocks.h"

namespace whit::tools {

namespace {

struct Range {
  int low = 256, high = -256;
};

// The zero point of a channel; the middle where the file states none.
int64_t ZeroOf(const TensorEntry& entry, size_t channel, int lowest) {
  const std::vector<int64_t>& zeros = entry.codes.zero_point;
  if (zeros.empty()) return lowest + 128;
  return zeros.size() == 1 ? zeros[0] : zeros[std::min(channel, zeros.size() - 1)];
}

double UnusedBits(const Range& range, int64_t zero, const CodeUsage& usage) {
  if (range.low > range.high) return 0;
  if (zero != usage.lowest + 128) {
    const int span = range.high - range.low;
    return span == 0 ? 0 : std::log2(255.0 / span);
  }
  const int64_t largest = std::max(std::abs(range.low - zero), std::abs(range.high - zero));
  if (largest == 0) return 0;
  return std::max(0.0, std::log2((usage.bits == 4 ? 7.0 : 127.0) / static_cast<double>(largest)));
}

}  // namespace

CodeUsage CodeUsageOf(const TensorEntry& entry, std::span<const std::byte> bytes,
                      const ChannelLayout& layout) {
  CodeUsage usage;
  usage.lowest = entry.type == ElementType::kInt8 ? -128 : 0;
  usage.counts.resize(256);
  std::vector<Range> ranges(layout.channels);
  ForBlocks(entry, bytes, [&](size_t at, std::span<double> values) {
    ForRuns(layout, at, values, [&](size_t channel, size_t, std::span<const double> run) {
      Range& range = ranges[channel];
      for (const double v : run) {
        const int code = static_cast<int>(v);
        ++usage.counts[static_cast<size_t>(code - usage.lowest)];
        range.low = std::min(range.low, code), range.high = std::max(range.high, code);
      }
    });
  });
  Range all;
  for (const Range& r : ranges)
    all.low = std::min(all.low, r.low), all.high = std::max(all.high, r.high);
  if (usage.lowest < 0 && all.low >= -8 && all.high <= 7 && all.low < all.high) usage.bits = 4;
  for (const int64_t n : usage.counts) usage.used += n > 0;
  for (size_t c = 0; c < layout.channels; ++c) {
    usage.unused_bits.push_back(
        static_cast<float>(UnusedBits(ranges[c], ZeroOf(entry, c, usage.lowest), usage)));
  }
  usage.mean_unused = std::accumulate(usage.unused_bits.begin(), usage.unused_bits.end(), 0.0) /
                      static_cast<double>(layout.channels);
  usage.most_unused = *std::max_element(usage.unused_bits.begin(), usage.unused_bits.end());
  return usage;
}

}  // namespace whit::tools
