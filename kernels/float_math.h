// Elementary functions of floats from IEEE operations alone: the same bits on every CPU and C
// library, and loops over them vectorize. Within 3e-7 relative of the true value. For float results
// only; integers use stored tables.
#ifndef WHIT_KERNELS_FLOAT_MATH_H_
#define WHIT_KERNELS_FLOAT_MATH_H_

#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/requantize.h"

namespace whit {

/// e^x, with infinity, subnormals and zero where they belong; NaN stays NaN.
inline float ExpFloat(float x) {
  // Beyond these e^x is infinite or rounds to 0 whatever x is. Written so that NaN passes.
  float c = x > 89.0f ? 89.0f : x;
  c = c < -104.0f ? -104.0f : c;
  // x = n ln 2 + r, |r| <= ln 2 / 2. ln 2 in two parts, the first so short that n times it is
  // exact.
  const int32_t n = RoundSmall(c * 1.44269504f);
  const float nf = static_cast<float>(n);
  const float r = (c - nf * 0.693359375f) - nf * -2.12194440e-4f;
  // Taylor: the next term is below r^7 / 7! = 1.2e-7.
  float p = 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  // 2^n in two factors, neither of which overflows; unsigned, as n is arbitrary for NaN.
  const uint32_t half = static_cast<uint32_t>(n >> 1), rest = static_cast<uint32_t>(n) - half;
  return p * std::bit_cast<float>((half + 127u) << 23) * std::bit_cast<float>((rest + 127u) << 23);
}

inline float LogisticFloat(float x) { return 1.0f / (1.0f + ExpFloat(-x)); }

inline float TanhFloat(float x) {
  const float a = std::fabs(x), z = x * x;
  // Taylor below 0.4 (the next term is 6e-8 there), where 1 - 2 / (e + 1) would cancel.
  float p = -1382.0f / 155925;
  p = p * z + 62.0f / 2835;
  p = p * z + -17.0f / 315;
  p = p * z + 2.0f / 15;
  p = p * z + -1.0f / 3;
  const float small = x + x * z * p;
  const float large = std::copysign(1.0f - 2.0f / (ExpFloat(2.0f * a) + 1.0f), x);
  return a < 0.4f ? small : large;
}

}  // namespace whit

#endif  // WHIT_KERNELS_FLOAT_MATH_H_
