// A tiny problem for every kernel of a tier, with operands at the ends of their ranges, against
// plain loops that share nothing with the kernels.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <span>

#include "kernels/product_check.h"
#include "kernels/simd/tiers.h"

namespace whit::simd {
namespace {

// Numerical Recipes' linear congruential generator; every third value at an end of its range.
class Numbers {
 public:
  int Next(int lo, int hi) {
    state_ = state_ * 1664525u + 1013904223u;
    const auto v = static_cast<int>(state_ >> 16);
    if (v % 3 == 0) return v % 2 == 0 ? lo : hi;
    return lo + v % (hi - lo + 1);
  }

 private:
  uint32_t state_ = 1;
};

template <typename T, size_t n>
void Fill(std::array<T, n>* values, Numbers* numbers, int lo, int hi) {
  for (T& v : *values) v = static_cast<T>(numbers->Next(lo, hi));
}

constexpr float kMultiplier = 0.0013f;

int32_t Round(float v, float lo, float hi, int32_t zero_point) {
  return zero_point + static_cast<int32_t>(std::nearbyint(std::min(std::max(v, lo), hi)));
}

Requantize8 Quantizer(const int32_t* bias, const int32_t* sums, const float* multiplier,
                      int32_t act_bias) {
  Requantize8 q;
  q.bias = bias, q.sums = sums, q.multiplier = multiplier;
  q.act_bias = act_bias;
  q.sums_minus = 17;
  q.zero_point = act_bias + 3;
  q.lo = static_cast<float>(-100 - 3), q.hi = static_cast<float>(120 - 3);
  return q;
}

int32_t StartOf(const Requantize8& q, int64_t n) {
  return q.bias[n] - q.act_bias * (q.sums[n] - q.sums_minus);
}

/// The activation that a byte stands for.
int32_t Stored(uint8_t byte, int32_t act_bias) {
  return act_bias != 0 ? int32_t{byte} : int32_t{static_cast<int8_t>(byte)};
}

/// 13 rows of 70 k (two runs of 35, so 18 steps with padding) times 24 channels: a panel of 16, one
/// of 8, whole tiles and rests, and on 16-bit tiers all ways to sum.
bool ProductIsRight(const Kernels& k, int32_t act_bias) {
  constexpr int kRows = 13, kN = 24, kRun = 35, kRunSteps = 9, kSteps = 2 * kRunSteps;
  constexpr int kWeights = kSteps * (64 + 32);
  Numbers numbers;
  std::array<uint8_t, kRows * 100 + 128> x;
  alignas(64) std::array<int8_t, kWeights> w{};
  std::array<int32_t, 32> bias, sums;
  std::array<float, 32> multiplier;
  std::array<uint8_t, kRows * kN + 64> b, out{};
  Fill(&x, &numbers, 0, 255);
  Fill(&bias, &numbers, -30000, 30000);
  Fill(&sums, &numbers, -900, 900);
  Fill(&b, &numbers, 0, 255);
  multiplier.fill(kMultiplier);
  const auto place = [](int n, int run, int i) {
    const int step = run * kRunSteps + i / 4;
    return n < 16 ? 64 * step + 4 * n + i % 4 : 64 * kSteps + 32 * step + 4 * (n - 16) + i % 4;
  };
  // Weights grow with k: the first steps may be summed in pairs, the last in neither way.
  for (int n = 0; n < kN; ++n) {
    for (int run = 0; run < 2; ++run) {
      for (int i = 0; i < kRun; ++i) {
        const int most = std::min(127, 10 + 8 * (run * kRun + i) / 4);
        w[static_cast<size_t>(place(n, run, i))] = static_cast<int8_t>(numbers.Next(-most, most));
      }
    }
  }
  std::array<const uint8_t*, kRows> rows;
  std::array<int32_t, kSteps> offsets;
  std::array<int32_t, kRows> row_start;
  for (int i = 0; i < kRows; ++i) rows[static_cast<size_t>(i)] = x.data() + 100 * i;
  for (int s = 0; s < kSteps; ++s) {
    offsets[static_cast<size_t>(s)] = s / kRunSteps * 41 + s % kRunSteps * 4;
  }
  Fill(&row_start, &numbers, -5000, 5000);

  std::array<uint8_t, 128> step_max{}, pair_max{}, limit1{}, limit2{};
  std::array<uint8_t, 4096> lists;
  std::array<uint8_t, 64> pair_flags{};  // no weight is -128
  std::array<int8_t, 128 * (kRunSteps + 1)> zipped;
  for (int s = 0; s < kSteps; ++s) {
    const auto at = static_cast<size_t>(s);
    step_max[at] = 255;
    // As docs/layout.md, 5, from the bound on the weights above.
    const int most = std::min(127, 10 + 8 * (s / kRunSteps * kRun + 4 * (s % kRunSteps) + 3) / 4);
    limit1[at] = limit1[at + kSteps] = static_cast<uint8_t>(std::min(255, 32767 / (2 * most)));
    if (s % 2 == 1) {
      pair_max[at / 2] = 255;
      limit2[at / 2] = limit2[at / 2 + kSteps / 2] =
          static_cast<uint8_t>(std::min(255, 32767 / (4 * most)));
    }
  }
  ProductI8 p;
  p.rows = rows.data(), p.count = kRows, p.row_start = row_start.data();
  p.offsets = offsets.data(), p.steps = kSteps, p.run_steps = kRunSteps;
  p.weights = w.data(), p.n = kN, p.panel_end = 2;
  p.quant = Quantizer(bias.data(), sums.data(), multiplier.data(), act_bias);
  p.out = out.data(), p.out_stride = kN;
  p.step_max = step_max.data(), p.pair_max = pair_max.data();
  p.limit1 = limit1.data(), p.limit2 = limit2.data(), p.lists = lists.data();
  p.zipped = zipped.data();
  constexpr int32_t kSpread = 6;
  alignas(64) int32_t total[16];
  p.total = total, p.row_spread = RowSpread(act_bias);
  Residual8 r;
  r.b = b.data(), r.b_stride = kN, r.ma = 0.7f, r.mb = 1.3f, r.b_zero_point = act_bias - 5;
  r.zero_point = act_bias + 1, r.lo = -129.0f, r.hi = 126.0f;
  for (const bool joined : {false, true}) {
    p.residual = joined ? &r : nullptr;
    p.pair_flags = joined ? pair_flags.data() : nullptr;
    std::memset(total, 0, sizeof total);
    k.product_i8(p);
    uint32_t rest = TotalOf(total, kSpread);
    for (int i = 0; i < kRows; ++i) {
      for (int n = 0; n < kN; ++n) {
        int32_t acc = StartOf(p.quant, n) + row_start[static_cast<size_t>(i)];
        for (int run = 0; run < 2; ++run) {
          for (int j = 0; j < kRun; ++j) {
            const uint8_t stored = x[static_cast<size_t>(100 * i + run * 41 + j)];
            acc += Stored(stored, act_bias) * w[static_cast<size_t>(place(n, run, j))];
          }
        }
        rest -=
            CheckWeight(n, kSpread) * CheckRowWeight(i, p.row_spread) * static_cast<uint32_t>(acc);
        const Requantize8& q = p.quant;
        int32_t y = Round(static_cast<float>(acc) * kMultiplier, q.lo, q.hi, q.zero_point);
        if (joined) {
          const uint8_t stored = b[static_cast<size_t>(i * kN + n)];
          const float first = static_cast<float>(y - q.zero_point) * r.ma;
          const float second = static_cast<float>(Stored(stored, act_bias) - r.b_zero_point) * r.mb;
          y = Round(first + second, r.lo, r.hi, r.zero_point);
        }
        if (out[static_cast<size_t>(i * kN + n)] != static_cast<uint8_t>(y)) return false;
      }
    }
    if (rest != 0) return false;
  }
  return true;
}

/// 13 rows of 24 int16 at both ends of their range times panels of both widths.
bool WideProductIsRight(const Kernels& k) {
  constexpr int kRows = 13, kSteps = 6;
  Numbers numbers;
  std::array<int16_t, kRows * 4 * kSteps> x;
  std::array<int8_t, 64 * kSteps> w;
  std::array<int32_t, kRows * 16> sums;
  Fill(&x, &numbers, -32768, 32767);
  Fill(&w, &numbers, -128, 127);
  for (const int width : {8, 16}) {
    sums.fill(5);
    k.wide_product({x.data(), 4 * kSteps, kRows, w.data(), width, kSteps, sums.data()});
    for (int i = 0; i < kRows; ++i) {
      for (int n = 0; n < width; ++n) {
        int32_t want = 5;
        for (int s = 0; s < kSteps; ++s) {
          for (int j = 0; j < 4; ++j) {  // a row's step is x0 x2 x1 x3
            const int place = j == 1 ? 2 : j == 2 ? 1 : j;
            want += x[static_cast<size_t>(4 * (i * kSteps + s) + place)] *
                    w[static_cast<size_t>(4 * (s * width + n) + j)];
          }
        }
        if (sums[static_cast<size_t>(16 * i + n)] != want) return false;
      }
    }
  }
  return true;
}

/// 3 rows of 7 k times 20 channels as floats. Weights are small enough for every way to sum.
bool DequantizeIsRight(const Kernels& k, int32_t act_bias) {
  constexpr int kRows = 3, kN = 20, kK = 7, kSteps = 2, kStride = 12;
  Numbers numbers;
  std::array<uint8_t, kRows * kStride + 64> x;
  alignas(64) std::array<int8_t, kSteps*(64 + 32)> w{};
  std::array<int32_t, 32> sums{};
  std::array<float, 32> multiplier{}, bias{};
  std::array<float, kRows * kN> out{};
  Fill(&x, &numbers, 0, 255);
  Fill(&bias, &numbers, -20, 20);
  const auto place = [](int n, int i) {
    return n < 16 ? 64 * (i / 4) + 4 * n + i % 4
                  : 64 * kSteps + 32 * (i / 4) + 4 * (n - 16) + i % 4;
  };
  for (int n = 0; n < kN; ++n) {
    multiplier[static_cast<size_t>(n)] = 0.125f * static_cast<float>(n + 1);
    for (int i = 0; i < kK; ++i) {
      const int v = numbers.Next(-60, 60);
      w[static_cast<size_t>(place(n, i))] = static_cast<int8_t>(v);
      sums[static_cast<size_t>(n)] += v;
    }
  }
  const std::array<const uint8_t*, kRows> rows = {x.data(), x.data() + kStride,
                                                  x.data() + 2 * kStride};
  const std::array<int32_t, kSteps> offsets = {0, 4};
  const std::array<float, kRows> scale = {0.5f, 0.25f, 2.0f};
  const std::array<int32_t, kRows> zero = {act_bias - 128, act_bias + 127, act_bias + 3};
  std::array<uint8_t, 128> step_max{}, pair_max{}, limit1{}, limit2{};
  std::array<uint8_t, kListBytesPerStep*(kSteps + 1)> lists;
  step_max[0] = step_max[1] = 255;
  pair_max[0] = 255;
  limit1.fill(255);
  Dequantize d;
  d.scale = scale.data(), d.zero = zero.data(), d.bias = bias.data();
  d.lo = -3000, d.hi = 3000, d.out = out.data();
  ProductI8 p;
  p.rows = rows.data(), p.count = kRows;
  p.offsets = offsets.data(), p.steps = p.run_steps = kSteps, p.one_run = true;
  p.weights = w.data(), p.n = kN, p.panel_end = 2;
  p.quant.sums = sums.data(), p.quant.multiplier = multiplier.data(), p.quant.act_bias = -1;
  p.dequantize = &d;
  p.out = reinterpret_cast<uint8_t*>(out.data()), p.out_stride = kN;
  p.step_max = step_max.data(), p.pair_max = pair_max.data();
  p.limit1 = limit1.data(), p.limit2 = limit2.data(), p.lists = lists.data();
  const std::array<uint8_t, 2> pair_flags{};  // no weight is -128
  alignas(64) std::array<int8_t, 64 * kSteps> zipped;
  for (const bool prepared : {false, true}) {
    p.zipped = prepared ? zipped.data() : nullptr;
    p.pair_flags = prepared ? pair_flags.data() : nullptr;
    out.fill(0);
    k.product_i8(p);
    for (int i = 0; i < kRows; ++i) {
      for (int n = 0; n < kN; ++n) {
        const auto row = static_cast<size_t>(i), channel = static_cast<size_t>(n);
        int32_t acc = 0;
        for (int j = 0; j < kK; ++j) {
          const int weight = w[static_cast<size_t>(place(n, j))];
          const int32_t stored = Stored(x[static_cast<size_t>(i * kStride + j)], act_bias);
          acc += (stored - zero[row]) * weight;
        }
        const float y = static_cast<float>(acc) * (scale[row] * multiplier[channel]);
        const float want = std::clamp(y + bias[channel], d.lo, d.hi);
        if (out[static_cast<size_t>(i * kN + n)] != want) return false;
      }
    }
  }
  return true;
}

/// 3x3 over 5x7 pixels of 24 channels with padding of 1 at strides 1 and 2, weights with a zero
/// point, or without one and above -128.
bool DepthwiseIsRight(void (*depthwise)(const DepthwiseI8&), int32_t act_bias,
                      int32_t weight_zero_point) {
  constexpr int kH = 5, kW = 7, kC = 24, kTaps = 9;
  Numbers numbers;
  std::array<uint8_t, kH * kW * kC + 64> x;
  alignas(64) std::array<int8_t, 2 * kTaps * 16> w;
  std::array<int32_t, 32> bias, sums;
  std::array<float, 32> multiplier;
  std::array<uint8_t, kH * kW * kC> out;
  alignas(64) static thread_local std::array<uint8_t, 32 * 1024> scratch;
  Fill(&x, &numbers, 0, 255);
  Fill(&w, &numbers, weight_zero_point != 0 ? -128 : -127, 127);
  Fill(&bias, &numbers, -30000, 30000);
  Fill(&sums, &numbers, -900, 900);
  multiplier.fill(kMultiplier);
  DepthwiseI8 p;
  p.x = x.data(), p.in_h = kH, p.in_w = kW, p.in_c = kC;
  p.kernel_h = p.kernel_w = 3, p.pad_top = p.pad_left = 1;
  p.zero = static_cast<uint8_t>(act_bias + 20);
  p.weights = w.data(), p.weight_zero_point = weight_zero_point;
  p.quant = Quantizer(bias.data(), sums.data(), multiplier.data(), act_bias);
  p.out = out.data(), p.out_stride = kC, p.channel_end = kC;
  p.scratch = scratch.data();
  alignas(64) int32_t total[16];
  p.total = total;
  for (const int stride : {1, 2}) {
    const int out_h = (kH - 1) / stride + 1, out_w = (kW - 1) / stride + 1;
    p.stride_h = p.stride_w = stride, p.out_w = out_w, p.line_end = out_h;
    std::memset(total, 0, sizeof total);
    depthwise(p);
    uint32_t rest = TotalOf(total, 0);
    for (int i = 0; i < out_h * out_w * kC; ++i) {
      const int c = i % kC, ox = i / kC % out_w, oy = i / kC / out_w;
      int32_t acc = StartOf(p.quant, c);
      for (int tap = 0; tap < kTaps; ++tap) {
        const int y = oy * stride - 1 + tap / 3, at = ox * stride - 1 + tap % 3;
        const bool inside = y >= 0 && y < kH && at >= 0 && at < kW;
        const uint8_t v = inside ? x[static_cast<size_t>((y * kW + at) * kC + c)] : p.zero;
        acc += Stored(v, act_bias) *
               (w[static_cast<size_t>((c / 16 * kTaps + tap) * 16 + c % 16)] - weight_zero_point);
      }
      rest -= static_cast<uint32_t>(acc);
      const Requantize8& q = p.quant;
      const int32_t want = Round(static_cast<float>(acc) * kMultiplier, q.lo, q.hi, q.zero_point);
      if (out[static_cast<size_t>(i)] != static_cast<uint8_t>(want)) return false;
    }
    if (rest != 0) return false;
  }
  return true;
}

/// Rows of 64 bytes times a table at both ends of its range.
bool RowDotsAreRight(const Kernels& k, int32_t act_bias, std::span<const uint8_t* const> rows) {
  constexpr int kRun = 64;
  Numbers numbers;
  std::array<int16_t, kRun> table;
  Fill(&table, &numbers, -32768, 32767);
  const int32_t offset = 0;
  RowDots d;
  d.rows = rows.data(), d.count = static_cast<int64_t>(rows.size());
  d.offsets = &offset, d.runs = 1, d.table_run = kRun, d.table = table.data();
  d.row_spread = RowSpread(act_bias);
  uint32_t want = 0;
  for (size_t at = 0; at < rows.size(); ++at) {
    uint32_t sum = 0;
    for (int i = 0; i < kRun; ++i) {
      const auto place = static_cast<size_t>(PlaceInTable(i, k.dot_bytes));
      sum += static_cast<uint32_t>(Stored(rows[at][i], act_bias) * table[place]);
    }
    want += CheckRowWeight(static_cast<int64_t>(at), d.row_spread) * sum;
  }
  return k.row_dots(d) == want;
}

/// Ranges, differences and sums of three rows of 71 bytes.
bool RowsAreRight(const Kernels& k, int32_t act_bias) {
  constexpr int kRows = 3, kK = 71, kStride = 80;
  Numbers numbers;
  std::array<uint8_t, kRows * kStride + 64> x, y{};
  std::array<uint8_t, 192> lo, hi;
  Fill(&x, &numbers, 0, 255);
  if (k.column_range != nullptr) {
    k.column_range({x.data(), kStride, kRows, kK, lo.data(), hi.data()});
    for (size_t j = 0; j < kK; ++j) {
      const auto [least, most] = std::minmax({x[j], x[j + kStride], x[j + 2 * kStride]});
      if (lo[j] != least || hi[j] != most) return false;
    }
    k.subtract_columns({x.data(), kStride, kRows, kK, lo.data(), y.data(), kStride});
    for (size_t i = 0; i < kRows * kStride; ++i) {
      if (i % kStride < kK && y[i] != static_cast<uint8_t>(x[i] - lo[i % kStride])) return false;
    }
  }
  if (k.quad_maxima != nullptr) {
    std::array<uint8_t, 512> padded{};
    std::copy(x.begin(), x.begin() + kK, padded.begin());
    k.quad_maxima({padded.data(), 18, lo.data()});
    for (size_t s = 0; s < 18; ++s) {
      if (lo[s] != *std::max_element(padded.begin() + 4 * s, padded.begin() + 4 * s + 4))
        return false;
    }
  }
  if (k.row_sums == nullptr) return true;
  const std::array<const uint8_t*, kRows> rows = {x.data(), x.data() + kStride,
                                                  x.data() + 2 * kStride};
  const std::array<int32_t, 2> offsets = {0, 38};
  std::array<int32_t, kRows + 16> sums;
  RowSums s;
  s.rows = rows.data(), s.count = kRows, s.offsets = offsets.data();
  s.runs = 2, s.length = 33, s.scale = -3, s.sums = sums.data();
  k.row_sums(s);
  for (size_t i = 0; i < kRows; ++i) {
    int32_t sum = 0;
    for (size_t j = 0; j < 33; ++j) {
      sum += Stored(x[i * kStride + j], act_bias) + Stored(x[i * kStride + 38 + j], act_bias);
    }
    if (sums[i] != -3 * sum) return false;
  }
  return k.row_dots == nullptr || RowDotsAreRight(k, act_bias, rows);
}

}  // namespace

const char* FirstWrongKernel(const Kernels& k, int32_t act_bias) {
  if (k.product_i8 != nullptr && !ProductIsRight(k, act_bias)) return "product_i8";
  if (k.wide_product != nullptr && !WideProductIsRight(k)) return "wide_product";
  for (const int32_t zero_point : {0, 9}) {
    if (k.depthwise_i8 != nullptr && !DepthwiseIsRight(k.depthwise_i8, act_bias, zero_point)) {
      return "depthwise_i8";
    }
    if (k.depthwise_flat_i8 != nullptr &&
        !DepthwiseIsRight(k.depthwise_flat_i8, act_bias, zero_point)) {
      return "depthwise_flat_i8";
    }
  }
  if (k.product_i8 != nullptr && !DequantizeIsRight(k, act_bias)) return "dequantize";
  if (!RowsAreRight(k, act_bias)) return "rows";
  return nullptr;
}

}  // namespace whit::simd
