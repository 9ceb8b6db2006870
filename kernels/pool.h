// Parameters of pools as their reference reads them; the faster implementations start from these.
#ifndef WHIT_KERNELS_POOL_H_
#define WHIT_KERNELS_POOL_H_

#include <algorithm>
#include <cstdint>

#include "kernels/rescale.h"

namespace whit {

struct PoolAxis {
  int64_t in = 0, out = 0, filter = 1, stride = 1, pad = 0;

  // Real pixels [begin, end) under output pixel `at`; never empty (prepare checked pad < filter).
  int64_t Begin(int64_t at) const { return std::max<int64_t>(at * stride - pad, 0); }
  int64_t End(int64_t at) const { return std::min(at * stride - pad + filter, in); }
};

struct PoolParams {
  PoolAxis h, w;
  int64_t channels = 0;
  Rescale rescale;  // integers
  float max_multiplier = 1;
  ClampRange clamp;  // float
};

}  // namespace whit

#endif  // WHIT_KERNELS_POOL_H_
