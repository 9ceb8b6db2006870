#include "kernels/product_check.h"

#include <algorithm>

namespace whit {

namespace {

// Sums over the channels of a group of every k of its panels, padding included (whose weights are
// zero): docs/layout.md, 3.
std::vector<int32_t> SumsOverChannels(const RowProduct& p, int64_t group) {
  const WeightDims& d = p.dims;
  std::vector<int32_t> sums(static_cast<size_t>(d.steps() * kStepK));
  const auto* panel = reinterpret_cast<const int8_t*>(p.weights) + group * GroupBytes(d);
  for (int64_t q = 0; q < d.group_panels(); ++q) {
    const int64_t width = d.panel_width(q);
    for (size_t k = 0; k < sums.size(); k += kStepK, panel += width * kStepK) {
      for (int64_t i = 0; i < width * kStepK; ++i)
        sums[k + static_cast<size_t>(i % kStepK)] += panel[i];
    }
  }
  return sums;
}

}  // namespace

uint32_t SumOfStarts(const ChannelOutput& out, const int32_t* sums, int64_t k, int32_t act_bias,
                     int64_t begin, int64_t end) {
  const auto minus = static_cast<uint32_t>(k * out.weight_zero_point);
  uint32_t start = 0;
  for (int64_t c = begin; c < end; ++c) {
    if (out.bias != nullptr) start += static_cast<uint32_t>(LoadAt<int32_t>(out.bias, c));
    const auto sum =
        static_cast<uint32_t>(LoadAt<int32_t>(reinterpret_cast<const uint8_t*>(sums), c));
    start -= static_cast<uint32_t>(act_bias) * (sum - minus);
  }
  return start;
}

ProductCheck MakeProductCheck(const RowProduct& product, int32_t act_bias, int64_t chunk_bytes) {
  const WeightDims& d = product.dims;
  ProductCheck check;
  check.on = true;
  const int64_t run_k = d.run_steps() * kStepK;
  check.run_elems = CeilDiv(run_k, chunk_bytes) * chunk_bytes;
  const auto elems = static_cast<size_t>(d.groups * d.runs * check.run_elems);
  check.low.resize(elems), check.high.resize(elems);
  const auto zeros = static_cast<int32_t>(d.group_n() * product.out.weight_zero_point);
  for (int64_t group = 0; group < d.groups; ++group) {
    const std::vector<int32_t> sums = SumsOverChannels(product, group);
    for (int64_t run = 0; run < d.runs; ++run) {
      const int64_t base = (group * d.runs + run) * check.run_elems;
      for (int64_t i = 0; i < d.run_length; ++i) {
        const int32_t sum = sums[static_cast<size_t>(run * run_k + i)] - zeros;
        const auto low = static_cast<int16_t>(sum);
        const auto at = static_cast<size_t>(base + PlaceInTable(i, chunk_bytes));
        check.low[at] = low;
        check.high[at] = static_cast<int16_t>((sum - low) / 65536);
      }
    }
    check.start.push_back(SumOfStarts(product.out, product.sums, d.k(), act_bias,
                                      group * d.group_n(), (group + 1) * d.group_n()));
  }
  if (std::all_of(check.high.begin(), check.high.end(), [](int16_t h) { return h == 0; }))
    check.high.clear();
  return check;
}

}  // namespace whit
