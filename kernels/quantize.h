// Quantize and Dequantize as their references read them; the faster implementations start from
// these.
#ifndef WHIT_KERNELS_QUANTIZE_H_
#define WHIT_KERNELS_QUANTIZE_H_

#include <cstdint>
#include <vector>

#include "kernels/requantize.h"

namespace whit {

// int32 outputs are formed in double: 2^31 is beyond float's integers.
struct WideRequant {
  double lo = 0, hi = 0;  // less the zero point
  int64_t zero_point = 0;
};

struct QuantizeParams {
  int64_t zero_in = 0;
  float scale_out = 1;   // float input
  float multiplier = 1;  // integer input: s_in / s_out
  double wide_multiplier = 1;
  Requant requant;
  WideRequant wide;
};

struct DequantizeParams {
  std::vector<float> scale;  // [1] or one an index of the axis
  std::vector<int64_t> zero_point;
  int64_t inner = 1;  // elements behind the axis
  float lo = 0, hi = 0;
};

}  // namespace whit

#endif  // WHIT_KERNELS_QUANTIZE_H_
