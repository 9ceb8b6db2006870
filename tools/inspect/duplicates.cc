#include "tools/inspect/duplicates.h"

#include <bit>
#include <cmath>
#include <unordered_map>

#include "tools/import/weights/blocks.h"

namespace whit::tools {

namespace {

// A channel's sketch: every column is added to or taken from one of kSketch sums, by a hash of its
// number. Inner products of sketches are those of the channels but for an error of about
// |a| |b| / sqrt(kSketch) (feature hashing: Weinberger et al. 2009, arXiv 0902.2206, lemma 2), and
// that of the difference of two channels shrinks with it.
constexpr size_t kSketch = 64;
// sqrt(2 / 64) = 0.18 is the error of |a - b|^2; four of these above 2 (1 - 0.999) is 0.0034.
constexpr float kCandidate = 1 - 0.0034F / 2;
// Pairs that are compared whole: a bound on what a file of near copies costs.
constexpr size_t kMostCompared = 4096;

uint64_t HashOf(uint64_t x) {  // splitmix64 (Steele, Lea, Flood 2014)
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

class Comparison {
 public:
  Comparison(const TensorEntry& entry, std::span<const std::byte> bytes,
             const ChannelLayout& layout)
      : entry_(entry), bytes_(bytes), layout_(layout) {}

  bool Equal(size_t a, size_t b) const {
    bool equal = true;
    ForPieces(a, b, [&](std::span<const double> x, std::span<const double> y) {
      for (size_t i = 0; equal && i < x.size(); ++i)
        equal = std::bit_cast<uint64_t>(x[i]) == std::bit_cast<uint64_t>(y[i]);
      return equal;
    });
    return equal;
  }

  double Cosine(size_t a, size_t b, double energy) const {
    double product = 0;
    ForPieces(a, b, [&](std::span<const double> x, std::span<const double> y) {
      for (size_t i = 0; i < x.size(); ++i) product += x[i] * y[i];
      return true;
    });
    return product / energy;
  }

 private:
  // The same columns of two channels as real numbers, piece by piece while fn says so.
  template <typename Fn>
  void ForPieces(size_t a, size_t b, Fn fn) const {
    std::vector<double> x(std::min(kBlock, layout_.inner)), y(x.size());
    for (size_t outer = 0; outer < layout_.columns / layout_.inner; ++outer) {
      for (size_t at = 0; at < layout_.inner; at += x.size()) {
        const size_t n = std::min(x.size(), layout_.inner - at);
        Load(outer, a, at, {x.data(), n}), Load(outer, b, at, {y.data(), n});
        if (!fn(std::span<const double>(x.data(), n), std::span<const double>(y.data(), n))) return;
      }
    }
  }

  void Load(size_t outer, size_t channel, size_t at, std::span<double> out) const {
    const size_t first = (outer * layout_.channels + channel) * layout_.inner + at;
    const size_t size = ElementSize(entry_.type);
    ToDoubles(entry_.type, bytes_.subspan(first * size, out.size() * size), out);
    Dequantize(entry_, first, out);
  }

  const TensorEntry& entry_;
  std::span<const std::byte> bytes_;
  const ChannelLayout& layout_;
};

// Of every channel, scaled to length 1.
std::vector<float> SketchesOf(const TensorEntry& entry, std::span<const std::byte> bytes,
                              const ChannelLayout& layout) {
  std::vector<float> sketches(layout.channels * kSketch);
  ForBlocks(entry, bytes, [&](size_t at, std::span<double> values) {
    Dequantize(entry, at, values);
    ForRuns(layout, at, values, [&](size_t channel, size_t column, std::span<const double> run) {
      float* sketch = &sketches[channel * kSketch];
      for (size_t i = 0; i < run.size(); ++i) {
        const uint64_t hash = HashOf(column + i);
        const auto v = static_cast<float>(run[i]);
        sketch[hash % kSketch] += hash >> 63 ? v : -v;
      }
    });
  });
  for (size_t c = 0; c < layout.channels; ++c) {
    const std::span<float> sketch(&sketches[c * kSketch], kSketch);
    float squares = 0;
    for (const float v : sketch) squares += v * v;
    const float scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
    for (float& v : sketch) v *= scale;
  }
  return sketches;
}

float SketchProduct(const float* a, const float* b) {
  float sums[8] = {};  // independent, for vectors of any width
  for (size_t i = 0; i < kSketch; i += 8) {
    for (size_t k = 0; k < 8; ++k) sums[k] += a[i + k] * b[i + k];
  }
  return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

}  // namespace

Duplicates DuplicatesOf(const TensorEntry& entry, std::span<const std::byte> bytes,
                        const ChannelLayout& layout, const TensorStatistics& s) {
  Duplicates found;
  if (layout.channels < 2 || layout.columns < 2) return found;
  const Comparison comparison(entry, bytes, layout);
  std::unordered_map<uint64_t, size_t> first;
  std::vector<bool> out(layout.channels);  // of the search for near ones
  for (size_t c = 0; c < layout.channels; ++c) {
    const ChannelStatistics& own = s.channels[c];
    if (own.not_finite > 0 || own.min == own.max || !std::isfinite(own.energy)) {
      out[c] = true;
      continue;
    }
    const auto [at, fresh] = first.try_emplace(own.hash, c);
    if (fresh || !comparison.Equal(c, at->second)) continue;
    found.equal.push_back({c, at->second, 1});
    out[c] = true;
  }
  if (layout.columns < kLeastColumns || layout.channels > kMostNearChannels) return found;
  const std::vector<float> sketches = SketchesOf(entry, bytes, layout);
  size_t compared = 0;
  for (size_t c = 1; c < layout.channels; ++c) {
    for (size_t d = 0; d < c && !out[c] && compared < kMostCompared; ++d) {
      if (out[d] || SketchProduct(&sketches[c * kSketch], &sketches[d * kSketch]) < kCandidate)
        continue;
      const double energy = std::sqrt(s.channels[c].energy) * std::sqrt(s.channels[d].energy);
      const double cosine = comparison.Cosine(c, d, energy);
      ++compared;
      if (!(cosine > kNearCosine)) continue;
      found.near.push_back({c, d, cosine});
      out[c] = true;
    }
  }
  return found;
}

}  // namespace whit::tools
