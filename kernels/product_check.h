// The checksum channel of an integer matrix product (docs/trust.md, Self-check): a sum over the
// rows of a block and all output channels of a group of the accumulators, known in two ways. The
// kernel adds up what it computed; beforehand one further channel, whose weights are the sums of
// all others, is computed alone. Both are exact modulo 2^32, so they are equal.
//
// Channels count with an odd weight, that of their lane: an activation is found wrong unless the
// weights that it meets sum to 0, which few do by accident if the sums are large. Where stored
// activations are signed, rows count with an odd weight too: the same holds for a weight and the
// activations that it meets. (Unsigned ones sum to more than 0.) Odd numbers have an inverse modulo
// 2^32, so a change of one accumulator cannot vanish.
#ifndef WHIT_KERNELS_PRODUCT_CHECK_H_
#define WHIT_KERNELS_PRODUCT_CHECK_H_

#include <cstdint>
#include <vector>

#include "kernels/row_product.h"

namespace whit {

struct ProductCheck {
  bool on = false;
  int64_t run_elems = 0;   // of one run in the tables: activations, rounded up to chunks
  int32_t spread = 0;      // channel n of a group counts 1 + spread * (n % 16) times; even
  int32_t row_spread = 0;  // row i of a block counts 1 + row_spread * i times; even
  // [groups][runs][run_elems], chunk by chunk: those of even bytes, then those of odd ones. A sum
  // over channels is low + 65536 * high; high is empty where all are 0, as in nearly every layer.
  std::vector<int16_t> low, high;
  std::vector<uint32_t> start;  // [groups]: sum of the channels' start values

  const int16_t* Low(const WeightDims& d, int64_t group) const {
    return low.data() + group * d.runs * run_elems;
  }
  const int16_t* High(const WeightDims& d, int64_t group) const {
    return high.empty() ? nullptr : high.data() + group * d.runs * run_elems;
  }
};

/// How often channel `n` of a group counts.
constexpr uint32_t CheckWeight(int64_t n, int32_t spread) {
  return static_cast<uint32_t>(1 + spread * (n % kPanelChannels));
}

/// ProductCheck::row_spread for stored activations that are canonical + act_bias. Two rows of
/// signed ones cancel where one activation is -(1 + 64 i) times the other: 8 bits leave few.
constexpr int32_t RowSpread(int32_t act_bias) { return act_bias == 0 ? 64 : 0; }

/// How often row `i` of a block counts, and the first `count` together, modulo 2^32.
constexpr uint32_t CheckRowWeight(int64_t i, int32_t row_spread) {
  return 1 + static_cast<uint32_t>(row_spread) * static_cast<uint32_t>(i);
}
constexpr uint32_t SumOfRowWeights(int64_t count, int32_t row_spread) {
  return static_cast<uint32_t>(count) +
         static_cast<uint32_t>(row_spread) * static_cast<uint32_t>(count * (count - 1) / 2);
}

/// Of simd::ProductI8::total, modulo 2^32; with spread 0 of simd::DepthwiseI8::total.
inline uint32_t TotalOf(const int32_t (&lanes)[kPanelChannels], int32_t spread) {
  uint32_t sum = 0;
  for (int64_t l = 0; l < kPanelChannels; ++l)
    sum += CheckWeight(l, spread) * static_cast<uint32_t>(lanes[l]);
  return sum;
}

/// Where element `i` of a run is in a table of chunks of `chunk`: even ones first, then odd ones.
constexpr int64_t PlaceInTable(int64_t i, int64_t chunk) {
  return i / chunk * chunk + i % 2 * (chunk / 2) + i % chunk / 2;
}

/// What the accumulators of output channels [begin, end) begin with, added up as `spread` says,
/// modulo 2^32: bias, less what the bias of the activations adds. `k`: products of a channel.
uint32_t SumOfStarts(const ChannelOutput& out, const int32_t* sums, int64_t k, int32_t act_bias,
                     int64_t begin, int64_t end, int32_t spread);

/// Reads the weights, so the caller has had them checked. `act_bias`: stored activations are
/// canonical + act_bias; `chunk_bytes`: of them a kernel takes at once. REQUIRES kInt8 and sums.
ProductCheck MakeProductCheck(const RowProduct& product, int32_t act_bias, int64_t chunk_bytes);

}  // namespace whit

#endif  // WHIT_KERNELS_PRODUCT_CHECK_H_
