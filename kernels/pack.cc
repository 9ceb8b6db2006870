#include "kernels/pack.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace whit {
namespace {

using Layout = PackedWeights::Layout;

/// Byte (panel16_i8) of channel `channel` of group `group`, run r, element i.
int64_t OffsetI8(const WeightDims& d, int64_t group, int64_t channel, int64_t r, int64_t i) {
  const int64_t panel = channel / 16;
  const int64_t step = r * d.run_steps() + i / 4;
  return group * GroupBytes(d) + 64 * d.steps() * panel + 4 * d.panel_width(panel) * step +
         4 * (channel % 16) + i % 4;
}

/// Element (panel16_f32) of a channel at k.
int64_t OffsetF32(const WeightDims& d, int64_t group, int64_t channel, int64_t k) {
  return group * GroupBytes(d) / 4 + (channel / 16 * d.k() + k) * 16 + channel % 16;
}

/// Element (depthwise layouts) of a channel at a tap.
int64_t OffsetDw(int64_t taps, int64_t channel, int64_t tap) {
  return (channel / 16 * taps + tap) * 16 + channel % 16;
}

/// Calls f(index in the logical order, element index in the packed order) for every weight.
template <typename F>
void ForEachWeight(const PackedWeights& w, F f) {
  const int64_t k_total = w.k();
  if (w.layout == Layout::kDw16I8 || w.layout == Layout::kDw16F32) {
    for (int64_t tap = 0; tap < k_total; ++tap) {
      for (int64_t c = 0; c < w.n; ++c) f(tap * w.n + c, OffsetDw(k_total, c, tap));
    }
    return;
  }
  const WeightDims d = DimsOf(w);
  for (int64_t n = 0; n < w.n; ++n) {
    const int64_t group = n / d.group_n(), channel = n % d.group_n();
    for (int64_t r = 0; r < w.runs; ++r) {
      for (int64_t i = 0; i < w.run_length; ++i) {
        const int64_t k = r * w.run_length + i;
        f(n * k_total + k, w.layout == Layout::kPanel16F32 ? OffsetF32(d, group, channel, k)
                                                           : OffsetI8(d, group, channel, r, i));
      }
    }
  }
}

template <typename T>
PackedArrays Pack(Layout layout, std::span<const T> logical, int64_t n, int64_t groups,
                  int64_t runs, int64_t run_length) {
  PackedArrays a;
  a.layout = layout;
  a.groups = groups;
  a.n = n;
  a.runs = runs;
  a.run_length = run_length;
  const WeightDims d = DimsOf(a.View());
  assert(WeightDimsError(d) == nullptr);
  assert(logical.size() == static_cast<size_t>(n * d.k()));
  a.data.resize(static_cast<size_t>(WeightDataBytes(d)));
  ForEachWeight(a.View(), [&](int64_t from, int64_t to) {
    std::memcpy(a.data.data() + static_cast<size_t>(to) * sizeof(T),
                &logical[static_cast<size_t>(from)], sizeof(T));
  });
  if (layout == Layout::kPanel16I8 || layout == Layout::kDw16I8) a.sums = ComputeSums(a.View());
  if (layout == Layout::kPanel16I8) {
    a.limits = ComputeLimits(a.View());
    a.pair_flags = ComputePairFlags(a.View());
  }
  return a;
}

template <typename T>
std::vector<T> Unpack(const PackedWeights& w) {
  std::vector<T> logical(static_cast<size_t>(w.n * w.k()));
  const auto* bytes = static_cast<const uint8_t*>(w.data);
  ForEachWeight(w, [&](int64_t to, int64_t from) {
    std::memcpy(&logical[static_cast<size_t>(to)], bytes + static_cast<size_t>(from) * sizeof(T),
                sizeof(T));
  });
  return logical;
}

/// One panel of panel16_i8 as the derived arrays see it.
struct PanelBytes {
  const int8_t* data;
  int64_t width;
  const int8_t* Quad(int64_t step, int64_t channel) const {
    return data + 4 * (width * step + channel);
  }
};

PanelBytes PanelAt(const PackedWeights& w, const WeightDims& d, int64_t panel) {
  const int64_t group = panel / d.group_panels(), q = panel % d.group_panels();
  return {static_cast<const int8_t*>(w.data) + group * GroupBytes(d) + 64 * d.steps() * q,
          d.panel_width(q)};
}

/// What two neighbouring products of one vpmaddubsw can add up to for activations of 1: both signs.
struct PairRange {
  int pos = 0, neg = 0;
};
PairRange RangeOf(const int8_t* two) {
  return {std::max<int>(two[0], 0) + std::max<int>(two[1], 0),
          std::max(-int{two[0]}, 0) + std::max(-int{two[1]}, 0)};
}

uint8_t Threshold(int worst) {
  return static_cast<uint8_t>(worst == 0 ? 255 : std::min(255, 32767 / worst));
}

/// Largest activation for `steps` (1 or 2) steps from `step` that share one 16-bit sum.
uint8_t LimitOf(const PanelBytes& panel, int64_t step, int64_t steps) {
  int worst = 0;
  for (int64_t c = 0; c < panel.width; ++c) {
    for (int half = 0; half < 4; half += 2) {
      PairRange sum;
      for (int64_t s = step; s < step + steps; ++s) {
        const PairRange one = RangeOf(panel.Quad(s, c) + half);
        sum.pos += one.pos;
        sum.neg += one.neg;
      }
      worst = std::max({worst, sum.pos, sum.neg});
    }
  }
  return Threshold(worst);
}

}  // namespace

Runs ConvRuns(int64_t kernel_h, int64_t kernel_w, int64_t cin_per_group, int64_t groups,
              int64_t dilation_w) {
  if (groups == 1 && dilation_w == 1) return {kernel_h, kernel_w * cin_per_group};
  return {kernel_h * kernel_w, cin_per_group};
}

WeightDims DimsOf(const PackedWeights& w) {
  return {.layout = static_cast<WeightLayout>(w.layout),
          .groups = w.groups,
          .n = w.n,
          .runs = w.runs,
          .run_length = w.run_length};
}

PackedWeights PackedArrays::View() const {
  PackedWeights w;
  w.layout = layout;
  w.groups = groups;
  w.n = n;
  w.runs = runs;
  w.run_length = run_length;
  w.shape = shape;
  w.data = data.data();
  w.data_bytes = data.size();
  w.sums = sums.empty() ? nullptr : sums.data();
  w.limits = limits.empty() ? nullptr : limits.data();
  w.pair_flags = pair_flags.empty() ? nullptr : pair_flags.data();
  w.scale = scale;
  w.zero_point = zero_point;
  return w;
}

PackedArrays PackPanel16I8(std::span<const int8_t> ohwi, int64_t n, int64_t groups, int64_t runs,
                           int64_t run_length) {
  return Pack(Layout::kPanel16I8, ohwi, n, groups, runs, run_length);
}

PackedArrays PackPanel16F32(std::span<const float> ohwi, int64_t n, int64_t groups, int64_t runs,
                            int64_t run_length) {
  return Pack(Layout::kPanel16F32, ohwi, n, groups, runs, run_length);
}

PackedArrays PackDw16I8(std::span<const int8_t> hwc, int64_t taps, int64_t channels) {
  return Pack(Layout::kDw16I8, hwc, channels, 1, taps, 1);
}

PackedArrays PackDw16F32(std::span<const float> hwc, int64_t taps, int64_t channels) {
  return Pack(Layout::kDw16F32, hwc, channels, 1, taps, 1);
}

std::vector<int8_t> UnpackI8(const PackedWeights& w) { return Unpack<int8_t>(w); }
std::vector<float> UnpackF32(const PackedWeights& w) { return Unpack<float>(w); }

std::vector<int32_t> ComputeSums(const PackedWeights& w) {
  std::vector<uint32_t> sums(static_cast<size_t>(w.n));
  const auto* values = static_cast<const int8_t*>(w.data);
  const bool depthwise = w.layout == Layout::kDw16I8;
  ForEachWeight(w, [&](int64_t logical, int64_t packed) {
    const int64_t n = depthwise ? logical % w.n : logical / w.k();
    sums[static_cast<size_t>(n)] += static_cast<uint32_t>(int32_t{values[packed]});
  });
  return std::vector<int32_t>(sums.begin(), sums.end());
}

std::vector<uint8_t> ComputeLimits(const PackedWeights& w) {
  const WeightDims d = DimsOf(w);
  std::vector<uint8_t> limits(static_cast<size_t>(WeightLimitsBytes(d)));
  for (int64_t q = 0; q < d.panels(); ++q) {
    const PanelBytes panel = PanelAt(w, d, q);
    uint8_t* limit1 = limits.data() + q * d.steps();
    uint8_t* limit2 = limits.data() + Limit1Bytes(d) + q * d.step_pairs();
    for (int64_t s = 0; s < d.steps(); ++s) limit1[s] = LimitOf(panel, s, 1);
    // A pair without a second step stays 0: it never runs as a pair.
    for (int64_t s = 0; s + 1 < d.steps(); s += 2) limit2[s / 2] = LimitOf(panel, s, 2);
  }
  return limits;
}

std::vector<uint8_t> ComputePairFlags(const PackedWeights& w) {
  const WeightDims d = DimsOf(w);
  std::vector<uint8_t> flags(static_cast<size_t>(WeightPairFlagsBytes(d)));
  for (int64_t q = 0; q < d.panels(); ++q) {
    const PanelBytes panel = PanelAt(w, d, q);
    for (int64_t s = 0; s < d.steps(); ++s) {
      const bool has_next = s % 2 == 0 && s + 1 < d.steps();
      for (int64_t c = 0; c < panel.width; ++c) {
        const int8_t* now = panel.Quad(s, c);
        for (int j = 0; j < 4; ++j) {
          if (now[j] != -128) continue;
          if (has_next && panel.Quad(s + 1, c)[j] == -128) flags[static_cast<size_t>(q)] |= 1;
          if (j < 2 && now[j + 2] == -128) flags[static_cast<size_t>(q)] |= 2;
        }
      }
    }
  }
  return flags;
}

int32_t FoldBias(int32_t bias, int32_t sum_of_weights, int64_t k, int32_t input_zero_point,
                 int32_t weight_zero_point) {
  const auto u = [](int64_t v) { return static_cast<uint32_t>(v); };
  return static_cast<int32_t>(u(bias) - u(input_zero_point) * u(sum_of_weights) +
                              u(k) * u(input_zero_point) * u(weight_zero_point));
}

bool AccumulatorFits(int64_t k, int64_t max_abs_bias, bool has_zero_point) {
  const int64_t a = has_zero_point ? 255 : 128;
  constexpr int64_t kLimit = int64_t{1} << 31;
  return k >= 0 && max_abs_bias >= 0 && max_abs_bias < kLimit && k < kLimit &&
         k * 255 * a < kLimit - max_abs_bias;
}

}  // namespace whit
