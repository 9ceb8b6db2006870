#include "kernels/product_check.h"

#include <algorithm>

namespace whit {

namespace {

// Of every k of a group the sum over its channels, and the sum that counts each as often as its
// lane says: real weights, without their zero point.
struct ChannelSums {
  std::vector<int64_t> plain, by_lane;
  int64_t Spread(size_t k, int32_t spread) const { return plain[k] + spread * by_lane[k]; }
};

// Panels include padding, whose weights are zero (docs/layout.md, 3) and have no zero point.
ChannelSums SumsOverChannels(const RowProduct& p, int64_t group) {
  const WeightDims& d = p.dims;
  int64_t plain = 0, by_lane = 0;
  for (int64_t n = 0; n < d.group_n(); ++n) {
    plain -= p.out.weight_zero_point;
    by_lane -= p.out.weight_zero_point * (n % kPanelChannels);
  }
  const auto steps_k = static_cast<size_t>(d.steps() * kStepK);
  ChannelSums sums{std::vector(steps_k, plain), std::vector(steps_k, by_lane)};
  const auto* panel = reinterpret_cast<const int8_t*>(p.weights) + group * GroupBytes(d);
  for (int64_t q = 0; q < d.group_panels(); ++q) {
    const int64_t width = d.panel_width(q);
    for (size_t k = 0; k < steps_k; k += kStepK, panel += width * kStepK) {
      for (int64_t i = 0; i < width * kStepK; ++i) {
        const size_t at = k + static_cast<size_t>(i % kStepK);
        sums.plain[at] += panel[i];
        sums.by_lane[at] += panel[i] * (i / kStepK);
      }
    }
  }
  return sums;
}

// The largest that leaves all sums in 16 bits, so that one pass over the activations does; 0 where
// they do not fit anyway, and are large enough.
int32_t ChooseSpread(const std::vector<ChannelSums>& groups) {
  constexpr int32_t kMost = 64;
  const auto fits = [&](int32_t spread) {
    return std::all_of(groups.begin(), groups.end(), [&](const ChannelSums& sums) {
      for (size_t k = 0; k < sums.plain.size(); ++k) {
        const int64_t sum = sums.Spread(k, spread);
        if (sum < INT16_MIN || sum > INT16_MAX) return false;
      }
      return true;
    });
  };
  for (int32_t spread = kMost; spread >= 2; spread /= 2) {
    if (fits(spread)) return spread;
  }
  return 0;
}

}  // namespace

uint32_t SumOfStarts(const ChannelOutput& out, const int32_t* sums, int64_t k, int32_t act_bias,
                     int64_t begin, int64_t end, int32_t spread) {
  const auto minus = static_cast<uint32_t>(k * out.weight_zero_point);
  uint32_t total = 0;
  for (int64_t c = begin; c < end; ++c) {
    const auto sum =
        static_cast<uint32_t>(LoadAt<int32_t>(reinterpret_cast<const uint8_t*>(sums), c));
    uint32_t start = -static_cast<uint32_t>(act_bias) * (sum - minus);
    if (out.bias != nullptr) start += static_cast<uint32_t>(LoadAt<int32_t>(out.bias, c));
    total += CheckWeight(c - begin, spread) * start;
  }
  return total;
}

ProductCheck MakeProductCheck(const RowProduct& product, int32_t act_bias, int64_t chunk_bytes) {
  const WeightDims& d = product.dims;
  ProductCheck check;
  check.on = true;
  check.row_spread = RowSpread(act_bias);
  const int64_t run_k = d.run_steps() * kStepK;
  check.run_elems = CeilDiv(run_k, chunk_bytes) * chunk_bytes;
  const auto elems = static_cast<size_t>(d.groups * d.runs * check.run_elems);
  check.low.resize(elems), check.high.resize(elems);
  std::vector<ChannelSums> sums;
  for (int64_t group = 0; group < d.groups; ++group)
    sums.push_back(SumsOverChannels(product, group));
  check.spread = ChooseSpread(sums);
  for (int64_t group = 0; group < d.groups; ++group) {
    for (int64_t run = 0; run < d.runs; ++run) {
      const int64_t base = (group * d.runs + run) * check.run_elems;
      for (int64_t i = 0; i < d.run_length; ++i) {
        const int64_t sum = sums[static_cast<size_t>(group)].Spread(
            static_cast<size_t>(run * run_k + i), check.spread);
        const auto low = static_cast<int16_t>(sum);
        const auto at = static_cast<size_t>(base + PlaceInTable(i, chunk_bytes));
        check.low[at] = low;
        check.high[at] = static_cast<int16_t>((sum - low) / 65536);
      }
    }
    check.start.push_back(SumOfStarts(product.out, product.sums, d.k(), act_bias,
                                      group * d.group_n(), (group + 1) * d.group_n(),
                                      check.spread));
  }
  if (std::all_of(check.high.begin(), check.high.end(), [](int16_t h) { return h == 0; }))
    check.high.clear();
  return check;
}

}  // namespace whit
