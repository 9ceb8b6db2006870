// A tensor's channels side by side in the width of a page.
#ifndef WHIT_TOOLS_INSPECT_STRIP_H_
#define WHIT_TOOLS_INSPECT_STRIP_H_

#include <vector>

#include "tools/inspect/statistics.h"

namespace whit::tools {

/// Some channels next to each other.
struct StripColumn {
  double min = 0, max = 0;   // of them all
  double low = 0, high = 0;  // mean minus and plus deviation, the outermost of them
  std::array<uint64_t, kChannelBins> histogram{};
};

/// What a strip is wide at the most: two pixels a column in the narrowest panel.
inline constexpr size_t kStripColumns = 128;

/// One column a channel, or for more than kStripColumns channels so many at once that they fit;
/// none where there is one channel.
std::vector<StripColumn> StripOf(const std::vector<ChannelStatistics>& channels);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_INSPECT_STRIP_H_
