#include "tools/quantize/histogram.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace whit::tools {

namespace {

// The smallest power of two that is not below `value`.
double PowerAbove(double value) { return std::exp2(std::ceil(std::log2(value))); }

}  // namespace

void Histogram::Grow(double reach) {
  if (bins_.empty()) {
    bins_.assign(kBins, 0);
    reach_ = reach;
    return;
  }
  for (; reach_ < reach; reach_ *= 2) {
    std::vector<uint64_t> wider(kBins, 0);
    for (size_t i = 0; i < kBins; ++i) wider[kBins / 4 + i / 2] += bins_[i];
    bins_ = std::move(wider);
  }
}

void Histogram::Add(std::span<const float> values) {
  float most = 0;
  for (float v : values) {
    if (!std::isfinite(v)) continue;
    most = std::max(most, std::abs(v));
    min_ = count_ == 0 ? v : std::min(min_, v);
    max_ = count_ == 0 ? v : std::max(max_, v);
    ++count_;
  }
  if (most > 0 && static_cast<double>(most) > reach_) Grow(PowerAbove(static_cast<double>(most)));
  const double scale = reach_ > 0 ? kBins / (2 * reach_) : 0;
  for (float v : values) {
    if (!std::isfinite(v)) {
      ++not_finite_;
    } else if (bins_.empty()) {
      ++zeros_;
    } else {
      const double at = (static_cast<double>(v) + reach_) * scale;
      ++bins_[std::min(kBins - 1, static_cast<size_t>(std::max(at, 0.0)))];
    }
  }
  if (!bins_.empty() && zeros_ > 0) {  // those that came before there was a range
    bins_[kBins / 2] += zeros_;
    zeros_ = 0;
  }
}

}  // namespace whit::tools
