// What the vector family needs beyond ymm.h; the names mean what they mean in xmm_vector.h.

struct YmmVector : Ymm {
  static constexpr int kBytes = 32;

  static WHIT_INLINE V Xor(V a, V b) { return _mm256_xor_si256(a, b); }
  static WHIT_INLINE V Or(V a, V b) { return _mm256_or_si256(a, b); }
  static WHIT_INLINE V ShuffleBytes(V table, V index) { return _mm256_shuffle_epi8(table, index); }
  static WHIT_INLINE V Repeat16(const void* p) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128(static_cast<const __m128i*>(p)));
  }
  static WHIT_INLINE V SubSaturating8(V a, V b) { return _mm256_subs_epi8(a, b); }
  static WHIT_INLINE V Mul16(V a, V b) { return _mm256_mullo_epi16(a, b); }
  static WHIT_INLINE V ShiftRight16(V a, int bits) { return _mm256_srli_epi16(a, bits); }
  static WHIT_INLINE V ShiftLeft32(V a, int bits) { return _mm256_slli_epi32(a, bits); }
  static WHIT_INLINE V ShiftRightArithmetic32(V a, int bits) { return _mm256_srai_epi32(a, bits); }

  static WHIT_INLINE V Bits(F v) { return _mm256_castps_si256(v); }
  static WHIT_INLINE F FromBits(V v) { return _mm256_castsi256_ps(v); }
  static WHIT_INLINE void StoreF(float* p, F v) { _mm256_storeu_ps(p, v); }
  static WHIT_INLINE F SubF(F a, F b) { return _mm256_sub_ps(a, b); }
  static WHIT_INLINE F DivF(F a, F b) { return _mm256_div_ps(a, b); }
  static WHIT_INLINE F SqrtF(F a) { return _mm256_sqrt_ps(a); }
  static WHIT_INLINE F FloorF(F a) { return _mm256_floor_ps(a); }
  static WHIT_INLINE F CeilF(F a) { return _mm256_ceil_ps(a); }
  static WHIT_INLINE F ZeroNan(F v) { return _mm256_and_ps(v, _mm256_cmp_ps(v, v, _CMP_ORD_Q)); }
  static WHIT_INLINE F SelectGe(F x, F y, F a, F b) {
    return _mm256_blendv_ps(b, a, _mm256_cmp_ps(x, y, _CMP_GE_OQ));
  }
  static WHIT_INLINE F SelectGt(F x, F y, F a, F b) {
    return _mm256_blendv_ps(b, a, _mm256_cmp_ps(x, y, _CMP_GT_OQ));
  }
  static WHIT_INLINE F SelectEq(F x, F y, F a, F b) {
    return _mm256_blendv_ps(b, a, _mm256_cmp_ps(x, y, _CMP_EQ_OQ));
  }

  static WHIT_INLINE float LargestLane(F v) {
    return XmmVector::LargestLane(
        _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)));
  }
  static WHIT_INLINE float SumOfLanes(F v) {
    return XmmVector::SumOfLanes(
        _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)));
  }

  using D = __m256d;
  static WHIT_INLINE D SplatD(double v) { return _mm256_set1_pd(v); }
  static WHIT_INLINE D AddD(D a, D b) { return _mm256_add_pd(a, b); }
  static WHIT_INLINE double SumOfD(D v) {
    return XmmVector::SumOfD(_mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1)));
  }
  static WHIT_INLINE D DivD(D a, D b) { return _mm256_div_pd(a, b); }
  static WHIT_INLINE D LoadAsD(const float* p) { return _mm256_cvtps_pd(_mm_loadu_ps(p)); }
  static WHIT_INLINE void StoreFromD(float* p, D v) { _mm_storeu_ps(p, _mm256_cvtpd_ps(v)); }

  static WHIT_INLINE uint64_t EqualBytes(V a, V b) {
    return static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, b)));
  }

  static WHIT_INLINE uint8_t Code(uint8_t stored) { return stored; }
  static WHIT_INLINE V LoadCodes(const uint8_t* p) { return Load(p); }
  static WHIT_INLINE void StoreCodes(uint8_t* p, V v) { Store(p, v); }
  static WHIT_INLINE void StoreCodesPart(uint8_t* p, V v, int64_t n) { StorePart(p, v, n); }
  static WHIT_INLINE int64_t TotalOfSums(V sum) { return XmmVector::TotalOfSums(FoldSums(sum)); }

  static WHIT_INLINE V LoadPart(const void* p, int64_t n) {
    alignas(32) uint8_t bytes[32] = {};
    CopyUnder<32>(bytes, p, n);
    return Load(bytes);
  }
  static WHIT_INLINE void StorePart(void* p, V v, int64_t n) {
    alignas(32) uint8_t bytes[32];
    Store(bytes, v);
    CopyUnder<32>(p, bytes, n);
  }
  static WHIT_INLINE F LoadPartF(const float* p, int64_t n) {
    return _mm256_maskload_ps(p, FirstLanes(n));
  }
  static WHIT_INLINE void StorePartF(float* p, F v, int64_t n) {
    _mm256_maskstore_ps(p, FirstLanes(n), v);
  }
  using Ymm::Widen;
  static WHIT_INLINE V Widen(const int16_t* p) { return _mm256_cvtepi16_epi32(XmmVector::Load(p)); }
  static WHIT_INLINE V WidenPart(const uint8_t* p, int64_t n) {
    return _mm256_cvtepu8_epi32(XmmVector::LoadPart(p, n));
  }
  static WHIT_INLINE V WidenPart(const int16_t* p, int64_t n) {
    return _mm256_cvtepi16_epi32(XmmVector::LoadPart(p, 2 * n));
  }
  static WHIT_INLINE void StoreWords(int16_t* p, V v) { XmmVector::Store(p, Words(v)); }
  static WHIT_INLINE void StoreWordsPart(int16_t* p, V v, int64_t n) {
    XmmVector::StorePart(p, Words(v), 2 * n);
  }
  /// 32 bits at p + 2 * index, an element a lane.
  static WHIT_INLINE V GatherPairs(const int16_t* p, V index) {
    return _mm256_i32gather_epi32(reinterpret_cast<const int*>(p), index, 2);
  }
  static WHIT_INLINE void StoreBytes(uint8_t* p, V v, V zero) {
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), PackOne(v, zero));
  }
  static WHIT_INLINE void StoreBytesPart(uint8_t* p, V v, V zero, int64_t n) {
    XmmVector::StorePart(p, PackOne(v, zero), n);
  }

 private:
  static WHIT_INLINE V FirstLanes(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static WHIT_INLINE __m128i Words(V v) {
    return _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  }
  static WHIT_INLINE __m128i PackOne(V v, V zero) {
    const __m128i words = XmmVector::PackWords(
        _mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1), _mm256_castsi256_si128(zero));
    return XmmVector::PackBytes(words, words);
  }
};
