#include "tools/inspect/super_weights.h"

#include <cmath>

#include "tools/import/weights/blocks.h"

namespace whit::tools {

double SuperWeight::score() const { return std::sqrt(channel_share * column_share); }

std::vector<SuperWeight> SuperWeightsOf(const TensorEntry& entry, std::span<const std::byte> bytes,
                                        const ChannelLayout& layout, const TensorStatistics& s) {
  std::vector<SuperWeight> found;
  const double bound = 2 * GaussianExtreme(s.finite());
  if (layout.channels < kSuperLeast || layout.columns < kSuperLeast || s.column_energy.empty() ||
      s.farthest < bound) {
    return found;
  }
  const auto higher = [](const SuperWeight& a, const SuperWeight& b) {
    return a.score() != b.score() ? a.score() > b.score() : a.element < b.element;
  };
  ForBlocks(entry, bytes, [&](size_t at, std::span<double> values) {
    Dequantize(entry, at, values);
    size_t element = at;
    ForRuns(layout, at, values, [&](size_t channel, size_t column, std::span<const double> run) {
      for (size_t i = 0; i < run.size(); ++i, ++element) {
        const double v = run[i], far = std::fabs(v - s.mean) / s.deviation;
        if (!std::isfinite(v) || far < bound) continue;
        const SuperWeight w{element,
                            channel,
                            column + i,
                            v,
                            far,
                            v * v / s.channels[channel].energy,
                            v * v / s.column_energy[column + i]};
        if (!(w.channel_share >= kSuperShare && w.column_share >= kSuperShare)) continue;
        found.insert(std::upper_bound(found.begin(), found.end(), w, higher), w);
        if (found.size() > kMostSuperWeights) found.pop_back();
      }
    });
  });
  return found;
}

}  // namespace whit::tools
