// A model's outputs as real numbers.
#ifndef WHIT_TOOLS_WHIT_REAL_VALUES_H_
#define WHIT_TOOLS_WHIT_REAL_VALUES_H_

#include <vector>

#include "platform/status.h"
#include "runtime/whit.h"

namespace whit::tools {

/// scale * (stored - zero point), or the value where there is no scale. Float32, int8, uint8 and
/// int16; other types are bad input.
Result<std::vector<double>> RealValues(const TensorView& output);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_WHIT_REAL_VALUES_H_
