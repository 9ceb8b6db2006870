// Parameters of ArgMax and ArgMin as their reference reads them; the faster implementations start
// from these.
#ifndef WHIT_KERNELS_ARG_H_
#define WHIT_KERNELS_ARG_H_

#include <cstdint>

namespace whit {

struct ArgParams {
  int64_t n = 0;      // elements of the axis
  int64_t inner = 1;  // distance of neighbours along it
};

}  // namespace whit

#endif  // WHIT_KERNELS_ARG_H_
