// Elements of big-endian files.
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_BYTE_ORDER_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_BYTE_ORDER_H_

#include <algorithm>
#include <cstddef>
#include <vector>

#include "tools/import/weights/element_type.h"

namespace whit::tools {

/// Turns every number's bytes around; of complex elements both numbers.
inline void SwapBytes(ElementType type, std::vector<std::byte>* bytes) {
  const size_t size = IsComplex(type) ? ElementSize(type) / 2 : ElementSize(type);
  for (size_t i = 0; size > 1 && i + size <= bytes->size(); i += size) {
    const auto at = bytes->begin() + static_cast<std::ptrdiff_t>(i);
    std::reverse(at, at + static_cast<std::ptrdiff_t>(size));
  }
}

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_BYTE_ORDER_H_
