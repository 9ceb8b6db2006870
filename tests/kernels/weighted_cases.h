// CaseRandom cases of the operators with packed weights, and what they should give: naive sums over
// logical weights, written from docs/arithmetic.md alone.
#ifndef WHIT_TESTS_KERNELS_WEIGHTED_CASES_H_
#define WHIT_TESTS_KERNELS_WEIGHTED_CASES_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "kernels/pack.h"
#include "tests/kernels/op_tester.h"

namespace whit {

class CaseRandom {
 public:
  explicit CaseRandom(uint32_t seed) : bits_(seed) {}
  int64_t In(int64_t lo, int64_t hi) {  // inclusive
    return lo + static_cast<int64_t>(bits_() % static_cast<uint64_t>(hi - lo + 1));
  }
  bool Chance(int one_in) { return In(1, one_in) == 1; }
  float Real(float lo, float hi) {
    return lo + (hi - lo) * static_cast<float>(bits_() % 65536) / 65536.0f;
  }
  /// `extreme`: only the ends of the range.
  template <typename T>
  std::vector<T> Integers(int64_t count, int64_t lo, int64_t hi, bool extreme = false) {
    std::vector<T> v(static_cast<size_t>(count));
    for (auto& x : v) x = static_cast<T>(extreme ? (Chance(2) ? lo : hi) : In(lo, hi));
    return v;
  }
  std::vector<float> Reals(int64_t count, float lo, float hi) {
    std::vector<float> v(static_cast<size_t>(count));
    for (auto& x : v) x = Real(lo, hi);
    return v;
  }

 private:
  std::mt19937_64 bits_;
};

/// A convolution of any form, in logical order. kernel weights: [O,H,W,I], depthwise [H,W,O].
struct ConvCase {
  int64_t batch = 1, h = 1, w = 1, cin = 1, cout = 1, kh = 1, kw = 1, groups = 1;
  int64_t stride_h = 1, stride_w = 1, dil_h = 1, dil_w = 1;
  int64_t top = 0, bottom = 0, left = 0, right = 0;
  bool depthwise = false, transposed = false;

  int64_t out_h() const { return Out(h, kh, stride_h, dil_h, top, bottom); }
  int64_t out_w() const { return Out(w, kw, stride_w, dil_w, left, right); }
  int64_t k() const { return kh * kw * (depthwise ? 1 : cin / groups); }
  Shape x_shape() const { return {batch, h, w, cin}; }
  Shape y_shape() const { return {batch, out_h(), out_w(), cout}; }
  Shape w_shape() const {
    return depthwise ? Shape{kh, kw, cout} : Shape{cout, kh, kw, cin / groups};
  }
  std::string ToString() const {
    return x_shape().ToString() + " * " + w_shape().ToString() + " -> " + y_shape().ToString() +
           " stride " + std::to_string(stride_h) + "," + std::to_string(stride_w) + " dilation " +
           std::to_string(dil_h) + "," + std::to_string(dil_w) + " pad " + std::to_string(top) +
           "," + std::to_string(bottom) + "," + std::to_string(left) + "," + std::to_string(right) +
           " groups " + std::to_string(groups);
  }

  /// Calls f(output index, output channel, input index or -1 for padding, weight index) for every
  /// product.
  template <typename F>
  void ForEachProduct(F f) const {
    for (int64_t b = 0; b < batch; ++b) {
      for (int64_t oy = 0; oy < out_h(); ++oy) {
        for (int64_t ox = 0; ox < out_w(); ++ox) {
          for (int64_t o = 0; o < cout; ++o) {
            ForEachTap(b, oy, ox, o, ((b * out_h() + oy) * out_w() + ox) * cout + o, f);
          }
        }
      }
    }
  }

  fbs::ConvOptionsT Options() const {
    fbs::ConvOptionsT t;
    t.stride_h = static_cast<uint32_t>(stride_h), t.stride_w = static_cast<uint32_t>(stride_w);
    t.dilation_h = static_cast<uint32_t>(dil_h), t.dilation_w = static_cast<uint32_t>(dil_w);
    t.pad_top = static_cast<uint32_t>(top), t.pad_bottom = static_cast<uint32_t>(bottom);
    t.pad_left = static_cast<uint32_t>(left), t.pad_right = static_cast<uint32_t>(right);
    return t;
  }

  Runs runs() const {
    if (transposed) return {kh * kw, cin};
    return ConvRuns(kh, kw, cin / groups, groups, dil_w);
  }
  PackedArrays Pack(const std::vector<int8_t>& weights) const {
    PackedArrays a = depthwise
                         ? PackDw16I8(weights, kh * kw, cout)
                         : PackPanel16I8(weights, cout, groups, runs().runs, runs().run_length);
    a.shape = w_shape();
    a.scale = {1.0f};
    return a;
  }
  PackedArrays Pack(const std::vector<float>& weights) const {
    PackedArrays a = depthwise
                         ? PackDw16F32(weights, kh * kw, cout)
                         : PackPanel16F32(weights, cout, groups, runs().runs, runs().run_length);
    a.shape = w_shape();
    return a;
  }

 private:
  int64_t Out(int64_t in, int64_t kernel, int64_t stride, int64_t dil, int64_t before,
              int64_t after) const {
    if (transposed) return (in - 1) * stride + kernel - before - after;
    return (in + before + after - ((kernel - 1) * dil + 1)) / stride + 1;
  }
  template <typename F>
  void ForEachTap(int64_t b, int64_t oy, int64_t ox, int64_t o, int64_t out, F f) const {
    for (int64_t ky = 0; ky < kh; ++ky) {
      for (int64_t kx = 0; kx < kw; ++kx) {
        int64_t iy = oy * stride_h - top + ky * dil_h, ix = ox * stride_w - left + kx * dil_w;
        bool inside = iy >= 0 && iy < h && ix >= 0 && ix < w;
        if (transposed) {
          iy = oy + top - ky, ix = ox + left - kx;
          inside = iy >= 0 && ix >= 0 && iy % stride_h == 0 && ix % stride_w == 0;
          iy /= stride_h, ix /= stride_w;
          inside = inside && iy < h && ix < w;
          if (!inside) continue;  // nothing lands
        }
        const int64_t pixel = ((b * h + iy) * w + ix) * cin;
        if (depthwise) {
          f(out, o, inside ? pixel + o / (cout / cin) : -1, (ky * kw + kx) * cout + o);
          continue;
        }
        const int64_t per_group = cin / groups, first = o / (cout / groups) * per_group;
        for (int64_t i = 0; i < per_group; ++i) {
          f(out, o, inside ? pixel + first + i : -1, ((o * kh + ky) * kw + kx) * per_group + i);
        }
      }
    }
  }
};

/// docs/arithmetic.md, 2, from double arithmetic that is exact here, with the library's rounding.
inline int32_t RequantizeOracle(int64_t acc, bool wide, float m, int32_t zp, int32_t lo,
                                int32_t hi) {
  const float scaled = wide ? static_cast<float>(static_cast<double>(acc) * static_cast<double>(m))
                            : static_cast<float>(static_cast<int32_t>(acc)) * m;
  const float clamped =
      std::min(std::max(scaled, static_cast<float>(lo - zp)), static_cast<float>(hi - zp));
  return zp + static_cast<int32_t>(std::nearbyint(clamped));
}

}  // namespace whit

#endif  // WHIT_TESTS_KERNELS_WEIGHTED_CASES_H_
