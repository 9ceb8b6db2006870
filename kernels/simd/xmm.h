// 128-bit registers of x86 with SSE4.1. Included inside a tier's anonymous namespace, after
// <smmintrin.h>. The names mean what they mean in ymm.h.

struct Xmm {
  using V = __m128i;
  using F = __m128;
  static constexpr int kLanes = 4;
  static constexpr int kRegisters = 16;
  static constexpr bool kByElement = false;
  static constexpr bool kSignedActivations = false;

  static WHIT_INLINE V Load(const void* p) { return _mm_loadu_si128(static_cast<const V*>(p)); }
  static WHIT_INLINE void Store(void* p, V v) { _mm_storeu_si128(static_cast<V*>(p), v); }
  static WHIT_INLINE V Zero() { return _mm_setzero_si128(); }
  static WHIT_INLINE V Splat32(int32_t v) { return _mm_set1_epi32(v); }
  static WHIT_INLINE V Splat16(int v) { return _mm_set1_epi16(static_cast<int16_t>(v)); }
  static WHIT_INLINE V Splat8(int v) { return _mm_set1_epi8(static_cast<char>(v)); }
  static WHIT_INLINE V Broadcast(const void* p) {
    int32_t v;
    __builtin_memcpy(&v, p, 4);
    return _mm_set1_epi32(v);
  }
  static WHIT_INLINE V Add32(V a, V b) { return _mm_add_epi32(a, b); }
  static WHIT_INLINE V Sub32(V a, V b) { return _mm_sub_epi32(a, b); }
  static WHIT_INLINE V Mul32(V a, V b) { return _mm_mullo_epi32(a, b); }
  static WHIT_INLINE V Add16(V a, V b) { return _mm_add_epi16(a, b); }
  static WHIT_INLINE V And(V a, V b) { return _mm_and_si128(a, b); }
  static WHIT_INLINE V Min8(V a, V b) { return _mm_min_epu8(a, b); }
  static WHIT_INLINE V Max8(V a, V b) { return _mm_max_epu8(a, b); }
  static WHIT_INLINE V Sub8(V a, V b) { return _mm_sub_epi8(a, b); }
  static WHIT_INLINE V EvenU8(V a) { return _mm_and_si128(a, _mm_set1_epi16(255)); }
  static WHIT_INLINE V OddU8(V a) { return _mm_srli_epi16(a, 8); }
  static WHIT_INLINE V EvenS8(V a) { return _mm_srai_epi16(_mm_slli_epi16(a, 8), 8); }
  static WHIT_INLINE V ShiftRight32(V a, int bits) { return _mm_srli_epi32(a, bits); }
  static WHIT_INLINE V OddS8(V a) { return _mm_srai_epi16(a, 8); }
  static WHIT_INLINE V MulAdd16(V a, V b) { return _mm_madd_epi16(a, b); }
  static WHIT_INLINE V MulAddU8S8(V a, V b) { return _mm_maddubs_epi16(a, b); }
  static WHIT_INLINE void DotWords(V& acc, V a, V b) {
    acc = Add32(acc, MulAdd16(a, b));
    WHIT_PIN(acc);
  }
  static WHIT_INLINE void AddPair(V& acc, V x, V y, V v, V u) {
    const V sum = _mm_add_epi16(_mm_maddubs_epi16(x, v), _mm_maddubs_epi16(y, u));
    acc = _mm_add_epi32(acc, _mm_madd_epi16(sum, _mm_set1_epi16(1)));
    WHIT_PIN(acc);
  }
  static WHIT_INLINE void AddSingle(V& acc, V x, V v) {
    const V sum = _mm_maddubs_epi16(x, v);
    acc = _mm_add_epi32(acc, _mm_madd_epi16(sum, _mm_set1_epi16(1)));
    WHIT_PIN(acc);
  }
  static WHIT_INLINE V SumBytes(V acc, V a) {
    return _mm_add_epi64(acc, _mm_sad_epu8(a, _mm_setzero_si128()));
  }
  static WHIT_INLINE __m128i FoldSums(V s) { return s; }

  static WHIT_INLINE F LoadF(const float* p) { return _mm_loadu_ps(p); }
  static WHIT_INLINE void StoreF(float* p, F v) { _mm_storeu_ps(p, v); }
  static WHIT_INLINE F BroadcastF(const float* p) { return _mm_set1_ps(*p); }
  /// Two roundings: there is no fused multiply-add.
  static WHIT_INLINE F MulAddF(F a, F b, F c) { return _mm_add_ps(c, _mm_mul_ps(a, b)); }
  static WHIT_INLINE F SwapHalvesF(F v) { return _mm_movehl_ps(v, v); }
  static WHIT_INLINE F SwapPairsF(F v) { return _mm_shuffle_ps(v, v, _MM_SHUFFLE(2, 3, 0, 1)); }
  static WHIT_INLINE float FirstF(F v) { return _mm_cvtss_f32(v); }
  static WHIT_INLINE F LoadFewF(const float* p, int count) {
    float v[kLanes] = {};
    for (int i = 0; i < count; ++i) v[i] = p[i];
    return LoadF(v);
  }
  static WHIT_INLINE void StoreFewF(float* p, F v, int count) {
    float few[kLanes];
    StoreF(few, v);
    for (int i = 0; i < count; ++i) p[i] = few[i];
  }
  static WHIT_INLINE F SplatF(float v) { return _mm_set1_ps(v); }
  static WHIT_INLINE F ToFloat(V v) { return _mm_cvtepi32_ps(v); }
  static WHIT_INLINE V Round(F v) { return _mm_cvtps_epi32(v); }
  static WHIT_INLINE V Round16(F v) { return Round(v); }
  static WHIT_INLINE F RoundF(F v) {
    return _mm_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static WHIT_INLINE F MulF(F a, F b) { return _mm_mul_ps(a, b); }
  static WHIT_INLINE F AddF(F a, F b) { return _mm_add_ps(a, b); }
  static WHIT_INLINE F SubF(F a, F b) { return _mm_sub_ps(a, b); }
  static WHIT_INLINE F MinF(F a, F b) { return _mm_min_ps(a, b); }
  static WHIT_INLINE F MaxF(F a, F b) { return _mm_max_ps(a, b); }
  static WHIT_INLINE V Widen(const uint8_t* p) {
    int32_t v;
    __builtin_memcpy(&v, p, 4);
    return _mm_cvtepu8_epi32(_mm_cvtsi32_si128(v));
  }

  static WHIT_INLINE V Pack(V a, V b, V c, V d, V zero) {
    return PackBytes(PackWords(a, b, zero), PackWords(c, d, zero));
  }
  /// The two halves of a pack: within 128-bit lanes, nothing crosses them.
  static WHIT_INLINE V PackWords(V a, V b, V zero) {
    return _mm_adds_epi16(_mm_packs_epi32(a, b), zero);
  }
  static WHIT_INLINE V PackBytes(V a, V b) { return _mm_packus_epi16(a, b); }
  /// 16 bytes for each 128-bit lane, `stride` bytes apart in memory.
  static WHIT_INLINE V LoadLanes(const void* p, int64_t) { return Load(p); }
  /// 8 bytes; the rest is 0.
  static WHIT_INLINE V LoadHalf(const void* p) { return _mm_loadl_epi64(static_cast<const V*>(p)); }
  static WHIT_INLINE V UnpackLo8(V a, V b) { return _mm_unpacklo_epi8(a, b); }
  static WHIT_INLINE V UnpackHi8(V a, V b) { return _mm_unpackhi_epi8(a, b); }
  static WHIT_INLINE V UnpackLo16(V a, V b) { return _mm_unpacklo_epi16(a, b); }
  static WHIT_INLINE V UnpackHi16(V a, V b) { return _mm_unpackhi_epi16(a, b); }
  static WHIT_INLINE V UnpackLo32(V a, V b) { return _mm_unpacklo_epi32(a, b); }
  static WHIT_INLINE V UnpackHi32(V a, V b) { return _mm_unpackhi_epi32(a, b); }
  static WHIT_INLINE V Sub16(V a, V b) { return _mm_sub_epi16(a, b); }
#if defined(WHIT_EMULATE_DOT)
  static WHIT_INLINE void Dot(V& acc, V a, V b) {
    acc = Add32(acc, Add32(MulAdd16(EvenU8(a), EvenS8(b)), MulAdd16(OddU8(a), OddS8(b))));
  }
#elif defined(WHIT_DOT_XMM)
  static WHIT_INLINE void Dot(V& acc, V a, V b) {
    asm volatile(WHIT_DOT_XMM " %2, %1, %0" : "+x"(acc) : "x"(a), "x"(b));
  }
#endif
  template <int kBytes, int kIndex>
  static WHIT_INLINE void StorePiece(uint8_t* p, V v) {
    if constexpr (kBytes == 16) {
      Store(p, v);
    } else if constexpr (kIndex == 0) {
      _mm_storel_epi64(reinterpret_cast<V*>(p), v);
    } else {
      _mm_storeh_pd(reinterpret_cast<double*>(p), _mm_castsi128_pd(v));
    }
  }
};
