#include "kernels/hybrid.h"

#include <algorithm>

#include "kernels/requantize.h"

namespace whit {

DynamicQuant QuantOf(const float* x, int64_t count) {
  // Eight minima and maxima at a time: the compiler keeps them in vectors. NaN compares false and
  // is left out.
  constexpr int kLanes = 8;
  float least[kLanes] = {}, most[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int j = 0; j < kLanes; ++j) {
      least[j] = x[i + j] < least[j] ? x[i + j] : least[j];
      most[j] = x[i + j] > most[j] ? x[i + j] : most[j];
    }
  }
  for (; i < count; ++i) {
    least[0] = x[i] < least[0] ? x[i] : least[0];
    most[0] = x[i] > most[0] ? x[i] : most[0];
  }
  return QuantOfRange(*std::min_element(least, least + kLanes),
                      *std::max_element(most, most + kLanes));
}

DynamicQuant QuantOfRange(float lo, float hi) {
  DynamicQuant q;
  if (lo == hi) return q;  // all zero
  q.inverse = 255.0f / (hi - lo);
  q.scale = (hi - lo) / 255.0f;
  // The zero point comes from the end whose rounding error is smaller.
  const float from_lo = -128.0f - lo * q.inverse, from_hi = 127.0f - hi * q.inverse;
  const bool use_lo = (-128.0f + lo * q.inverse) + (127.0f + hi * q.inverse) > 0;
  q.zero_point = RoundSmall(ClampFloat(use_lo ? from_lo : from_hi, -128.0f, 127.0f));
  return q;
}

int32_t QuantizeOne(float x, const DynamicQuant& quant) {
  const auto zp = static_cast<float>(quant.zero_point);
  return RoundSmall(ClampFloat(x * quant.inverse, -128.0f - zp, 127.0f - zp));
}

void WidenQuantized(const float* src, int64_t length, const DynamicQuant& quant, int16_t* dst) {
  const auto zp = static_cast<float>(quant.zero_point);
  const float lo = -128.0f - zp, hi = 127.0f - zp;
  for (int64_t i = 0; i < length; i += 4) {
    int32_t q[4] = {};
    const int64_t count = std::min<int64_t>(4, length - i);
    for (int64_t j = 0; j < count; ++j) {
      q[j] = RoundSmall(ClampFloat(src[i + j] * quant.inverse, lo, hi));
    }
    dst[i] = static_cast<int16_t>(q[0]);
    dst[i + 1] = static_cast<int16_t>(q[2]);
    dst[i + 2] = static_cast<int16_t>(q[1]);
    dst[i + 3] = static_cast<int16_t>(q[3]);
  }
}

}  // namespace whit
