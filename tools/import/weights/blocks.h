// A tensor's elements as doubles, one block after the other: what everything that measures weights
// runs over, so that a tensor of any size takes the memory of one block.
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_BLOCKS_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_BLOCKS_H_

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "tools/import/weights/weights.h"

namespace whit::tools {

inline constexpr size_t kBlock = 4096;  // elements: 32 KiB of doubles stay in L1

/// Calls fn(first element, values as stored) for one block after the other. The values are the
/// callee's to change. REQUIRES bytes.size() == entry.bytes().
template <typename Fn>
void ForBlocks(const TensorEntry& entry, std::span<const std::byte> bytes, Fn fn) {
  const size_t size = ElementSize(entry.type), count = bytes.size() / size;
  std::vector<double> values(std::min(kBlock, count));
  for (size_t at = 0; at < count; at += kBlock) {
    const size_t n = std::min(kBlock, count - at);
    const std::span<double> block(values.data(), n);
    ToDoubles(entry.type, bytes.subspan(at * size, n * size), block);
    fn(at, block);
  }
}

/// Stored values of elements [at, at + values) as real ones: scale * (stored - zero point) where
/// there are scales.
void Dequantize(const TensorEntry& entry, size_t at, std::span<double> values);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_BLOCKS_H_
