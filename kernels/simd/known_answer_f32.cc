// A tiny problem for every float kernel of a tier, against plain loops that share nothing with the
// kernels. All values are small integers, whose sums floats hold exactly in any order.
#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/simd/tiers.h"

namespace whit::simd {
namespace {

// Numerical Recipes' linear congruential generator.
class Numbers {
 public:
  template <size_t n>
  void Fill(std::array<float, n>* values) {
    for (float& v : *values) {
      state_ = state_ * 1664525u + 1013904223u;
      v = static_cast<float>(static_cast<int>(state_ >> 16) % 19 - 9);
    }
  }

 private:
  uint32_t state_ = 1;
};

/// `count` rows of two runs of 5 times 37 channels: whole panels, and one of 5 channels.
bool ProductIsRight(const F32Kernels& k, int count) {
  constexpr int kMostRows = 7, kN = 37, kPanels = 3, kRun = 5, kStride = 19, kSecond = 8;
  Numbers numbers;
  std::array<float, kMostRows * kStride + 16> x;
  alignas(64) std::array<float, kPanels * 2 * kRun * 16> w;
  std::array<float, 16 * kPanels> bias;
  std::array<float, kMostRows * kN> b, out{};
  numbers.Fill(&x), numbers.Fill(&w), numbers.Fill(&bias), numbers.Fill(&b);
  std::array<const uint8_t*, kMostRows> rows;
  for (int i = 0; i < kMostRows; ++i) {
    rows[static_cast<size_t>(i)] = reinterpret_cast<const uint8_t*>(x.data() + i * kStride);
  }
  const std::array<int32_t, 2> offsets = {0, 4 * kSecond};
  ProductF32 p;
  p.rows = rows.data(), p.count = count;
  p.offsets = offsets.data(), p.runs = 2, p.run_length = kRun;
  p.weights = w.data(), p.n = kN, p.panel_end = kPanels;
  p.bias = bias.data(), p.lo = -150, p.hi = 170;
  p.addend_stride = kN, p.sum_lo = -149, p.sum_hi = 160;
  p.out = out.data(), p.out_stride = kN;
  for (const bool joined : {false, true}) {
    p.addend = joined ? b.data() : nullptr;
    k.product(p);
    for (int i = 0; i < count; ++i) {
      for (int n = 0; n < kN; ++n) {
        float want = bias[static_cast<size_t>(n)];
        for (int j = 0; j < 2 * kRun; ++j) {
          const int at = i * kStride + j / kRun * kSecond + j % kRun;
          const int weight = (n / 16 * 2 * kRun + j) * 16 + n % 16;
          want += x[static_cast<size_t>(at)] * w[static_cast<size_t>(weight)];
        }
        want = std::clamp(want, p.lo, p.hi);
        const auto at = static_cast<size_t>(i * kN + n);
        if (joined) want = std::clamp(want + b[at], p.sum_lo, p.sum_hi);
        if (out[at] != want) return false;
      }
    }
  }
  return true;
}

/// 3x3 over 5x6 pixels of 23 channels with padding of 1 at strides 1 and 2.
bool DepthwiseIsRight(const F32Kernels& k) {
  constexpr int kH = 5, kW = 6, kC = 23, kTaps = 9;
  Numbers numbers;
  std::array<float, kH * kW * kC + 16> x;
  alignas(64) std::array<float, 2 * kTaps * 16> w;
  std::array<float, 32> bias;
  std::array<float, kH * kW * kC> out;
  numbers.Fill(&x), numbers.Fill(&w), numbers.Fill(&bias);
  DepthwiseF32 p;
  p.x = x.data(), p.in_h = kH, p.in_w = kW, p.in_c = kC;
  p.kernel_h = p.kernel_w = 3, p.pad_top = p.pad_left = 1;
  p.weights = w.data(), p.bias = bias.data(), p.lo = -100, p.hi = 120;
  p.out = out.data(), p.out_stride = kC, p.channel_end = kC;
  for (const int stride : {1, 2}) {
    const int out_h = (kH - 1) / stride + 1, out_w = (kW - 1) / stride + 1;
    p.stride_h = p.stride_w = stride, p.out_w = out_w, p.line_end = out_h;
    k.depthwise(p);
    for (int i = 0; i < out_h * out_w * kC; ++i) {
      const int c = i % kC, ox = i / kC % out_w, oy = i / kC / out_w;
      float want = bias[static_cast<size_t>(c)];
      for (int tap = 0; tap < kTaps; ++tap) {
        const int y = oy * stride - 1 + tap / 3, at = ox * stride - 1 + tap % 3;
        if (y < 0 || y >= kH || at < 0 || at >= kW) continue;
        want += x[static_cast<size_t>((y * kW + at) * kC + c)] *
                w[static_cast<size_t>((c / 16 * kTaps + tap) * 16 + c % 16)];
      }
      if (out[static_cast<size_t>(i)] != std::clamp(want, p.lo, p.hi)) return false;
    }
  }
  return true;
}

/// One tile of 19 input and 21 output channels. Weights are multiples of 4, so that all
/// intermediate values are integers.
bool WinogradIsRight(const F32Kernels& k) {
  constexpr int kIn = 19, kOut = 21, kPanels = 2, kStep = kIn * 16 * kPanels, kInStep = 32;
  Numbers numbers;
  std::array<float, 16 * kIn + 16> x;
  alignas(64) std::array<float, kPanels * 9 * kIn * 16> w;
  std::array<float, 32> bias;
  std::array<float, 4 * kOut> b, out{};
  static thread_local std::array<float, 16 * kStep> u;
  alignas(64) std::array<float, 16 * kInStep> v;
  alignas(64) std::array<float, 16 * kInStep> m{};
  numbers.Fill(&x), numbers.Fill(&w), numbers.Fill(&bias), numbers.Fill(&b);
  for (float& value : w) value *= 4;
  for (int q = 0; q < kPanels; ++q) {
    k.winograd_weights({w.data() + q * 9 * kIn * 16, kIn, u.data() + q * kIn * 16, kStep});
  }
  k.winograd_input({x.data(), 4 * kIn, kIn, kIn, v.data(), kInStep});
  for (int position = 0; position < 16; ++position) {
    for (int n = 0; n < kOut; ++n) {
      for (int c = 0; c < kIn; ++c) {
        m[static_cast<size_t>(position * kInStep + n)] +=
            v[static_cast<size_t>(position * kInStep + c)] *
            u[static_cast<size_t>(position * kStep + (n / 16 * kIn + c) * 16 + n % 16)];
      }
    }
  }
  WinogradOutput o;
  o.m = m.data(), o.m_step = kInStep, o.channels = kOut;
  o.bias = bias.data(), o.lo = -600, o.hi = 700;
  o.addend = b.data(), o.addend_line = 2 * kOut, o.addend_pixel = kOut;
  o.sum_lo = -598, o.sum_hi = 705;
  o.out = out.data(), o.out_line = 2 * kOut, o.out_pixel = kOut;
  k.winograd_output(o);
  for (int i = 0; i < 4 * kOut; ++i) {
    const int n = i % kOut, ox = i / kOut % 2, oy = i / kOut / 2;
    float want = bias[static_cast<size_t>(n)];
    for (int tap = 0; tap < 9; ++tap) {
      for (int c = 0; c < kIn; ++c) {
        want += x[static_cast<size_t>(((oy + tap / 3) * 4 + ox + tap % 3) * kIn + c)] *
                w[static_cast<size_t>(((n / 16 * 9 + tap) * kIn + c) * 16 + n % 16)];
      }
    }
    want = std::clamp(want, o.lo, o.hi) + b[static_cast<size_t>(i)];
    if (out[static_cast<size_t>(i)] != std::clamp(want, o.sum_lo, o.sum_hi)) return false;
  }
  return true;
}

/// Range and codes of 75 values, whose ends lie in the middle and behind the whole registers.
bool QuantizeIsRight(const F32Kernels& k, int32_t act_bias) {
  constexpr size_t kCount = 75;
  Numbers numbers;
  std::array<float, kCount + 16> x;
  std::array<uint8_t, kCount + 16> codes;
  numbers.Fill(&x);
  x[30] = 21, x[kCount - 1] = -17.5f;
  x[kCount] = 99, x[kCount + 1] = -99;  // behind the end
  float lo = 1, hi = -1;
  k.range(x.data(), kCount, &lo, &hi);
  if (lo != -17.5f || hi != 21) return false;
  k.range(x.data() + 29, 2, &lo, &hi);
  if (lo != std::min(0.0f, x[29]) || hi != 21) return false;
  QuantizeF32 q;
  q.x = x.data(), q.n = kCount, q.inverse = 8.25f, q.lo = -100, q.hi = 155, q.zero = act_bias - 28;
  q.out = codes.data();
  k.quantize(q);
  for (size_t i = 0; i < kCount; ++i) {
    const float v = std::nearbyint(std::clamp(x[i] * q.inverse, q.lo, q.hi));
    if (codes[i] != static_cast<uint8_t>(q.zero + static_cast<int>(v))) return false;
  }
  return true;
}

}  // namespace

const char* FirstWrongKernel(const F32Kernels& k, int32_t act_bias) {
  for (const int rows : {1, 2, 7}) {
    if (!ProductIsRight(k, rows)) return "product (float32)";
  }
  if (!DepthwiseIsRight(k)) return "depthwise (float32)";
  if (!WinogradIsRight(k)) return "winograd (float32)";
  if (!QuantizeIsRight(k, act_bias)) return "quantize (float32)";
  return nullptr;
}

}  // namespace whit::simd
