// AVX-VNNI, 6 rows x 16. With WHIT_EMULATE the one instruction is replaced by exact AVX2, so that
// everything around it can be run on CPUs without it.
#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "tile.h"

namespace {

using V = __m256i;
constexpr int kLanes = 8;
#define PIN_REGISTER(v) asm volatile("" : "+x"(v))
inline V Load(const void* p) { return _mm256_loadu_si256(static_cast<const V*>(p)); }
inline void Store(void* p, V v) { _mm256_storeu_si256(static_cast<V*>(p), v); }
inline V Bc(const void* p) {
  int x;
  memcpy(&x, p, 4);
  return _mm256_set1_epi32(x);
}
inline V Zero() { return _mm256_setzero_si256(); }
inline V Add32(V a, V b) { return _mm256_add_epi32(a, b); }
inline V Mul32(V a, V b) { return _mm256_mullo_epi32(a, b); }
inline V Dot(V acc, V a, V w) {
#ifdef WHIT_EMULATE
  const V even = _mm256_madd_epi16(_mm256_and_si256(a, _mm256_set1_epi16(255)),
                                   _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8));
  const V odd = _mm256_madd_epi16(_mm256_srli_epi16(a, 8), _mm256_srai_epi16(w, 8));
  return Add32(acc, Add32(even, odd));
#else
  return _mm256_dpbusd_avx_epi32(acc, a, w);
#endif
}
inline V Scale(V acc, const float* m, int zp) {
  const __m256 x = _mm256_mul_ps(_mm256_cvtepi32_ps(acc), _mm256_loadu_ps(m));
  const __m256 lo = _mm256_set1_ps(float(-zp)), hi = _mm256_set1_ps(float(255 - zp));
  return _mm256_add_epi32(_mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(x, lo), hi)),
                          _mm256_set1_epi32(zp));
}

#include "tile_vnni.inl"

}  // namespace

// Latency 5 at two a cycle wants 10 accumulators: 6 x 2 = 12, 2 weights, 1 row, 1 free. A panel of
// 8: 12 rows.
#ifdef WHIT_EMULATE
void TileAvxVnniEmulated(const Work& w) {
#else
void TileAvxVnni(const Work& w) {
#endif
  if (w.width == 8) return AllRows<12, 1>(w, 32, 0);
  AllRows<6, 2>(w, 64, 32);
}
#ifdef WHIT_EMULATE
void RowAvxVnniEmulated(const RowWork& w) {
#else
void RowAvxVnni(const RowWork& w) {
#endif
  return w.width == 8 ? OneRow<1>(w) : OneRow<2>(w);
}
