#include <smmintrin.h>

#include <cstring>

#include "tile.h"

namespace {

using V = __m128i;
constexpr int kLanes = 4;
inline V Load(const void* p) { return _mm_loadu_si128(static_cast<const V*>(p)); }
inline void Store(void* p, V v) { _mm_storeu_si128(static_cast<V*>(p), v); }
inline V Bc(const void* p) {
  int x;
  memcpy(&x, p, 4);
  return _mm_set1_epi32(x);
}
inline V Bc16(int16_t x) { return _mm_set1_epi16(x); }
inline V Maddubs(V a, V w) { return _mm_maddubs_epi16(a, w); }
inline V Madd(V a, V b) { return _mm_madd_epi16(a, b); }
inline V Add16(V a, V b) { return _mm_add_epi16(a, b); }
inline V Add32(V a, V b) { return _mm_add_epi32(a, b); }
inline V Mul32(V a, V b) { return _mm_mullo_epi32(a, b); }
inline V Sll8(V a) { return _mm_slli_epi16(a, 8); }
inline V Sra8(V a) { return _mm_srai_epi16(a, 8); }
inline V Srl8(V a) { return _mm_srli_epi16(a, 8); }
inline V And(V a, V b) { return _mm_and_si128(a, b); }
// One minimum before the conversion is enough: it turns what is too small into INT_MIN or less than
// -32768, and both end at 0 by the saturation of packs, adds and packus.
inline V Scale(V acc, const float* m, int zp) {
  const __m128 x = _mm_mul_ps(_mm_cvtepi32_ps(acc), _mm_loadu_ps(m));
  return _mm_cvtps_epi32(_mm_min_ps(x, _mm_set1_ps(float(255 - zp))));
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
inline void StoreBytes(uint8_t* to, const V (&q)[4], int zp, int channels) {
  const V z = _mm_set1_epi16(int16_t(zp));
  StorePart<16>(to,
                _mm_packus_epi16(_mm_adds_epi16(_mm_packs_epi32(q[0], q[1]), z),
                                 _mm_adds_epi16(_mm_packs_epi32(q[2], q[3]), z)),
                channels);
}
inline void StoreBytes(uint8_t* to, const V (&q)[2], int zp, int channels) {
  const V s = _mm_adds_epi16(_mm_packs_epi32(q[0], q[1]), _mm_set1_epi16(int16_t(zp)));
  StorePart<8>(to, _mm_packus_epi16(s, s), channels);
}

#include "tile_madd.inl"

}  // namespace

// 2 rows x 16: 8 accumulators, 4 rows of activations, 2 weights, 2 others.
void TileSse41x2x16(const Work& w) {
  if (w.width == 8) return AllRows<4, 2, 32>(w, 0);
  AllRows<2, 4, 64>(w, 0);
}
// 4 rows x 8, two passes over the panel: 8 accumulators, 4 weights.
void TileSse41x4x8(const Work& w) {
  if (w.width == 8) return AllRows<4, 2, 32>(w, 0);
  AllRows<4, 2, 64>(w, 0);
  AllRows<4, 2, 64>(w, 8);
}

void RowSse41(const RowWork& w) { return w.width == 8 ? OneRow<2>(w) : OneRow<4>(w); }
