// Lists of one number an axis, as several families of operators read and write them.
#ifndef WHIT_TOOLS_IMPORT_AXES_H_
#define WHIT_TOOLS_IMPORT_AXES_H_

#include <cstdint>
#include <vector>

#include "kernels/tensor.h"

namespace whit::tools {

inline std::vector<int64_t> Dims(const Shape& s) {
  std::vector<int64_t> dims;
  for (int i = 0; i < s.rank(); ++i) dims.push_back(s[i]);
  return dims;
}

inline std::vector<uint32_t> ToU32(const std::vector<int64_t>& values) {
  return {values.begin(), values.end()};
}

/// Amounts of padding or of what is cut off, one pair an axis.
struct Amounts {
  std::vector<int64_t> before, after;
};

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_AXES_H_
