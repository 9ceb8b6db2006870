// The checksum channel of an integer matrix product (docs/trust.md, Self-check): the sum over the
// rows of a block and all output channels of a group of the accumulators, known in two ways. The
// kernel adds up what it computed; beforehand one further channel, whose weights are the sums of
// all others, is computed alone. Both are exact modulo 2^32, so they are equal.
#ifndef WHIT_KERNELS_PRODUCT_CHECK_H_
#define WHIT_KERNELS_PRODUCT_CHECK_H_

#include <cstdint>
#include <vector>

#include "kernels/row_product.h"

namespace whit {

struct ProductCheck {
  bool on = false;
  int64_t run_elems = 0;  // of one run in the tables: activations, rounded up to chunks
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

/// Of simd::ProductI8::total or simd::DepthwiseI8::total, modulo 2^32.
inline uint32_t TotalOf(const int32_t (&lanes)[16]) {
  uint32_t sum = 0;
  for (const int32_t lane : lanes) sum += static_cast<uint32_t>(lane);
  return sum;
}

/// Where element `i` of a run is in a table of chunks of `chunk`: even ones first, then odd ones.
constexpr int64_t PlaceInTable(int64_t i, int64_t chunk) {
  return i / chunk * chunk + i % 2 * (chunk / 2) + i % chunk / 2;
}

/// What the accumulators of output channels [begin, end) begin with, added up, modulo 2^32: bias,
/// less what the bias of the activations adds. `k`: products of a channel.
uint32_t SumOfStarts(const ChannelOutput& out, const int32_t* sums, int64_t k, int32_t act_bias,
                     int64_t begin, int64_t end);

/// Reads the weights, so the caller has had them checked. `act_bias`: stored activations are
/// canonical + act_bias; `chunk_bytes`: of them a kernel takes at once. REQUIRES kInt8 and sums.
ProductCheck MakeProductCheck(const RowProduct& product, int32_t act_bias, int64_t chunk_bytes);

}  // namespace whit

#endif  // WHIT_KERNELS_PRODUCT_CHECK_H_
