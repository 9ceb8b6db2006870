// What the two detection operators share: boxes, their overlap, and an exponential that gives the
// same bits everywhere.
#ifndef WHIT_KERNELS_BOXES_H_
#define WHIT_KERNELS_BOXES_H_

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>

namespace whit {

/// Two diagonal corners, as they lie in a tensor [N,4].
struct Box {
  float y1, x1, y2, x2;
};
static_assert(sizeof(Box) == 16);

/// Area of the intersection over area of the union, in f32; 0 where either area is not above 0.
inline float Overlap(const Box& a, const Box& b) {
  const float a_top = std::min(a.y1, a.y2), a_bottom = std::max(a.y1, a.y2);
  const float a_left = std::min(a.x1, a.x2), a_right = std::max(a.x1, a.x2);
  const float b_top = std::min(b.y1, b.y2), b_bottom = std::max(b.y1, b.y2);
  const float b_left = std::min(b.x1, b.x2), b_right = std::max(b.x1, b.x2);
  const float area_a = (a_bottom - a_top) * (a_right - a_left);
  const float area_b = (b_bottom - b_top) * (b_right - b_left);
  if (!(area_a > 0) || !(area_b > 0)) return 0;
  const float height = std::max(std::min(a_bottom, b_bottom) - std::max(a_top, b_top), 0.0f);
  const float width = std::max(std::min(a_right, b_right) - std::max(a_left, b_left), 0.0f);
  const float both = height * width;
  return both / (area_a + area_b - both);
}

/// e^x by IEEE double operations in a stated order (docs/arithmetic.md, 4): integer outputs (which
/// box wins) depend on it, so libm cannot be asked. Relative error below 2^-50; 0 below -708,
/// infinity above 709.
inline double StatedExp(double x) {
  if (x != x) return x;
  if (x < -708) return 0;
  if (x > 709) return std::numeric_limits<double>::infinity();
  constexpr double kLog2e = 0x1.71547652b82fep0;
  constexpr double kLn2High = 0x1.62e42fee00000p-1;  // 21 low bits are 0: n * kLn2High is exact
  constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
  const double scaled = x * kLog2e;
  const auto n = static_cast<int64_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
  const double count = static_cast<double>(n);
  const double r = (x - count * kLn2High) - count * kLn2Low;  // |r| < 0.35
  double sum = 1;
  for (int k = 13; k >= 1; --k)
    sum = 1 + r * sum / k;  // Taylor, innermost term first; r^14 / 14! < 2^-57
  return sum * std::bit_cast<double>(static_cast<uint64_t>(n + 1023) << 52);
}

}  // namespace whit

#endif  // WHIT_KERNELS_BOXES_H_
