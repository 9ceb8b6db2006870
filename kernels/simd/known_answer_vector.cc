// Tiny problems for the vector family of a tier, with lengths that leave partial registers, against
// plain loops that share nothing with the kernels.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/simd/tiers.h"
#include "platform/cpu.h"

namespace whit::simd {
namespace {

constexpr size_t kCount = 203;  // 3 zmm of bytes, 11 lanes

/// 64 more lie behind them, as some kernels may read.
std::array<uint8_t, kCount + 64> Bytes(uint32_t seed) {
  std::array<uint8_t, kCount + 64> bytes;
  for (uint8_t& b : bytes) {
    seed = seed * 1664525u + 1013904223u;
    b = static_cast<uint8_t>(seed >> 24);
  }
  return bytes;
}

/// Codes as the tier stores them, and back: flip is 0x80 for int8.
template <size_t kSize>
std::array<uint8_t, kSize> Flipped(std::array<uint8_t, kSize> bytes, uint8_t flip) {
  for (uint8_t& b : bytes) b ^= flip;
  return bytes;
}

std::array<float, kCount> Floats(uint32_t seed) {
  std::array<float, kCount> floats;
  for (float& f : floats) {
    seed = seed * 1664525u + 1013904223u;
    f = static_cast<float>(static_cast<int32_t>(seed)) * 0x1p-28f;  // -8 .. 8
  }
  return floats;
}

uint8_t Stored(float v, const Store& s) {
  return static_cast<uint8_t>(
      s.zero_point + static_cast<int32_t>(std::nearbyint(std::min(std::max(v, s.lo), s.hi))));
}

constexpr Store kStore = {117, -110.0f, 130.0f};

bool SumsAreRight(const VectorKernels& k, uint8_t flip) {
  const auto a = Bytes(1), b = Bytes(2), a_stored = Flipped(a, flip), b_stored = Flipped(b, flip);
  std::array<uint8_t, kCount> out{};
  BinaryU8 p;
  p.a = a_stored.data(), p.b = b_stored.data(), p.out = out.data(), p.n = kCount;
  p.a_zero = 100, p.b_zero = 140, p.ma = 0.7f, p.mb = 1.3f, p.store = kStore;
  k.binary_u8(p);
  out = Flipped(out, flip);
  for (size_t i = 0; i < kCount; ++i) {
    const float first = static_cast<float>(a[i] - 100) * 0.7f;
    const float second = static_cast<float>(b[i] - 140) * 1.3f;
    if (out[i] != Stored(first + second, kStore)) return false;
  }
  return true;
}

std::array<int16_t, kCount> Words(uint32_t seed) {
  std::array<int16_t, kCount> words;
  for (int16_t& w : words) {
    seed = seed * 1664525u + 1013904223u;
    w = static_cast<int16_t>(seed >> 16);
  }
  return words;
}

constexpr Store kWordStore = {5, -30000.0f, 31000.0f};

int16_t StoredWord(float v) {
  const float clamped = std::min(std::max(v, kWordStore.lo), kWordStore.hi);
  return static_cast<int16_t>(kWordStore.zero_point +
                              static_cast<int32_t>(std::nearbyint(clamped)));
}

bool WordsAreRight(const VectorKernels& k, uint8_t flip) {
  const auto a = Words(11), b = Words(12);
  std::array<int16_t, kCount> out{};
  BinaryI16 p;
  p.kind = BinaryKind::kSub;
  p.a = a.data(), p.b = b.data(), p.out = out.data(), p.n = kCount;
  p.a_zero = 3, p.b_zero = -4, p.ma = 0.7f, p.mb = 1.3f, p.store = kWordStore;
  k.binary_i16(p);
  for (size_t i = 0; i < kCount; ++i) {
    const float first = static_cast<float>(a[i] - 3) * 0.7f;
    const float second = static_cast<float>(b[i] + 4) * 1.3f;
    if (out[i] != StoredWord(first - second)) return false;
  }
  k.rescale_i16({a.data(), out.data(), kCount, 3, 1.1f, kWordStore});
  std::array<uint8_t, kCount> bytes{};
  k.rescale_i16_to_u8({a.data(), bytes.data(), kCount, 3, 0.006f, kStore});
  bytes = Flipped(bytes, flip);
  for (size_t i = 0; i < kCount; ++i) {
    if (out[i] != StoredWord(static_cast<float>(a[i] - 3) * 1.1f)) return false;
    if (bytes[i] != Stored(static_cast<float>(a[i] - 3) * 0.006f, kStore)) return false;
  }
  if (k.table_i16 == nullptr) return true;
  std::array<int16_t, 513> points;
  for (size_t i = 0; i < points.size(); ++i) points[i] = static_cast<int16_t>(i * 20021);
  k.table_i16({points.data(), a.data(), out.data(), kCount});
  for (size_t i = 0; i < kCount; ++i) {
    const int at = (a[i] >> 7) + 256, part = a[i] & 127;
    const int left = points[static_cast<size_t>(at)], right = points[static_cast<size_t>(at) + 1];
    if (out[i] != left + (((right - left) * part + 64) >> 7)) return false;
  }
  return true;
}

bool TablesAreRight(const VectorKernels& k) {
  std::array<uint8_t, 256> table;
  for (size_t i = 0; i < 256; ++i) table[i] = static_cast<uint8_t>(i * 167 + 13);
  const auto in = Bytes(3);
  for (auto* run : {k.table_u8, k.table_u8_vbmi}) {
    if (run == nullptr || (run == k.table_u8_vbmi && !HostCpu().avx512vbmi)) continue;
    std::array<uint8_t, kCount> out{};
    run({table.data(), in.data(), out.data(), kCount});
    for (size_t i = 0; i < kCount; ++i) {
      if (out[i] != table[in[i]]) return false;
    }
  }
  return true;
}

bool FloatsAreRight(const VectorKernels& k) {
  const auto a = Floats(4), b = Floats(5);
  std::array<float, kCount> out{};
  BinaryF32 p;
  p.kind = BinaryKind::kMul;
  p.a = a.data(), p.b = b.data(), p.out = out.data(), p.n = kCount, p.lo = -9.0f, p.hi = 20.0f;
  k.binary_f32(p);
  for (size_t i = 0; i < kCount; ++i) {
    if (out[i] != std::min(std::max(a[i] * b[i], -9.0f), 20.0f)) return false;
  }
  UnaryF32 u;
  u.kind = UnaryKind::kLogistic;
  u.in = a.data(), u.out = out.data(), u.n = kCount;
  k.unary_f32(u);
  for (size_t i = 0; i < kCount; ++i) {
    if (std::fabs(out[i] - 1 / (1 + std::exp(-static_cast<double>(a[i])))) > 1e-6) return false;
  }
  return true;
}

bool ConversionsAreRight(const VectorKernels& k, uint8_t flip) {
  const auto reals = Floats(6);
  std::array<uint8_t, kCount> codes{};
  QuantizeU8 q;
  q.in = reals.data(), q.out = codes.data(), q.n = kCount, q.scale = 0.05f, q.store = kStore;
  k.quantize_u8(q);
  const auto stored = codes;
  codes = Flipped(codes, flip);
  for (size_t i = 0; i < kCount; ++i) {
    if (codes[i] != Stored(reals[i] / 0.05f, kStore)) return false;
  }
  std::array<float, kCount> back{};
  k.dequantize_u8({stored.data(), back.data(), kCount, 117, 0.05f, -INFINITY, INFINITY});
  for (size_t i = 0; i < kCount; ++i) {
    if (back[i] != static_cast<float>(codes[i] - 117) * 0.05f) return false;
  }
  return true;
}

bool WordConversionsAreRight(const VectorKernels& k, uint8_t flip) {
  const auto reals = Floats(16);
  std::array<int16_t, kCount> codes{};
  k.quantize_i16({reals.data(), codes.data(), kCount, 0.0002f, kWordStore});
  for (size_t i = 0; i < kCount; ++i) {
    if (codes[i] != StoredWord(reals[i] / 0.0002f)) return false;
  }
  std::array<float, kCount> back{};
  k.dequantize_i16({codes.data(), back.data(), kCount, 5, 0.0002f, -INFINITY, INFINITY});
  for (size_t i = 0; i < kCount; ++i) {
    if (back[i] != static_cast<float>(codes[i] - 5) * 0.0002f) return false;
  }
  const auto bytes = Bytes(17), stored = Flipped(bytes, flip);
  k.rescale_u8_to_i16({stored.data(), codes.data(), kCount, 117, 250.0f, kWordStore});
  for (size_t i = 0; i < kCount; ++i) {
    if (codes[i] != StoredWord(static_cast<float>(bytes[i] - 117) * 250.0f)) return false;
  }
  return true;
}

// Pools: averages and maxima of 2 x 3 pixels of 21 channels out of 2 x 4 pixels.
constexpr int64_t kC = 21, kW = 4, kFilter = 3;

template <typename T>
struct Pooled {
  T sum, most;
};

/// Of the window of output element i.
template <typename T, typename Pixels>
Pooled<T> PooledAt(const Pixels& x, int64_t i) {
  Pooled<T> p{0, std::numeric_limits<T>::lowest()};
  for (int64_t tap = 0; tap < 2 * kFilter; ++tap) {
    const T v = x[static_cast<size_t>(tap / kFilter * kW * kC + tap % kFilter * kC + i)];
    p.sum += v, p.most = std::max(p.most, v);
  }
  return p;
}

bool PoolsAreRight(const VectorKernels& k, uint8_t flip) {
  const auto x = Bytes(7), stored = Flipped(x, flip);
  for (const bool average : {true, false}) {
    std::array<uint8_t, 2 * kC> out{};
    PoolU8 p;
    p.average = average;
    p.x = stored.data(), p.rows = 2, p.row_stride = kW * kC, p.pixel_stride = kC, p.channels = kC;
    p.w = {kW, 2, kFilter, 1, 0};
    p.in_zero = 90, p.ratio = 0.8, p.store = kStore, p.out = out.data();
    k.pool_u8(p);
    out = Flipped(out, flip);
    for (int64_t i = 0; i < 2 * kC; ++i) {
      const auto [sum, most] = PooledAt<int>(x, i);
      const float scaled = average ? static_cast<float>(sum - 6 * 90) * static_cast<float>(0.8 / 6)
                                   : static_cast<float>(most - 90) * 0.8f;
      if (out[static_cast<size_t>(i)] != Stored(scaled, kStore)) return false;
    }
  }
  return true;
}

/// The same of floats; averages may be summed in any order.
bool PoolsOfFloatsAreRight(const VectorKernels& k) {
  const auto x = Floats(18);
  for (const bool average : {true, false}) {
    std::array<float, 2 * kC> out{};
    PoolF32 p;
    p.average = average;
    p.x = x.data(), p.rows = 2, p.row_stride = kW * kC, p.pixel_stride = kC, p.channels = kC;
    p.w = {kW, 2, kFilter, 1, 0};
    p.lo = -7.0f, p.hi = 7.0f, p.out = out.data();
    k.pool_f32(p);
    for (int64_t i = 0; i < 2 * kC; ++i) {
      const auto [sum, most] = PooledAt<double>(x, i);
      const double want = std::clamp(average ? sum / (2 * kFilter) : most, -7.0, 7.0);
      if (std::fabs(out[static_cast<size_t>(i)] - want) > (average ? 1e-5 : 0)) return false;
    }
  }
  return true;
}

/// Two output pixels of 21 channels, with weights of 2^-11 and of 2^-4.
bool ResizingIsRight(const VectorKernels& k, uint8_t flip) {
  const auto x = Bytes(8), stored = Flipped(x, flip);
  for (const int unit : {1, 128}) {
    const int across = 5 * unit, down = 3 * unit;
    const ResizeColumn columns[2] = {{0, kC, across, 0}, {kC, kC, 0, 0}};
    std::array<uint8_t, 2 * kC> out{};
    const uint8_t* const rows = stored.data();
    k.resize_u8({rows, rows + 2 * kC, columns, 2, kC, down, unit == 128, out.data()});
    out = Flipped(out, flip);
    for (int64_t i = 0; i < 2 * kC; ++i) {
      const ResizeColumn& c = columns[i / kC];
      const auto at = [&](int64_t from) { return int{x[static_cast<size_t>(from + i % kC)]}; };
      const int top = at(c.low) * (2048 - c.weight) + at(c.high) * c.weight;
      const int bottom = at(2 * kC + c.low) * (2048 - c.weight) + at(2 * kC + c.high) * c.weight;
      const int want = (top * (2048 - down) + bottom * down + (1 << 21)) >> 22;
      if (out[static_cast<size_t>(i)] != want) return false;
    }
  }
  return true;
}

bool ResizingOfFloatsIsRight(const VectorKernels& k) {
  const auto x = Floats(19);
  const ResizeColumn columns[2] = {{0, kC, 0, 0.375f}, {kC, kC, 0, 0}};
  std::array<float, 2 * kC> out{};
  k.resize_f32({x.data(), x.data() + 2 * kC, columns, 2, kC, 0.25f, out.data()});
  for (int64_t i = 0; i < 2 * kC; ++i) {
    const ResizeColumn& c = columns[i / kC];
    const auto at = [&](int64_t from) { return double{x[static_cast<size_t>(from + i % kC)]}; };
    const double top = at(c.low) + (at(c.high) - at(c.low)) * c.share;
    const double bottom = at(2 * kC + c.low) + (at(2 * kC + c.high) - at(2 * kC + c.low)) * c.share;
    if (std::fabs(out[static_cast<size_t>(i)] - (top + (bottom - top) * 0.25)) > 1e-5) return false;
  }
  return true;
}

bool SoftmaxOfBytesIsRight(const VectorKernels& k, uint8_t flip) {
  const auto x = Bytes(13), stored = Flipped(x, flip);
  std::array<uint32_t, 256> table;
  std::array<float, 256> reals;
  for (size_t d = 0; d < 256; ++d) {
    table[d] = 1u << 30 >> (d / 8);
    reals[d] = static_cast<float>(table[d]);
  }
  for (const int64_t depth : {29, 101}) {
    std::array<uint8_t, kCount> out{};
    SoftmaxU8 p;
    p.in = stored.data(), p.out = out.data(), p.rows = 2, p.depth = depth;
    p.table = table.data(), p.reals = reals.data();
    p.inverse_scale = 250, p.store = {1, -1.0f, 254.0f};
    k.softmax_u8(p);
    out = Flipped(out, flip);
    for (int64_t r = 0; r < 2; ++r) {
      const uint8_t* row = x.data() + r * depth;
      const uint8_t largest = *std::max_element(row, row + depth);
      uint64_t sum = 0;
      for (int64_t i = 0; i < depth; ++i) sum += table[static_cast<size_t>(largest - row[i])];
      const float share = static_cast<float>(250 / static_cast<double>(sum));
      for (int64_t i = 0; i < depth; ++i) {
        const float e = static_cast<float>(table[static_cast<size_t>(largest - row[i])]);
        if (out[static_cast<size_t>(r * depth + i)] != Stored(e * share, p.store)) return false;
      }
    }
  }
  return true;
}

bool RowsOfFloatsAreRight(const VectorKernels& k) {
  const auto x = Floats(9);
  for (const int64_t depth : {7, 29}) {
    std::array<float, kCount> out{};
    k.softmax_f32({x.data(), out.data(), 7, depth, 0.5f, depth == 7});
    for (int64_t r = 0; r < 7; ++r) {
      double sum = 0;
      const auto e = [&](int64_t i) {
        return std::exp(0.5 * static_cast<double>(x[static_cast<size_t>(r * depth + i)]));
      };
      for (int64_t i = 0; i < depth; ++i) sum += e(i);
      for (int64_t i = 0; i < depth; ++i) {
        if (std::fabs(out[static_cast<size_t>(r * depth + i)] - e(i) / sum) > 1e-6) return false;
      }
    }
  }
  std::array<float, 29> sums{};
  k.column_sums_f32({x.data(), 7, 29, 29, 7.0, sums.data()});
  for (size_t c = 0; c < 29; ++c) {
    double sum = 0;
    for (size_t i = 0; i < 7; ++i) sum += static_cast<double>(x[i * 29 + c]);
    if (std::fabs(sums[c] - sum / 7) > 1e-6) return false;
  }
  return true;
}

bool ReducedRowsAreRight(const VectorKernels& k, uint8_t flip) {
  const auto bytes = Bytes(14), stored = Flipped(bytes, flip);
  const auto reals = Floats(15);
  constexpr int64_t kN = 99;
  for (const RowKind kind : {RowKind::kSum, RowKind::kLargest, RowKind::kSmallest}) {
    std::array<int64_t, 2> sums{};
    std::array<float, 2> out{};
    k.rows_u8({kind, stored.data(), 100, 2, kN, sums.data()});
    k.rows_f32({kind, reals.data(), 100, 2, kN, 4.0, out.data()});
    for (size_t r = 0; r < 2; ++r) {
      const auto *b = bytes.data() + 100 * r, *b_end = b + kN;
      const auto *f = reals.data() + 100 * r, *f_end = f + kN;
      int64_t sum = 0;
      double real = 0;
      for (int64_t i = 0; i < kN; ++i) sum += b[i], real += static_cast<double>(f[i]);
      if (kind == RowKind::kLargest)
        sum = *std::max_element(b, b_end), real = *std::max_element(f, f_end);
      if (kind == RowKind::kSmallest)
        sum = *std::min_element(b, b_end), real = *std::min_element(f, f_end);
      if (kind == RowKind::kSum) real /= 4;
      if (sums[r] != sum || std::fabs(out[r] - real) > 1e-5) return false;
    }
  }
  return true;
}

bool NormsAreRight(const VectorKernels& k, uint8_t flip) {
  const auto bytes = Bytes(16), stored = Flipped(bytes, flip);
  const auto reals = Floats(17);
  std::array<uint8_t, kCount> codes{};
  std::array<float, kCount> out{};
  k.l2_norm_u8({stored.data(), codes.data(), 1, kCount, 100, 500.0, kStore});
  codes = Flipped(codes, flip);
  k.l2_norm_f32({reals.data(), out.data(), 1, kCount, 1e-6f, -INFINITY, INFINITY});
  int64_t squares = 0;
  double sum = 0;
  for (size_t i = 0; i < kCount; ++i) {
    squares += (bytes[i] - 100) * (bytes[i] - 100);
    sum += static_cast<double>(reals[i]) * static_cast<double>(reals[i]);
  }
  const float m = static_cast<float>(500.0 / std::sqrt(static_cast<double>(squares)));
  for (size_t i = 0; i < kCount; ++i) {
    if (codes[i] != Stored(static_cast<float>(bytes[i] - 100) * m, kStore)) return false;
    if (std::fabs(out[i] - static_cast<double>(reals[i]) / std::sqrt(sum)) > 1e-6) return false;
  }
  return true;
}

bool TransposesAreRight(const VectorKernels& k) {
  constexpr int64_t kRows = 19, kColumns = 10;
  const auto bytes = Bytes(18);
  std::array<uint8_t, 4 * kRows * kColumns> in, out{};
  for (size_t i = 0; i < in.size(); ++i)
    in[i] = static_cast<uint8_t>(bytes[i % kCount] + i / kCount);
  for (const int size : {1, 2, 4}) {
    k.transpose({in.data(), out.data(), kColumns * size, kRows * size, kRows, kColumns, size});
    for (int64_t r = 0; r < kRows; ++r) {
      for (int64_t c = 0; c < kColumns; ++c) {
        const uint8_t* from = in.data() + (r * kColumns + c) * size;
        if (std::memcmp(from, out.data() + (c * kRows + r) * size, static_cast<size_t>(size)) !=
            0) {
          return false;
        }
      }
    }
  }
  return true;
}

bool PlacesAreRight(const VectorKernels& k, uint8_t flip) {
  const auto x = Bytes(10), stored = Flipped(x, flip);
  for (const int64_t n : {int64_t{1}, int64_t{13}}) {
    const auto count = static_cast<int64_t>(kCount) / n / 2;
    for (const bool smallest : {false, true}) {
      std::array<int64_t, 13> at{};
      k.arg_u8({stored.data(), count, n, n, smallest, at.data()});
      for (int64_t c = 0; c < n; ++c) {
        int64_t best = 0;
        const auto value = [&](int64_t i) { return x[static_cast<size_t>(i * n + c)]; };
        for (int64_t i = 1; i < count; ++i) {
          if (smallest ? value(i) < value(best) : value(i) > value(best)) best = i;
        }
        if (at[static_cast<size_t>(c)] != best) return false;
      }
    }
  }
  return true;
}

}  // namespace

const char* FirstWrongKernel(const VectorKernels& k, int32_t act_bias) {
  const uint8_t flip = act_bias == 0 ? 0x80 : 0;
  if (!SumsAreRight(k, flip)) return "binary_u8";
  if (!WordsAreRight(k, flip)) return "binary_i16, rescale_i16 or table_i16";
  if (!TablesAreRight(k)) return "table_u8";
  if (!FloatsAreRight(k)) return "binary_f32 or unary_f32";
  if (!ConversionsAreRight(k, flip)) return "quantize_u8 or dequantize_u8";
  if (!WordConversionsAreRight(k, flip)) {
    return "quantize_i16, dequantize_i16 or rescale_u8_to_i16";
  }
  if (!PoolsAreRight(k, flip)) return "pool_u8";
  if (!PoolsOfFloatsAreRight(k)) return "pool_f32";
  if (!ResizingIsRight(k, flip)) return "resize_u8";
  if (!ResizingOfFloatsIsRight(k)) return "resize_f32";
  if (!SoftmaxOfBytesIsRight(k, flip)) return "softmax_u8";
  if (!RowsOfFloatsAreRight(k)) return "softmax_f32 or column_sums_f32";
  if (!PlacesAreRight(k, flip)) return "arg_u8";
  if (!ReducedRowsAreRight(k, flip)) return "rows_u8 or rows_f32";
  if (!NormsAreRight(k, flip)) return "l2_norm_u8 or l2_norm_f32";
  if (!TransposesAreRight(k)) return "transpose";
  return nullptr;
}

}  // namespace whit::simd
