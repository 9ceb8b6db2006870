// AVX512-VNNI, 8 rows x 32 (two panels), 12 rows x 16 (one), panels of 8 in ymm. With WHIT_EMULATE
// a register is two of AVX2 and the instruction is replaced by exact AVX2, so that everything
// around it can be run anywhere.
#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "tile.h"

namespace {

#ifdef WHIT_EMULATE
inline __m256i DotHalf(__m256i acc, __m256i a, __m256i w) {
  const __m256i even = _mm256_madd_epi16(_mm256_and_si256(a, _mm256_set1_epi16(255)),
                                         _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8));
  const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(a, 8), _mm256_srai_epi16(w, 8));
  return _mm256_add_epi32(acc, _mm256_add_epi32(even, odd));
}
#else
inline __m256i DotHalf(__m256i acc, __m256i a, __m256i w) { return _mm256_dpbusd_epi32(acc, a, w); }
#endif
inline __m256i ScaleHalf(__m256i acc, const float* m, int zp) {
  const __m256 x = _mm256_mul_ps(_mm256_cvtepi32_ps(acc), _mm256_loadu_ps(m));
  const __m256 lo = _mm256_set1_ps(float(-zp)), hi = _mm256_set1_ps(float(255 - zp));
  return _mm256_add_epi32(_mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(x, lo), hi)),
                          _mm256_set1_epi32(zp));
}

namespace half {  // panels of 8
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
inline V Dot(V acc, V a, V w) { return DotHalf(acc, a, w); }
inline V Scale(V acc, const float* m, int zp) { return ScaleHalf(acc, m, zp); }
#include "tile_vnni.inl"
}  // namespace half

#undef INLINE
#undef PIN
#undef PIN_REGISTER

namespace full {
constexpr int kLanes = 16;
#ifdef WHIT_EMULATE
struct V {
  __m256i lo, hi;
};
#define PIN_REGISTER(v) asm volatile("" : "+x"(v.lo), "+x"(v.hi))
inline V Load(const void* p) {
  const __m256i* at = static_cast<const __m256i*>(p);
  return {_mm256_loadu_si256(at), _mm256_loadu_si256(at + 1)};
}
inline void Store(void* p, V v) {
  _mm256_storeu_si256(static_cast<__m256i*>(p), v.lo);
  _mm256_storeu_si256(static_cast<__m256i*>(p) + 1, v.hi);
}
inline V Bc(const void* p) { return {half::Bc(p), half::Bc(p)}; }
inline V Zero() { return {half::Zero(), half::Zero()}; }
inline V Add32(V a, V b) { return {half::Add32(a.lo, b.lo), half::Add32(a.hi, b.hi)}; }
inline V Mul32(V a, V b) { return {half::Mul32(a.lo, b.lo), half::Mul32(a.hi, b.hi)}; }
inline V Dot(V acc, V a, V w) { return {DotHalf(acc.lo, a.lo, w.lo), DotHalf(acc.hi, a.hi, w.hi)}; }
inline V Scale(V acc, const float* m, int zp) {
  return {ScaleHalf(acc.lo, m, zp), ScaleHalf(acc.hi, m + 8, zp)};
}
#else
using V = __m512i;
#define PIN_REGISTER(v) asm volatile("" : "+v"(v))
inline V Load(const void* p) { return _mm512_loadu_si512(p); }
inline void Store(void* p, V v) { _mm512_storeu_si512(p, v); }
inline V Bc(const void* p) {
  int x;
  memcpy(&x, p, 4);
  return _mm512_set1_epi32(x);
}
inline V Zero() { return _mm512_setzero_si512(); }
inline V Add32(V a, V b) { return _mm512_add_epi32(a, b); }
inline V Mul32(V a, V b) { return _mm512_mullo_epi32(a, b); }
inline V Dot(V acc, V a, V w) { return _mm512_dpbusd_epi32(acc, a, w); }
inline V Scale(V acc, const float* m, int zp) {
  const __m512 x = _mm512_mul_ps(_mm512_cvtepi32_ps(acc), _mm512_loadu_ps(m));
  const __m512 lo = _mm512_set1_ps(float(-zp)), hi = _mm512_set1_ps(float(255 - zp));
  return Add32(_mm512_cvtps_epi32(_mm512_min_ps(_mm512_max_ps(x, lo), hi)), _mm512_set1_epi32(zp));
}
#endif
#include "tile_vnni.inl"
}  // namespace full

}  // namespace

// Latency 5 at up to two a cycle wants 10 accumulators, and two loads a cycle want two panels: 8 x
// 2 dots, 10 loads.
#ifdef WHIT_EMULATE
void TileAvx512VnniEmulated(const Work& w) {
#else
void TileAvx512Vnni(const Work& w) {
#endif
  if (w.width == 8) return half::AllRows<12, 1>(w, 32, 0);
  if (w.channels > 16) return full::AllRows<8, 2>(w, 64, size_t(64) * w.steps);
  full::AllRows<12, 1>(w, 64, 0);
}
#ifdef WHIT_EMULATE
void RowAvx512VnniEmulated(const RowWork& w) {
#else
void RowAvx512Vnni(const RowWork& w) {
#endif
  return w.width == 8 ? half::OneRow<1>(w) : full::OneRow<1>(w);
}
