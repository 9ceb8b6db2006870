// Parameters of Table16 as its reference reads them; the faster implementations start from these.
#ifndef WHIT_KERNELS_TABLE_H_
#define WHIT_KERNELS_TABLE_H_

#include <array>
#include <cstdint>

#include "kernels/tables.h"

namespace whit {

struct Table16Params {
  std::array<int16_t, kTable16Entries> points;
};

}  // namespace whit

#endif  // WHIT_KERNELS_TABLE_H_
