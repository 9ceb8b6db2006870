// From what a tensor's values were to the scale and zero point of its codes.
#ifndef WHIT_TOOLS_QUANTIZE_RANGE_H_
#define WHIT_TOOLS_QUANTIZE_RANGE_H_

#include <cstdint>
#include <span>
#include <string>

#include "tools/quantize/histogram.h"

namespace whit::tools {

/// How much of a tensor's range its 256 codes cover.
struct RangeRule {
  enum class Kind : uint8_t {
    kMinMax,      // everything that was seen
    kPercentile,  // all but a share of the values at each end
    kMse          // what makes the squared error least
  } kind = Kind::kMse;
  double percentile = 99.99;  // of kPercentile: (100 - percentile) / 2 % go at each end
};

struct Range {
  double lo = 0, hi = 0;
};

/// The real numbers that codes shall cover; 0 is always among them, as padding and ReLU need it
/// exactly. A tensor that was never anything but 0 has [0, 0].
Range ChooseRange(const Histogram& h, const RangeRule& rule);

struct Affine {
  float scale = 1;
  int32_t zero_point = 0;
};

/// int8 codes for the range: scale (hi - lo) / 255, zero point the code nearest to -128 - lo /
/// scale.
Affine AffineOf(const Range& range);

/// The code nearest to `real`; what is no number becomes that of 0, as the operator Quantize has
/// it.
int8_t CodeOf(double real, const Affine& affine);

/// The scale of symmetric codes -127..127 for one channel's weights: of 1 and 24 smaller fractions
/// of the largest magnitude / 127, the one with the least squared error. 0 where all are 0.
float WeightScale(std::span<const float> weights);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_QUANTIZE_RANGE_H_
