// Output channels that are copies of another one, to the bit or nearly.
#ifndef WHIT_TOOLS_INSPECT_DUPLICATES_H_
#define WHIT_TOOLS_INSPECT_DUPLICATES_H_

#include <utility>
#include <vector>

#include "tools/inspect/statistics.h"

namespace whit::tools {

struct ChannelPair {
  size_t channel, of;  // of < channel
  double cosine;       // of the angle between them
};

struct Duplicates {
  std::vector<ChannelPair> equal;  // to the bit: `of` is the first of those that are alike
  std::vector<ChannelPair> near;   // cosine above kNearCosine, not equal; each channel once
};

/// Weights that differ by 4.5 % of their size: what int8 training noise is to a filter.
inline constexpr double kNearCosine = 0.999;
/// Near duplicates are looked for from this many columns: two directions at random in 16 dimensions
/// are that close with a probability of 1e-20, while 3x3 filters that pass their middle through
/// are all alike without being copies.
inline constexpr size_t kLeastColumns = 16;
/// And up to this many channels, for their number is squared: 2^21 pairs of sketches take 50 ms.
inline constexpr size_t kMostNearChannels = 2048;

/// `s`: of the same tensor. Channels that are constant or hold what is not finite are left out of
/// both lists. Exact: hashes and sketches only choose what is compared.
Duplicates DuplicatesOf(const TensorEntry& entry, std::span<const std::byte> bytes,
                        const ChannelLayout& layout, const TensorStatistics& s);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_INSPECT_DUPLICATES_H_
