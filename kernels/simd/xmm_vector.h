// What the vector family needs beyond xmm.h. Included inside a tier's anonymous namespace, after
// xmm.h. The names mean the same for all widths:
//   L lanes of 32 bits; a *part* is the first n < L (bytes: n < 4 L) elements, the rest zero.

struct XmmVector : Xmm {
  static constexpr int kBytes = 16;

  static WHIT_INLINE V Xor(V a, V b) { return _mm_xor_si128(a, b); }
  static WHIT_INLINE V Or(V a, V b) { return _mm_or_si128(a, b); }
  static WHIT_INLINE V ShuffleBytes(V table, V index) { return _mm_shuffle_epi8(table, index); }
  /// The same 16 bytes in every 128-bit lane.
  static WHIT_INLINE V Repeat16(const void* p) { return Load(p); }
  static WHIT_INLINE V SubSaturating8(V a, V b) { return _mm_subs_epi8(a, b); }
  static WHIT_INLINE V Mul16(V a, V b) { return _mm_mullo_epi16(a, b); }
  static WHIT_INLINE V ShiftRight16(V a, int bits) { return _mm_srli_epi16(a, bits); }
  static WHIT_INLINE V ShiftLeft32(V a, int bits) { return _mm_slli_epi32(a, bits); }
  static WHIT_INLINE V ShiftRightArithmetic32(V a, int bits) { return _mm_srai_epi32(a, bits); }

  static WHIT_INLINE V Bits(F v) { return _mm_castps_si128(v); }
  static WHIT_INLINE F FromBits(V v) { return _mm_castsi128_ps(v); }
  static WHIT_INLINE void StoreF(float* p, F v) { _mm_storeu_ps(p, v); }
  static WHIT_INLINE F SubF(F a, F b) { return _mm_sub_ps(a, b); }
  static WHIT_INLINE F DivF(F a, F b) { return _mm_div_ps(a, b); }
  static WHIT_INLINE F SqrtF(F a) { return _mm_sqrt_ps(a); }
  static WHIT_INLINE F FloorF(F a) { return _mm_floor_ps(a); }
  static WHIT_INLINE F CeilF(F a) { return _mm_ceil_ps(a); }
  /// 0 for NaN.
  static WHIT_INLINE F ZeroNan(F v) { return _mm_and_ps(v, _mm_cmpord_ps(v, v)); }
  /// x >= y ? a : b, x > y ? a : b, x == y ? a : b: false for NaN.
  static WHIT_INLINE F SelectGe(F x, F y, F a, F b) {
    return _mm_blendv_ps(b, a, _mm_cmpge_ps(x, y));
  }
  static WHIT_INLINE F SelectGt(F x, F y, F a, F b) {
    return _mm_blendv_ps(b, a, _mm_cmpgt_ps(x, y));
  }
  static WHIT_INLINE F SelectEq(F x, F y, F a, F b) {
    return _mm_blendv_ps(b, a, _mm_cmpeq_ps(x, y));
  }

  /// max(a, b) over the lanes; the order of a sum is fixed.
  static WHIT_INLINE float LargestLane(F v) {
    v = _mm_max_ps(v, _mm_movehl_ps(v, v));
    return _mm_cvtss_f32(_mm_max_ss(v, _mm_movehdup_ps(v)));
  }
  static WHIT_INLINE float SumOfLanes(F v) {
    v = _mm_add_ps(v, _mm_movehl_ps(v, v));
    return _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)));
  }

  /// L / 2 doubles.
  using D = __m128d;
  static WHIT_INLINE D SplatD(double v) { return _mm_set1_pd(v); }
  static WHIT_INLINE D AddD(D a, D b) { return _mm_add_pd(a, b); }
  static WHIT_INLINE double SumOfD(D v) {
    return _mm_cvtsd_f64(_mm_add_sd(v, _mm_unpackhi_pd(v, v)));
  }
  static WHIT_INLINE D DivD(D a, D b) { return _mm_div_pd(a, b); }
  static WHIT_INLINE D LoadAsD(const float* p) {
    return _mm_cvtps_pd(_mm_castsi128_ps(_mm_loadl_epi64(reinterpret_cast<const V*>(p))));
  }
  static WHIT_INLINE void StoreFromD(float* p, D v) {
    _mm_storel_epi64(reinterpret_cast<V*>(p), _mm_castps_si128(_mm_cvtpd_ps(v)));
  }

  /// Bit i: byte i is equal.
  static WHIT_INLINE uint64_t EqualBytes(V a, V b) {
    return static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(a, b)));
  }

  /// Codes of 8 bits, counted from 0, as the tier stores them.
  static WHIT_INLINE uint8_t Code(uint8_t stored) { return stored; }
  static WHIT_INLINE V LoadCodes(const uint8_t* p) { return Load(p); }
  static WHIT_INLINE void StoreCodes(uint8_t* p, V v) { Store(p, v); }
  static WHIT_INLINE void StoreCodesPart(uint8_t* p, V v, int64_t n) { StorePart(p, v, n); }
  /// Of what SumBytes added up.
  static WHIT_INLINE int64_t TotalOfSums(V sum) {
    return _mm_cvtsi128_si64(sum) + _mm_extract_epi64(sum, 1);
  }

  static WHIT_INLINE V LoadPart(const void* p, int64_t n) {
    alignas(16) uint8_t bytes[16] = {};
    CopyUnder<16>(bytes, p, n);
    return Load(bytes);
  }
  static WHIT_INLINE void StorePart(void* p, V v, int64_t n) {
    alignas(16) uint8_t bytes[16];
    Store(bytes, v);
    CopyUnder<16>(p, bytes, n);
  }
  static WHIT_INLINE F LoadPartF(const float* p, int64_t n) { return FromBits(LoadPart(p, 4 * n)); }
  static WHIT_INLINE void StorePartF(float* p, F v, int64_t n) { StorePart(p, Bits(v), 4 * n); }
  /// L codes as int32: zero-extended bytes, sign-extended words.
  using Xmm::Widen;
  static WHIT_INLINE V Widen(const int16_t* p) {
    return _mm_cvtepi16_epi32(_mm_loadl_epi64(reinterpret_cast<const V*>(p)));
  }
  static WHIT_INLINE V WidenPart(const uint8_t* p, int64_t n) {
    return _mm_cvtepu8_epi32(LoadPart(p, n));
  }
  static WHIT_INLINE V WidenPart(const int16_t* p, int64_t n) {
    return _mm_cvtepi16_epi32(LoadPart(p, 2 * n));
  }
  /// L int32 as words, with saturation.
  static WHIT_INLINE void StoreWords(int16_t* p, V v) {
    _mm_storel_epi64(reinterpret_cast<V*>(p), _mm_packs_epi32(v, v));
  }
  static WHIT_INLINE void StoreWordsPart(int16_t* p, V v, int64_t n) {
    StorePart(p, _mm_packs_epi32(v, v), 2 * n);
  }
  /// L int32 as bytes: `zero` (16-bit lanes) added with saturation, then to u8.
  static WHIT_INLINE void StoreBytes(uint8_t* p, V v, V zero) {
    const int32_t four = _mm_cvtsi128_si32(PackOne(v, zero));
    __builtin_memcpy(p, &four, 4);
  }
  static WHIT_INLINE void StoreBytesPart(uint8_t* p, V v, V zero, int64_t n) {
    StorePart(p, PackOne(v, zero), n);
  }

 private:
  static WHIT_INLINE V PackOne(V v, V zero) {
    const V words = PackWords(v, v, zero);
    return PackBytes(words, words);
  }
};
