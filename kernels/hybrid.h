// Dynamic quantization of float activations for int8 weights (docs/arithmetic.md, 3.1).
#ifndef WHIT_KERNELS_HYBRID_H_
#define WHIT_KERNELS_HYBRID_H_

#include <cstdint>

namespace whit {

/// real = scale * (q - zero_point), q an int8.
struct DynamicQuant {
  float inverse = 1;  // 1 / scale, as computed from the range
  float scale = 1;
  int32_t zero_point = 0;
};

/// From the smallest and largest of `count` values and 0. Total for any floats, NaN and infinities
/// included.
DynamicQuant QuantOf(const float* x, int64_t count);

/// The same from the smallest and the largest of the values and 0, NaN left out.
DynamicQuant QuantOfRange(float lo, float hi);

/// dst[0 .. WidenedLength(length)) = q - zero_point in the order of product.h.
void WidenQuantized(const float* src, int64_t length, const DynamicQuant& quant, int16_t* dst);

/// One value: q - zero_point.
int32_t QuantizeOne(float x, const DynamicQuant& quant);

}  // namespace whit

#endif  // WHIT_KERNELS_HYBRID_H_
