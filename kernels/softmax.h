// Parameters of Softmax and LogSoftmax as their reference reads them; the faster implementations
// start from these.
#ifndef WHIT_KERNELS_SOFTMAX_H_
#define WHIT_KERNELS_SOFTMAX_H_

#include <cstdint>
#include <vector>

#include "kernels/requantize.h"

namespace whit {

struct SoftmaxParams {
  int64_t depth = 1;
  float beta = 1;
  std::vector<uint32_t> table;  // exp of 8-bit differences [256] or of int16 ones [256 high][256
                                // low], then logs [257]
  double inverse_scale = 1;     // Softmax: 1 / s_out
  float multiplier = 0;         // LogSoftmax: beta * s_in / s_out
  float log_multiplier = 0;     // LogSoftmax: 2^-30 / s_out
  Requant requant;
};

}  // namespace whit

#endif  // WHIT_KERNELS_SOFTMAX_H_
