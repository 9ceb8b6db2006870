// IEEE binary16 as stored in files, to and from float. Portable bit operations: gcc 12 has no half
// type in C++ on x86.
#ifndef WHIT_KERNELS_FLOAT16_H_
#define WHIT_KERNELS_FLOAT16_H_

#include <bit>
#include <cstdint>

namespace whit {

/// Exact; NaN stays NaN.
inline float FloatFromHalf(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t magnitude = half & 0x7FFFu;
  if (magnitude >= 0x7C00) {  // infinity, NaN
    return std::bit_cast<float>(sign | 0x7F800000u | (magnitude & 0x3FFu) << 13);
  }
  if (magnitude < 0x0400) {  // zero, subnormal: a count of 2^-24
    const float value = static_cast<float>(magnitude) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(value));
  }
  return std::bit_cast<float>(sign | ((magnitude << 13) + ((127u - 15u) << 23)));
}

/// Nearest, ties to even; above 65519 infinity; NaN becomes a quiet NaN.
inline uint16_t HalfFromFloat(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 16 & 0x8000u;
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return static_cast<uint16_t>(sign | 0x7E00u);
  if (magnitude >= 0x477FF000u) return static_cast<uint16_t>(sign | 0x7C00u);  // 65520
  if (magnitude < 0x38800000u) {  // below 2^-14: the addition rounds to a multiple of 2^-24
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3F000000u));
  }
  const uint32_t odd = magnitude >> 13 & 1;  // ties to even
  return static_cast<uint16_t>(sign | ((magnitude - ((127u - 15u) << 23) + 0xFFFu + odd) >> 13));
}

}  // namespace whit

#endif  // WHIT_KERNELS_FLOAT16_H_
