// Which codes a tensor of 8-bit integers uses, and how much of its scales' range.
#ifndef WHIT_TOOLS_INSPECT_CODE_USAGE_H_
#define WHIT_TOOLS_INSPECT_CODE_USAGE_H_

#include <cstdint>
#include <vector>

#include "tools/inspect/channels.h"

namespace whit::tools {

struct CodeUsage {
  int lowest = -128;            // code of counts[0]: -128 for int8, 0 for uint8
  int bits = 8;                 // 4 where every code of an int8 tensor is in -8..7
  std::vector<int64_t> counts;  // 256, by code - lowest
  int used = 0;                 // codes with a count
  /// Bits of the range that each channel leaves unused, log2(m / largest |code - zero point|), m
  /// the largest there is: 127, or 7 for 4 bits. Where the zero point is not in the middle,
  /// log2(255 / (largest code - smallest)). 0 for channels that hold the zero point alone. A wider
  /// scale than a channel needs costs it 6.02 dB a bit.
  std::vector<float> unused_bits;
  double mean_unused = 0, most_unused = 0;  // of the channels

  int there_are() const { return bits == 4 ? 16 : 256; }
};

/// REQUIRES entry.type is int8 or uint8. One pass.
CodeUsage CodeUsageOf(const TensorEntry& entry, std::span<const std::byte> bytes,
                      const ChannelLayout& layout);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_INSPECT_CODE_USAGE_H_
