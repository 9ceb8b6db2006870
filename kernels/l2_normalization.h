// Parameters of L2Normalization as its reference reads them; the faster implementations start from
// these.
#ifndef WHIT_KERNELS_L2_NORMALIZATION_H_
#define WHIT_KERNELS_L2_NORMALIZATION_H_

#include <cstdint>

#include "kernels/elementwise.h"
#include "kernels/requantize.h"

namespace whit {

struct L2Params {
  int64_t depth = 1;
  float lo = 0, hi = 0;
  OperandInfo in;
  double inverse_scale = 1;  // 1 / s_out
  Requant requant;
};

inline constexpr float kSmallestNorm = 1e-6f;  // a zero vector stays zero

}  // namespace whit

#endif  // WHIT_KERNELS_L2_NORMALIZATION_H_
