#include "tools/inspect/strip.h"

#include <cmath>

namespace whit::tools {

namespace {

uint8_t Place(double value, const TensorStatistics& s) {
  const double share = (value - s.min) / (s.max - s.min);
  return share > 0 ? static_cast<uint8_t>(std::lround(std::min(share, 1.0) * 255)) : 0;
}

}  // namespace

std::vector<StripColumn> StripOf(const TensorStatistics& s) {
  std::vector<StripColumn> strip;
  const size_t channels = s.channels.size();
  if (channels < 2) return strip;
  const size_t each = (channels + kStripColumns - 1) / kStripColumns;
  for (size_t i = 0; i < channels; i += each) {
    double min = s.channels[i].min, max = s.channels[i].max;
    std::array<uint64_t, kChannelBins> sums{};
    for (size_t c = i; c < std::min(i + each, channels); ++c) {
      min = std::min(min, s.channels[c].min), max = std::max(max, s.channels[c].max);
      for (size_t k = 0; k < kChannelBins; ++k) sums[k] += s.channels[c].histogram[k];
    }
    StripColumn column{Place(min, s), Place(max, s), {}};
    const auto fullest =
        static_cast<double>(std::max<uint64_t>(*std::max_element(sums.begin(), sums.end()), 1));
    for (size_t k = 0; k < kChannelBins; ++k) {
      const double share = std::sqrt(static_cast<double>(sums[k]) / fullest);
      column.density[k] = static_cast<uint8_t>(std::ceil(35 * share));
    }
    strip.push_back(column);
  }
  return strip;
}

std::vector<StripColumn> Narrowed(const std::vector<StripColumn>& strip, size_t most) {
  std::vector<StripColumn> narrow;
  const size_t each = (strip.size() + most - 1) / most;
  for (size_t i = 0; i < strip.size(); ++i) {
    if (i % each == 0) {
      narrow.push_back(strip[i]);
      continue;
    }
    StripColumn& c = narrow.back();
    c.min = std::min(c.min, strip[i].min), c.max = std::max(c.max, strip[i].max);
    for (size_t k = 0; k < kChannelBins; ++k)
      c.density[k] = std::max(c.density[k], strip[i].density[k]);
  }
  return narrow;
}

}  // namespace whit::tools
