#include "tools/inspect/strip.h"

namespace whit::tools {

std::vector<StripColumn> StripOf(const std::vector<ChannelStatistics>& channels) {
  std::vector<StripColumn> strip;
  if (channels.size() < 2) return strip;
  const size_t each = (channels.size() + kStripColumns - 1) / kStripColumns;
  for (size_t i = 0; i < channels.size(); ++i) {
    const ChannelStatistics& c = channels[i];
    const double low = c.mean - c.deviation, high = c.mean + c.deviation;
    if (i % each == 0) strip.push_back({c.min, c.max, low, high, {}});
    StripColumn& column = strip.back();
    column.min = std::min(column.min, c.min), column.max = std::max(column.max, c.max);
    column.low = std::min(column.low, low), column.high = std::max(column.high, high);
    for (size_t k = 0; k < kChannelBins; ++k) column.histogram[k] += c.histogram[k];
  }
  return strip;
}

}  // namespace whit::tools
