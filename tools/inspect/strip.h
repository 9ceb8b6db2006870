// A tensor's channels side by side in the width of a page.
#ifndef WHIT_TOOLS_INSPECT_STRIP_H_
#define WHIT_TOOLS_INSPECT_STRIP_H_

#include <vector>

#include "tools/inspect/statistics.h"

namespace whit::tools {

/// Some channels next to each other. Places in the range of the tensor, 0 its smallest value and
/// 255 its largest: a report keeps one strip a tensor.
struct StripColumn {
  uint8_t min = 0, max = 0;
  /// How many elements lie in each sixteenth of the range, of those in the fullest: 35 times the
  /// square root, rounded up, so that a hundredth is to be seen and only 0 is none.
  std::array<uint8_t, kChannelBins> density{};
};

/// What a strip is wide at the most: two pixels a column in the narrowest panel.
inline constexpr size_t kStripColumns = 128;

/// One column a channel, or for more than kStripColumns channels so many at once that they fit;
/// none where there is one channel.
std::vector<StripColumn> StripOf(const TensorStatistics& s);

/// The same strip in fewer columns. REQUIRES most > 0.
std::vector<StripColumn> Narrowed(const std::vector<StripColumn>& strip, size_t most);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_INSPECT_STRIP_H_
