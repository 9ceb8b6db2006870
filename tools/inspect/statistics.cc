#include "tools/inspect/statistics.h"

#include <bit>
#include <cmath>
#include <limits>

#include "tools/import/weights/blocks.h"

namespace whit::tools {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// FNV-1a by words: equal channels meet, and who meets is compared element by element.
void Mix(double value, uint64_t* hash) {
  *hash = (*hash ^ std::bit_cast<uint64_t>(value)) * 0x100000001b3u;
  *hash ^= *hash >> 29;
}

// One of a histogram's bars for what lies in [min, max]. Ranges may overflow to infinity and
// underflow to 0: what is no number then is in the first bar.
struct Bars {
  Bars(double min, double max, size_t bars)
      : low(min), per_width(static_cast<double>(bars) / (max - min)), last(bars - 1) {}
  size_t Of(double value) const {
    const double bar = (value - low) * per_width;
    if (!(bar > 0)) return 0;
    return bar >= static_cast<double>(last) ? last : static_cast<size_t>(bar);
  }
  double low, per_width;
  size_t last;
};

// Ranges, sums, zeros, hashes.
void FirstPass(const TensorEntry& entry, std::span<const std::byte> bytes,
               const ChannelLayout& layout, TensorStatistics* s) {
  for (ChannelStatistics& c : s->channels) c.min = kInfinity, c.max = -kInfinity;
  ForBlocks(entry, bytes, [&](size_t at, std::span<double> values) {
    Dequantize(entry, at, values);
    ForRuns(layout, at, values, [&](size_t channel, size_t column, std::span<const double> run) {
      ChannelStatistics& c = s->channels[channel];
      double sum = 0, energy = 0, min = c.min, max = c.max;
      int64_t zeros = 0, not_finite = 0;
      uint64_t hash = c.hash;
      for (size_t i = 0; i < run.size(); ++i) {
        const double v = run[i];
        Mix(v, &hash);
        if (!std::isfinite(v)) {
          ++not_finite;
          continue;
        }
        sum += v, energy += v * v, zeros += v == 0;
        min = std::min(min, v), max = std::max(max, v);
        if (!s->column_energy.empty()) s->column_energy[column + i] += v * v;
      }
      c.mean += sum, c.energy += energy;  // the mean is a sum until the pass is over
      c.zeros += zeros, c.not_finite += not_finite;
      c.min = min, c.max = max, c.hash = hash;
    });
  });
}

void FinishFirst(int64_t columns, TensorStatistics* s) {
  s->min = kInfinity, s->max = -kInfinity;
  double sum = 0;
  for (ChannelStatistics& c : s->channels) {
    sum += c.mean, s->energy += c.energy, s->zeros += c.zeros, s->not_finite += c.not_finite;
    s->min = std::min(s->min, c.min), s->max = std::max(s->max, c.max);
    if (c.not_finite == columns)
      c.min = c.max = c.mean = 0;
    else
      c.mean /= static_cast<double>(columns - c.not_finite);
  }
  if (s->finite() == 0)
    s->min = s->max = 0;
  else
    s->mean = sum / static_cast<double>(s->finite());
}

// What needs the means and the range: squares, fourth powers, histograms. Deviations are sums of
// squares until it is over.
void SecondPass(const TensorEntry& entry, std::span<const std::byte> bytes,
                const ChannelLayout& layout, TensorStatistics* s) {
  const Bars bars(s->min, s->max, kBins), channel_bars(s->min, s->max, kChannelBins);
  const double near = s->largest() / 254;
  double squares = 0, fourths = 0;
  ForBlocks(entry, bytes, [&](size_t at, std::span<double> values) {
    Dequantize(entry, at, values);
    double block_squares = 0, block_fourths = 0;
    ForRuns(layout, at, values, [&](size_t channel, size_t, std::span<const double> run) {
      ChannelStatistics& c = s->channels[channel];
      double own = 0;
      for (const double v : run) {
        if (!std::isfinite(v)) continue;
        const double d = v - s->mean, d2 = d * d, o = v - c.mean;
        block_squares += d2, block_fourths += d2 * d2, own += o * o;
        s->near_zeros += v != 0 && std::fabs(v) < near;
        ++s->histogram[bars.Of(v)];
        ++c.histogram[channel_bars.Of(v)];
      }
      c.deviation += own;
    });
    squares += block_squares, fourths += block_fourths;
  });
  const auto finite = static_cast<double>(std::max<int64_t>(s->finite(), 1));
  const double variance = squares / finite;
  s->deviation = std::sqrt(variance);
  if (variance > 0) {
    s->kurtosis = fourths / finite / (variance * variance) - 3;
    s->farthest = std::max(s->max - s->mean, s->mean - s->min) / s->deviation;
  }
}

// Only where a range beyond six deviations says that there are some.
void CountOutliers(const TensorEntry& entry, std::span<const std::byte> bytes,
                   TensorStatistics* s) {
  if (s->farthest <= 6) return;
  const double bound = 6 * s->deviation;
  ForBlocks(entry, bytes, [&](size_t at, std::span<double> values) {
    Dequantize(entry, at, values);
    for (const double v : values)
      s->beyond_six += std::isfinite(v) && std::fabs(v - s->mean) > bound;
  });
}

}  // namespace

double ChannelStatistics::largest() const { return std::max(std::fabs(min), std::fabs(max)); }
double TensorStatistics::largest() const { return std::max(std::fabs(min), std::fabs(max)); }

double GaussianExtreme(int64_t elements) {
  return std::sqrt(2 * std::log(static_cast<double>(std::max<int64_t>(elements, 2))));
}

TensorStatistics StatisticsOf(const TensorEntry& entry, std::span<const std::byte> bytes,
                              const ChannelLayout& layout) {
  TensorStatistics s;
  s.elements = entry.elements();
  s.channels.resize(layout.channels);
  if (layout.axis >= 0 && layout.columns <= kMostColumns) s.column_energy.resize(layout.columns);
  FirstPass(entry, bytes, layout, &s);
  const auto columns = static_cast<int64_t>(s.elements == 0 ? 0 : layout.columns);
  FinishFirst(columns, &s);
  SecondPass(entry, bytes, layout, &s);
  for (ChannelStatistics& c : s.channels) {
    const int64_t finite = columns - c.not_finite;
    c.deviation = finite == 0 ? 0 : std::sqrt(c.deviation / static_cast<double>(finite));
  }
  CountOutliers(entry, bytes, &s);
  return s;
}

}  // namespace whit::tools
