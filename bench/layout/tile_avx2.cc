#include <immintrin.h>

#include <cstring>

#include "tile.h"

namespace {

using V = __m256i;
constexpr int kLanes = 8;
inline V Load(const void* p) { return _mm256_loadu_si256(static_cast<const V*>(p)); }
inline void Store(void* p, V v) { _mm256_storeu_si256(static_cast<V*>(p), v); }
inline V Bc(const void* p) {
  int x;
  memcpy(&x, p, 4);
  return _mm256_set1_epi32(x);
}
inline V Bc16(int16_t x) { return _mm256_set1_epi16(x); }
inline V Maddubs(V a, V w) { return _mm256_maddubs_epi16(a, w); }
inline V Madd(V a, V b) { return _mm256_madd_epi16(a, b); }
inline V Add16(V a, V b) { return _mm256_add_epi16(a, b); }
inline V Add32(V a, V b) { return _mm256_add_epi32(a, b); }
inline V Mul32(V a, V b) { return _mm256_mullo_epi32(a, b); }
inline V Sll8(V a) { return _mm256_slli_epi16(a, 8); }
inline V Sra8(V a) { return _mm256_srai_epi16(a, 8); }
inline V Srl8(V a) { return _mm256_srli_epi16(a, 8); }
inline V And(V a, V b) { return _mm256_and_si256(a, b); }
inline V Scale(V acc, const float* m, int zp) {
  const __m256 x = _mm256_mul_ps(_mm256_cvtepi32_ps(acc), _mm256_loadu_ps(m));
  const __m256 lo = _mm256_set1_ps(float(-zp)), hi = _mm256_set1_ps(float(255 - zp));
  return _mm256_add_epi32(_mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(x, lo), hi)),
                          _mm256_set1_epi32(zp));
}
template <int N>
inline void StoreBytes(uint8_t* to, const int32_t* q, int channels) {
  uint8_t b[16];
  const auto load = [q](int i) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(q + i)); };
  const __m128i lo = _mm_packs_epi32(load(0), load(4));
  const __m128i hi = N == 16 ? _mm_packs_epi32(load(8), load(12)) : lo;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(b), _mm_packus_epi16(lo, hi));
  if (channels >= N) {
    memcpy(to, b, N);
  } else if (channels > 0) {
    memcpy(to, b, channels);
  }
}

#include "tile_madd.inl"

}  // namespace

// 4 rows x 16: 8 accumulators, 4 weights, 4 others. A panel of 8: 8 rows.
void TileAvx2(const Work& w) {
  if (w.width == 8) return AllRows<8, 1, 32>(w, 0);
  AllRows<4, 2, 64>(w, 0);
}
