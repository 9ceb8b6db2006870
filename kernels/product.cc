#include "kernels/product.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "kernels/simd/kernels.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace whit {
namespace {

/// Place of element i of a step among x0 x2 x1 x3.
constexpr int kPlace[4] = {0, 2, 1, 3};

#if defined(__SSE2__)  // the baseline of x86-64; other tiers have files of their own

/// 16 canonical int8 -> 16 int16 in four steps of x0 x2 x1 x3, less `minus`.
void Widen16(const uint8_t* src, __m128i flip, __m128i minus, int16_t* dst) {
  const __m128i x = _mm_xor_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(src)), flip);
  const __m128i even = _mm_srai_epi16(_mm_slli_epi16(x, 8), 8);  // x0 x2 x4 x6 ...
  const __m128i odd = _mm_srai_epi16(x, 8);
  auto* out = reinterpret_cast<__m128i*>(dst);
  _mm_storeu_si128(out, _mm_sub_epi16(_mm_unpacklo_epi32(even, odd), minus));
  _mm_storeu_si128(out + 1, _mm_sub_epi16(_mm_unpackhi_epi32(even, odd), minus));
}

/// Two rows or one times `kQuads` * 4 channels. 2 x 4 accumulators, 2 halves of widened weights and
/// 4 broadcasts fit the 16 registers.
template <int kRows, int kQuads>
void AddSteps(const int16_t* a, int64_t a_stride, const int8_t* panel, int64_t steps,
              int32_t (*acc)[16]) {
  __m128i sum[kRows][kQuads];
  for (int r = 0; r < kRows; ++r) {
    for (int q = 0; q < kQuads; ++q) {
      sum[r][q] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(acc[r] + 4 * q));
    }
  }
  for (int64_t s = 0; s < steps; ++s, panel += 16 * kQuads) {
    __m128i x02[kRows], x13[kRows];
    for (int r = 0; r < kRows; ++r) {
      const __m128i x = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(a + r * a_stride + 4 * s));
      x02[r] = _mm_shuffle_epi32(x, 0x00);
      x13[r] = _mm_shuffle_epi32(x, 0x55);
    }
    for (int q = 0; q < kQuads; ++q) {
      const __m128i w = _mm_loadu_si128(reinterpret_cast<const __m128i*>(panel + 16 * q));
      const __m128i w02 = _mm_srai_epi16(_mm_slli_epi16(w, 8), 8), w13 = _mm_srai_epi16(w, 8);
      for (int r = 0; r < kRows; ++r) {
        sum[r][q] = _mm_add_epi32(sum[r][q], _mm_madd_epi16(w02, x02[r]));
        sum[r][q] = _mm_add_epi32(sum[r][q], _mm_madd_epi16(w13, x13[r]));
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int q = 0; q < kQuads; ++q) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(acc[r] + 4 * q), sum[r][q]);
    }
  }
}

#else

template <int kRows, int kQuads>
void AddSteps(const int16_t* a, int64_t a_stride, const int8_t* panel, int64_t steps,
              int32_t (*acc)[16]) {
  constexpr int kWidth = 4 * kQuads;
  for (int r = 0; r < kRows; ++r) {
    uint32_t sum[kWidth];
    for (int c = 0; c < kWidth; ++c) sum[c] = static_cast<uint32_t>(acc[r][c]);
    const int16_t* x = a + r * a_stride;
    const int8_t* w = panel;
    for (int64_t s = 0; s < steps; ++s, x += 4, w += 4 * kWidth) {
      for (int c = 0; c < kWidth; ++c) {
        // Products fit: 2^15 * 2^7. Only the sums may wrap.
        for (int i = 0; i < 4; ++i) {
          sum[c] += static_cast<uint32_t>(int32_t{x[kPlace[i]]} * int32_t{w[4 * c + i]});
        }
      }
    }
    for (int c = 0; c < kWidth; ++c) acc[r][c] = static_cast<int32_t>(sum[c]);
  }
}

#endif

typedef float Float4 __attribute__((vector_size(16)));  // gcc and clang, every target

Float4 Load4(const float* p) {
  Float4 v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}

template <int kRows>
void AddSteps(const float* a, int64_t a_stride, const float* panel, int64_t k, float (*acc)[16]) {
  Float4 sum[kRows][4];
  for (int r = 0; r < kRows; ++r) {
    for (int q = 0; q < 4; ++q) sum[r][q] = Load4(acc[r] + 4 * q);
  }
  for (int64_t i = 0; i < k; ++i, panel += 16) {
    for (int q = 0; q < 4; ++q) {
      const Float4 w = Load4(panel + 4 * q);
      for (int r = 0; r < kRows; ++r) sum[r][q] += a[r * a_stride + i] * w;
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int q = 0; q < 4; ++q) std::memcpy(acc[r] + 4 * q, &sum[r][q], sizeof(Float4));
  }
}

}  // namespace

void WidenI8(const uint8_t* src, int64_t length, uint8_t flip, int16_t minus, int16_t* dst) {
  int64_t i = 0;
#if defined(__SSE2__)
  const __m128i flip16 = _mm_set1_epi8(std::bit_cast<char>(flip)), minus8 = _mm_set1_epi16(minus);
  for (; i + 16 <= length; i += 16) Widen16(src + i, flip16, minus8, dst + i);
#endif
  const auto widen = [&](uint8_t v) {
    return static_cast<int16_t>(static_cast<int8_t>(v ^ flip) - minus);
  };
  for (; i + 4 <= length; i += 4) {
    for (int j = 0; j < 4; ++j) dst[i + kPlace[j]] = widen(src[i + j]);
  }
  if (i == length) return;
  std::fill_n(dst + i, 4, int16_t{0});
  for (int j = 0; i + j < length; ++j) dst[i + kPlace[j]] = widen(src[i + j]);
}

void WidenI16(const int16_t* src, int64_t length, int16_t* dst) {
  int64_t i = 0;
#if defined(__SSE2__)
  for (; i + 8 <= length; i += 8) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(src + i));
    const __m128i low = _mm_shufflelo_epi16(x, _MM_SHUFFLE(3, 1, 2, 0));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(dst + i),
                     _mm_shufflehi_epi16(low, _MM_SHUFFLE(3, 1, 2, 0)));
  }
#endif
  for (; i + 4 <= length; i += 4) {
    for (int j = 0; j < 4; ++j) dst[i + kPlace[j]] = src[i + j];
  }
  if (i == length) return;
  std::fill_n(dst + i, 4, int16_t{0});
  for (int j = 0; i + j < length; ++j) dst[i + kPlace[j]] = src[i + j];
}

void AddPanelI8(WideProductFn tier, const int16_t* a, int64_t a_stride, int64_t count,
                const int8_t* panel, int64_t width, int64_t steps, int32_t (*acc)[16]) {
  if (tier != nullptr) return tier({a, a_stride, count, panel, width, steps, acc[0]});
  const auto add = [&](const auto& pair, const auto& one) {
    for (; count >= 2; count -= 2, a += 2 * a_stride, acc += 2) pair();
    if (count == 1) one();
  };
  if (width == 16) {
    add([&] { AddSteps<2, 4>(a, a_stride, panel, steps, acc); },
        [&] { AddSteps<1, 4>(a, a_stride, panel, steps, acc); });
  } else {
    add([&] { AddSteps<2, 2>(a, a_stride, panel, steps, acc); },
        [&] { AddSteps<1, 2>(a, a_stride, panel, steps, acc); });
  }
}

void AddPanelI16(WideProductFn tier, const int16_t* a, int64_t a_stride, int64_t count,
                 const int8_t* panel, int64_t width, int64_t steps, int64_t (*acc)[16]) {
  constexpr int64_t kRows = 16;
  for (; count > 0; count -= kRows, a += kRows * a_stride, acc += kRows) {
    const int64_t rows = std::min(kRows, count);
    for (int64_t s = 0; s < steps; s += kStepsPerInt32) {
      int32_t part[kRows][16] = {};
      AddPanelI8(tier, a + 4 * s, a_stride, rows, panel + 4 * width * s, width,
                 std::min(kStepsPerInt32, steps - s), part);
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t c = 0; c < width; ++c) {  // unsigned: a hostile bias may wrap
          acc[r][c] = static_cast<int64_t>(static_cast<uint64_t>(acc[r][c]) +
                                           static_cast<uint64_t>(int64_t{part[r][c]}));
        }
      }
    }
  }
}

void AddPanelF32(const float* a, int64_t a_stride, int64_t count, const float* panel, int64_t k,
                 float (*acc)[16]) {
  for (; count >= 2; count -= 2, a += 2 * a_stride, acc += 2) {
    AddSteps<2>(a, a_stride, panel, k, acc);
  }
  if (count == 1) AddSteps<1>(a, a_stride, panel, k, acc);
}

}  // namespace whit
