// Parameters of resizing as its reference makes them; the faster implementations start from these.
#ifndef WHIT_KERNELS_RESIZE_H_
#define WHIT_KERNELS_RESIZE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace whit {

/// Bits of an integer weight, by the size of an element. 8-bit values: 2 * 11 and the 9 bits of a
/// difference fit an int32. 16-bit ones take 15, so that a weight's rounding moves a difference of
/// full range by one step at most; sums are int64.
inline constexpr int WeightBits(size_t element_bytes) { return element_bytes == 1 ? 11 : 15; }

/// The two input pixels that an output pixel lies between, and the share of the second one.
struct Tap {
  int64_t low = 0, high = 0;
  float weight = 0;          // [0, 1)
  int32_t fixed_weight = 0;  // in units of 2^-WeightBits
};

struct ResizeParams {
  std::vector<Tap> rows, columns;  // one an output pixel of the axis; nearest uses `low` alone
  int64_t in_h = 0, in_w = 0, out_h = 0, out_w = 0, channels = 0;
  size_t pixel_bytes = 0;
};

}  // namespace whit

#endif  // WHIT_KERNELS_RESIZE_H_
