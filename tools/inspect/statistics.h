// Moments, ranges, histograms and zeros of a tensor and of each of its output channels.
#ifndef WHIT_TOOLS_INSPECT_STATISTICS_H_
#define WHIT_TOOLS_INSPECT_STATISTICS_H_

#include <array>
#include <cstdint>
#include <vector>

#include "tools/inspect/channels.h"

namespace whit::tools {

/// Bars of a tensor's histogram: four samples a bar of the 16 characters that a terminal has for
/// it.
inline constexpr size_t kBins = 64;
/// Bars of a channel's: what a strip of 256 channels shows in the height of a line of text.
inline constexpr size_t kChannelBins = 16;

/// Of the finite elements, as real numbers: scale * (stored - zero point) where there are scales.
struct ChannelStatistics {
  double min = 0, max = 0, mean = 0, deviation = 0;  // 0 where no element is finite
  double energy = 0;                                 // sum of squares
  int64_t zeros = 0, not_finite = 0;
  uint64_t hash = 0;                               // of the bits of all elements, in order
  std::array<uint32_t, kChannelBins> histogram{};  // over the range of the tensor

  double largest() const;  // magnitude
  bool constant(int64_t elements) const { return not_finite == 0 && elements > 0 && min == max; }
};

/// The same of all elements. Deviations are of the population; excess kurtosis is
/// mean((w - mean)^4) / deviation^4 - 3, 0 for a Gaussian.
struct TensorStatistics {
  int64_t elements = 0, zeros = 0, not_finite = 0;
  int64_t near_zeros = 0;  // not 0, but below half a step of symmetric int8: largest / 254
  int64_t beyond_six = 0;  // further than six deviations from the mean
  double min = 0, max = 0, mean = 0, deviation = 0, kurtosis = 0, energy = 0;
  double farthest = 0;  // of |w - mean| / deviation; 0 where the deviation is
  std::array<int64_t, kBins> histogram{};
  std::vector<ChannelStatistics> channels;  // layout.channels of them
  std::vector<double> column_energy;        // sum of squares by column; empty beyond kMostColumns

  int64_t finite() const { return elements - not_finite; }
  double largest() const;  // magnitude
};

/// Columns whose energy is kept: 8 MiB of doubles.
inline constexpr size_t kMostColumns = size_t{1} << 20;

/// Two passes. REQUIRES bytes.size() == entry.bytes() and layout == ChannelsOf(entry).
TensorStatistics StatisticsOf(const TensorEntry& entry, std::span<const std::byte> bytes,
                              const ChannelLayout& layout);

/// The distance from the mean, in deviations, that the farthest of `elements` Gaussian samples is
/// expected to stay below: sqrt(2 ln n) (extreme value theory; Leadbetter, Lindgren and Rootzen
/// 1983, theorem 1.5.3).
double GaussianExtreme(int64_t elements);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_INSPECT_STATISTICS_H_
