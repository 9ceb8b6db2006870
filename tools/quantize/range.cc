#include "tools/quantize/range.h"

#include <algorithm>
#include <cmath>

namespace whit::tools {

namespace {

Range WithZero(Range r) { return {std::min(r.lo, 0.0), std::max(r.hi, 0.0)}; }

Range Percentile(const Histogram& h, double percentile) {
  const double share = std::clamp((100 - percentile) / 200, 0.0, 0.5);
  const double drop = share * static_cast<double>(h.count());
  const auto bins = h.bins();
  Range r{static_cast<double>(h.min()), static_cast<double>(h.max())};
  double below = 0;
  for (size_t i = 0; i < bins.size(); ++i) {
    below += static_cast<double>(bins[i]);
    if (below > drop) {
      r.lo = std::max(r.lo, h.center(i) - h.bin_width() / 2);
      break;
    }
  }
  double above = 0;
  for (size_t i = bins.size(); i-- > 0;) {
    above += static_cast<double>(bins[i]);
    if (above > drop) {
      r.hi = std::min(r.hi, h.center(i) + h.bin_width() / 2);
      break;
    }
  }
  return r;
}

// Of the values, taken for the centers of their bins; rounding inside the range costs scale^2 / 12
// on average (a bin is far narrower than a step, so its center says little about the rest).
double SquaredError(const Histogram& h, const Range& r) {
  const double step = (r.hi - r.lo) / 255, rounding = step * step / 12;
  const auto bins = h.bins();
  double error = 0;
  for (size_t i = 0; i < bins.size(); ++i) {
    if (bins[i] == 0) continue;
    const double v = h.center(i), over = std::max({r.lo - v, v - r.hi, 0.0});
    error += static_cast<double>(bins[i]) * (over > 0 ? over * over : rounding);
  }
  return error;
}

// Each end by itself, twice over: of its 60 shorter versions, from 4/64 on, the best.
Range LeastError(const Histogram& h, const Range& full) {
  constexpr int kSteps = 64;
  Range best = full;
  double least = SquaredError(h, full);
  for (int pass = 0; pass < 2; ++pass) {
    for (double Range::*end : {&Range::hi, &Range::lo}) {
      for (int k = 4; k < kSteps; ++k) {
        Range r = best;
        r.*end = full.*end * k / kSteps;
        if (!(r.hi > r.lo)) continue;
        const double error = SquaredError(h, r);
        if (error < least) least = error, best = r;
      }
    }
  }
  return best;
}

}  // namespace

Range ChooseRange(const Histogram& h, const RangeRule& rule) {
  const Range full = WithZero({static_cast<double>(h.min()), static_cast<double>(h.max())});
  if (h.bins().empty() || !(full.hi > full.lo)) return full;
  switch (rule.kind) {
    case RangeRule::Kind::kMinMax:
      return full;
    case RangeRule::Kind::kPercentile:
      return WithZero(Percentile(h, rule.percentile));
    case RangeRule::Kind::kMse:
      return LeastError(h, full);
  }
  return full;
}

Affine AffineOf(const Range& range) {
  const Range r = WithZero(range);
  Affine a;
  // Where nothing was seen any scale does; it must be positive.
  a.scale = static_cast<float>((r.hi - r.lo) / 255);
  if (!(a.scale > 1e-30f)) return {1.0f / 255, -128};
  a.zero_point = static_cast<int32_t>(std::lround(-128 - r.lo / static_cast<double>(a.scale)));
  a.zero_point = std::clamp(a.zero_point, -128, 127);
  return a;
}

int8_t CodeOf(double real, const Affine& affine) {
  const double code = std::nearbyint(real / static_cast<double>(affine.scale)) + affine.zero_point;
  return static_cast<int8_t>(std::isnan(code) ? affine.zero_point
                                              : std::clamp(code, -128.0, 127.0));
}

float WeightScale(std::span<const float> weights) {
  float most = 0;
  for (float w : weights) most = std::max(most, std::abs(w));
  if (!(most > 0)) return 0;
  constexpr int kTries = 24;
  constexpr float kLeastShare = 0.7f;  // no less pays at 8 bits: clipping costs the square
  float best = most / 127;
  double least = -1;
  for (int k = 0; k <= kTries; ++k) {
    const float scale = most * (1 - (1 - kLeastShare) * static_cast<float>(k) / kTries) / 127,
                inverse = 1 / scale;
    double error = 0;
    for (float w : weights) {
      const float code = std::clamp(std::nearbyint(w * inverse), -127.0f, 127.0f);
      const float e = w - code * scale;
      error += static_cast<double>(e * e);
    }
    if (least < 0 || error < least) least = error, best = scale;
  }
  return best;
}

}  // namespace whit::tools
