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
inline V Scale(V acc, const float* m, int zp) {  // why one minimum is enough: tile_sse41.cc
  const __m256 x = _mm256_mul_ps(_mm256_cvtepi32_ps(acc), _mm256_loadu_ps(m));
  return _mm256_cvtps_epi32(_mm256_min_ps(x, _mm256_set1_ps(float(255 - zp))));
}
// The first `channels` of N bytes.
template <int N>
inline void StorePart(uint8_t* to, __m128i bytes, int channels) {
  if (channels >= 16 && N == 16) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
  } else if (channels >= 8 && N == 8) {
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), bytes);
  } else if (channels > 0) {
    uint8_t b[16];
    _mm_storeu_si128(reinterpret_cast<__m128i*>(b), bytes);
    memcpy(to, b, channels);
  }
}
inline __m128i Halves(V q, int zp) {  // 8 int32 -> 8 s16
  return _mm_adds_epi16(_mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1)),
                        _mm_set1_epi16(int16_t(zp)));
}
inline void StoreBytes(uint8_t* to, const V (&q)[2], int zp, int channels) {
  StorePart<16>(to, _mm_packus_epi16(Halves(q[0], zp), Halves(q[1], zp)), channels);
}
inline void StoreBytes(uint8_t* to, const V (&q)[1], int zp, int channels) {
  const __m128i s = Halves(q[0], zp);
  StorePart<8>(to, _mm_packus_epi16(s, s), channels);
}

#include "tile_madd.inl"

}  // namespace

// 4 rows x 16: 8 accumulators, 4 weights, 4 others. A panel of 8: 8 rows.
void TileAvx2(const Work& w) {
  if (w.width == 8) return AllRows<8, 1, 32>(w, 0);
  AllRows<4, 2, 64>(w, 0);
}

void RowAvx2(const RowWork& w) { return w.width == 8 ? OneRow<1>(w) : OneRow<2>(w); }
