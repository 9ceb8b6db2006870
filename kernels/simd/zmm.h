// 512-bit registers of x86 with AVX512F, BW, VL, DQ and VNNI. Included inside a tier's anonymous
// namespace, after <immintrin.h>. The names mean what they mean in ymm.h.

struct Zmm {
  using V = __m512i;
  using F = __m512;
  static constexpr int kLanes = 16;
  static constexpr int kRegisters = 32;
  static constexpr bool kByElement = false;
  static constexpr bool kSignedActivations = false;
  static constexpr bool kDotLanes = false;

  static WHIT_INLINE V Load(const void* p) { return _mm512_loadu_si512(p); }
  static WHIT_INLINE void Store(void* p, V v) { _mm512_storeu_si512(p, v); }
  static WHIT_INLINE V Zero() { return _mm512_setzero_si512(); }
  static WHIT_INLINE V Splat32(int32_t v) { return _mm512_set1_epi32(v); }
  static WHIT_INLINE V Splat16(int v) { return _mm512_set1_epi16(static_cast<int16_t>(v)); }
  static WHIT_INLINE V Splat8(int v) { return _mm512_set1_epi8(static_cast<char>(v)); }
  static WHIT_INLINE V Broadcast(const void* p) {
    int32_t v;
    __builtin_memcpy(&v, p, 4);
    return _mm512_set1_epi32(v);
  }
  static WHIT_INLINE V Add32(V a, V b) { return _mm512_add_epi32(a, b); }
  static WHIT_INLINE V Sub32(V a, V b) { return _mm512_sub_epi32(a, b); }
  static WHIT_INLINE V Mul32(V a, V b) { return _mm512_mullo_epi32(a, b); }
  static WHIT_INLINE V And(V a, V b) { return _mm512_and_si512(a, b); }
  static WHIT_INLINE V Max8(V a, V b) { return _mm512_max_epu8(a, b); }
  static WHIT_INLINE V Min8(V a, V b) { return _mm512_min_epu8(a, b); }
  static WHIT_INLINE void Dot(V& acc, V a, V b) {
    asm volatile("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b));
  }

  static WHIT_INLINE V MulAdd16(V a, V b) { return _mm512_madd_epi16(a, b); }
  static WHIT_INLINE void DotWords(V& acc, V a, V b) {
    asm volatile("vpdpwssd %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b));
  }
  static WHIT_INLINE V EvenS8(V a) { return _mm512_srai_epi16(_mm512_slli_epi16(a, 8), 8); }
  static WHIT_INLINE V OddS8(V a) { return _mm512_srai_epi16(a, 8); }

  static WHIT_INLINE F LoadF(const float* p) { return _mm512_loadu_ps(p); }
  static WHIT_INLINE void StoreF(float* p, F v) { _mm512_storeu_ps(p, v); }
  static WHIT_INLINE F BroadcastF(const float* p) { return _mm512_set1_ps(*p); }
  static WHIT_INLINE F MulAddF(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  static WHIT_INLINE F LoadFewF(const float* p, int count) {
    return _mm512_maskz_loadu_ps(FewMask(count), p);
  }
  static WHIT_INLINE void StoreFewF(float* p, F v, int count) {
    _mm512_mask_storeu_ps(p, FewMask(count), v);
  }
  using Half = Ymm;
  static WHIT_INLINE Half::F LowerF(F v) { return _mm512_castps512_ps256(v); }
  static WHIT_INLINE Half::F UpperF(F v) { return _mm512_extractf32x8_ps(v, 1); }
  static WHIT_INLINE __mmask16 FewMask(int count) {
    return static_cast<__mmask16>((1u << count) - 1);
  }
  static WHIT_INLINE F SplatF(float v) { return _mm512_set1_ps(v); }
  static WHIT_INLINE F ToFloat(V v) { return _mm512_cvtepi32_ps(v); }
  static WHIT_INLINE V Round(F v) { return _mm512_cvtps_epi32(v); }
  static WHIT_INLINE V Round16(F v) { return Round(v); }
  static WHIT_INLINE F RoundF(F v) {
    return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static WHIT_INLINE F MulF(F a, F b) { return _mm512_mul_ps(a, b); }
  static WHIT_INLINE F AddF(F a, F b) { return _mm512_add_ps(a, b); }
  static WHIT_INLINE F SubF(F a, F b) { return _mm512_sub_ps(a, b); }
  static WHIT_INLINE F MinF(F a, F b) { return _mm512_min_ps(a, b); }
  static WHIT_INLINE F MaxF(F a, F b) { return _mm512_max_ps(a, b); }
  static WHIT_INLINE V Widen(const uint8_t* p) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }

  static WHIT_INLINE V Pack(V a, V b, V c, V d, V zero) {
    // Each 128-bit lane holds four lanes of a, of b, of c and of d.
    return _mm512_permutexvar_epi32(
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
        PackBytes(PackWords(a, b, zero), PackWords(c, d, zero)));
  }
  static WHIT_INLINE V PackWords(V a, V b, V zero) {
    return _mm512_adds_epi16(_mm512_packs_epi32(a, b), zero);
  }
  static WHIT_INLINE V PackBytes(V a, V b) { return _mm512_packus_epi16(a, b); }
  static WHIT_INLINE V LoadLanes(const void* p, int64_t stride) {
    const auto* q = static_cast<const uint8_t*>(p);
    return _mm512_inserti64x4(_mm512_castsi256_si512(Ymm::LoadLanes(q, stride)),
                              Ymm::LoadLanes(q + 2 * stride, stride), 1);
  }
  static WHIT_INLINE V UnpackLo8(V a, V b) { return _mm512_unpacklo_epi8(a, b); }
  static WHIT_INLINE V UnpackHi8(V a, V b) { return _mm512_unpackhi_epi8(a, b); }
  static WHIT_INLINE V UnpackLo16(V a, V b) { return _mm512_unpacklo_epi16(a, b); }
  static WHIT_INLINE V UnpackHi16(V a, V b) { return _mm512_unpackhi_epi16(a, b); }
  static WHIT_INLINE V Sub16(V a, V b) { return _mm512_sub_epi16(a, b); }
  template <int kBytes, int kIndex>
  static WHIT_INLINE void StorePiece(uint8_t* p, V v) {
    if constexpr (kBytes == 64) {
      Store(p, v);
    } else if constexpr (kBytes == 32) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_extracti64x4_epi64(v, kIndex));
    } else {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_extracti32x4_epi32(v, kIndex));
    }
  }
};
