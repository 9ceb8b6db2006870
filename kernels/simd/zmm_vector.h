// What the vector family needs beyond zmm.h; the names mean what they mean in xmm_vector.h.

struct ZmmVector : Zmm {
  static constexpr int kBytes = 64;

  static WHIT_INLINE V SubSaturating8(V a, V b) { return _mm512_subs_epi8(a, b); }
  static WHIT_INLINE V Xor(V a, V b) { return _mm512_xor_si512(a, b); }
  static WHIT_INLINE V Or(V a, V b) { return _mm512_or_si512(a, b); }
  static WHIT_INLINE V ShuffleBytes(V table, V index) { return _mm512_shuffle_epi8(table, index); }
  static WHIT_INLINE V Repeat16(const void* p) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128(static_cast<const __m128i*>(p)));
  }
  static WHIT_INLINE V Add16(V a, V b) { return _mm512_add_epi16(a, b); }
  static WHIT_INLINE V EvenU8(V a) { return _mm512_and_si512(a, _mm512_set1_epi16(255)); }
  static WHIT_INLINE V OddU8(V a) { return _mm512_srli_epi16(a, 8); }
  static WHIT_INLINE V MulAdd16(V a, V b) { return _mm512_madd_epi16(a, b); }
  static WHIT_INLINE V MulAddU8S8(V a, V b) { return _mm512_maddubs_epi16(a, b); }
  static WHIT_INLINE V Mul16(V a, V b) { return _mm512_mullo_epi16(a, b); }
  static WHIT_INLINE V ShiftRight16(V a, unsigned bits) { return _mm512_srli_epi16(a, bits); }
  static WHIT_INLINE V ShiftLeft32(V a, unsigned bits) { return _mm512_slli_epi32(a, bits); }
  static WHIT_INLINE V ShiftRightArithmetic32(V a, unsigned bits) {
    return _mm512_srai_epi32(a, bits);
  }

  static WHIT_INLINE V Bits(F v) { return _mm512_castps_si512(v); }
  static WHIT_INLINE F FromBits(V v) { return _mm512_castsi512_ps(v); }
  static WHIT_INLINE void StoreF(float* p, F v) { _mm512_storeu_ps(p, v); }
  static WHIT_INLINE F SubF(F a, F b) { return _mm512_sub_ps(a, b); }
  static WHIT_INLINE F DivF(F a, F b) { return _mm512_div_ps(a, b); }
  static WHIT_INLINE F SqrtF(F a) { return _mm512_sqrt_ps(a); }
  static WHIT_INLINE F FloorF(F a) { return _mm512_floor_ps(a); }
  static WHIT_INLINE F CeilF(F a) { return _mm512_ceil_ps(a); }
  static WHIT_INLINE F ZeroNan(F v) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(v, v, _CMP_ORD_Q), v);
  }
  static WHIT_INLINE F SelectGe(F x, F y, F a, F b) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, y, _CMP_GE_OQ), b, a);
  }
  static WHIT_INLINE F SelectGt(F x, F y, F a, F b) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, y, _CMP_GT_OQ), b, a);
  }
  static WHIT_INLINE F SelectEq(F x, F y, F a, F b) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, y, _CMP_EQ_OQ), b, a);
  }

  static WHIT_INLINE float LargestLane(F v) {
    return YmmVector::LargestLane(
        _mm256_max_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1)));
  }
  static WHIT_INLINE float SumOfLanes(F v) {
    return YmmVector::SumOfLanes(
        _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1)));
  }

  using D = __m512d;
  static WHIT_INLINE D SplatD(double v) { return _mm512_set1_pd(v); }
  static WHIT_INLINE D AddD(D a, D b) { return _mm512_add_pd(a, b); }
  static WHIT_INLINE double SumOfD(D v) {
    return YmmVector::SumOfD(
        _mm256_add_pd(_mm512_castpd512_pd256(v), _mm512_extractf64x4_pd(v, 1)));
  }
  static WHIT_INLINE D DivD(D a, D b) { return _mm512_div_pd(a, b); }
  static WHIT_INLINE D LoadAsD(const float* p) { return _mm512_cvtps_pd(_mm256_loadu_ps(p)); }
  static WHIT_INLINE void StoreFromD(float* p, D v) { _mm256_storeu_ps(p, _mm512_cvtpd_ps(v)); }

  static WHIT_INLINE uint64_t EqualBytes(V a, V b) { return _mm512_cmpeq_epi8_mask(a, b); }

  static WHIT_INLINE uint8_t Code(uint8_t stored) { return stored; }
  static WHIT_INLINE V LoadCodes(const uint8_t* p) { return Load(p); }
  static WHIT_INLINE void StoreCodes(uint8_t* p, V v) { Store(p, v); }
  static WHIT_INLINE void StoreCodesPart(uint8_t* p, V v, int64_t n) { StorePart(p, v, n); }

  static WHIT_INLINE V LoadPart(const void* p, int64_t n) {
    return _mm512_maskz_loadu_epi8(Bytes(n), p);
  }
  static WHIT_INLINE void StorePart(void* p, V v, int64_t n) {
    _mm512_mask_storeu_epi8(p, Bytes(n), v);
  }
  static WHIT_INLINE F LoadPartF(const float* p, int64_t n) {
    return _mm512_maskz_loadu_ps(Lanes(n), p);
  }
  static WHIT_INLINE void StorePartF(float* p, F v, int64_t n) {
    _mm512_mask_storeu_ps(p, Lanes(n), v);
  }
  using Zmm::Widen;
  static WHIT_INLINE V Widen(const int16_t* p) { return _mm512_cvtepi16_epi32(YmmVector::Load(p)); }
  static WHIT_INLINE V WidenPart(const uint8_t* p, int64_t n) {
    return _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(Lanes(n), p));
  }
  static WHIT_INLINE V WidenPart(const int16_t* p, int64_t n) {
    return _mm512_cvtepi16_epi32(_mm256_maskz_loadu_epi16(Lanes(n), p));
  }
  static WHIT_INLINE void StoreWords(int16_t* p, V v) {
    YmmVector::Store(p, _mm512_cvtsepi32_epi16(v));
  }
  static WHIT_INLINE void StoreWordsPart(int16_t* p, V v, int64_t n) {
    _mm256_mask_storeu_epi16(p, Lanes(n), _mm512_cvtsepi32_epi16(v));
  }
  static WHIT_INLINE V GatherPairs(const int16_t* p, V index) {
    return _mm512_i32gather_epi32(index, p, 2);
  }
  static WHIT_INLINE void StoreBytes(uint8_t* p, V v, V zero) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), PackOne(v, zero));
  }
  static WHIT_INLINE void StoreBytesPart(uint8_t* p, V v, V zero, int64_t n) {
    _mm_mask_storeu_epi8(p, Lanes(n), PackOne(v, zero));
  }

 private:
  static WHIT_INLINE __mmask64 Bytes(int64_t n) { return ~uint64_t{0} >> (64 - n); }
  static WHIT_INLINE __mmask16 Lanes(int64_t n) {
    return static_cast<__mmask16>((uint32_t{1} << n) - 1);
  }
  static WHIT_INLINE __m128i PackOne(V v, V zero) {
    const __m256i words =
        _mm256_adds_epi16(_mm512_cvtsepi32_epi16(v), _mm512_castsi512_si256(zero));
    return XmmVector::PackBytes(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  }
};
