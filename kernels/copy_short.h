// Copies of a few bytes, whose number is known at run time only, without a call.
#ifndef WHIT_KERNELS_COPY_SHORT_H_
#define WHIT_KERNELS_COPY_SHORT_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace whit {

/// memcpy that is fast for single elements and for rows of some multiples of 16 bytes.
inline void CopyShort(uint8_t* to, const uint8_t* from, size_t bytes) {
  switch (bytes) {
    case 1:
      *to = *from;
      return;
    case 2:
      std::memcpy(to, from, 2);
      return;
    case 4:
      std::memcpy(to, from, 4);
      return;
    case 8:
      std::memcpy(to, from, 8);
      return;
    default:
      break;
  }
  constexpr size_t kUnit = 16, kLongest = 16 * kUnit;  // longer ones are worth the call
  if (bytes % kUnit != 0 || bytes > kLongest) {
    std::memcpy(to, from, bytes);
    return;
  }
  for (size_t i = 0; i < bytes; i += kUnit) std::memcpy(to + i, from + i, kUnit);
}

}  // namespace whit

#endif  // WHIT_KERNELS_COPY_SHORT_H_
