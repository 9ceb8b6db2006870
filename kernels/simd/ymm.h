// 256-bit registers of x86: AVX2, and with WHIT_DOT_YMM defined the four-byte dot product of
// AVX-VNNI or AVX512-VNNI. Included inside a tier's anonymous namespace, after <immintrin.h>.

alignas(32) const int16_t kOne16[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

struct Ymm {
  using V = __m256i;                // 8 int32, 16 int16 or 32 bytes
  using F = __m256;                 // 8 floats
  static constexpr int kLanes = 8;  // 32-bit ones
  static constexpr int kRegisters = 16;
  static constexpr bool kByElement = false;
  static constexpr bool kSignedActivations = false;
  static constexpr bool kDotLanes = false;  // dot products by one lane of a register
  typedef int32_t Unaligned32 __attribute__((may_alias, aligned(1)));

  static WHIT_INLINE V Load(const void* p) { return _mm256_loadu_si256(static_cast<const V*>(p)); }
  static WHIT_INLINE void Store(void* p, V v) { _mm256_storeu_si256(static_cast<V*>(p), v); }
  static WHIT_INLINE V Zero() { return _mm256_setzero_si256(); }
  static WHIT_INLINE V Splat32(int32_t v) { return _mm256_set1_epi32(v); }
  static WHIT_INLINE V Splat16(int v) { return _mm256_set1_epi16(static_cast<int16_t>(v)); }
  static WHIT_INLINE V Splat8(int v) { return _mm256_set1_epi8(static_cast<char>(v)); }
  /// Four bytes of memory in every lane.
  /// In assembly because gcc 12 else loads many of them into general registers first.
  static WHIT_INLINE V Broadcast(const void* p) {
    V v;
    asm("vpbroadcastd %1, %0" : "=x"(v) : "m"(*static_cast<const Unaligned32*>(p)));
    return v;
  }
  static WHIT_INLINE V Add32(V a, V b) { return _mm256_add_epi32(a, b); }
  static WHIT_INLINE V Sub32(V a, V b) { return _mm256_sub_epi32(a, b); }
  static WHIT_INLINE V Mul32(V a, V b) { return _mm256_mullo_epi32(a, b); }
  static WHIT_INLINE V Add16(V a, V b) { return _mm256_add_epi16(a, b); }
  static WHIT_INLINE V And(V a, V b) { return _mm256_and_si256(a, b); }
  // Min8, Max8, Widen, Pack and PackBytes are of stored activations: unsigned here, signed on ARM.
  static WHIT_INLINE V Min8(V a, V b) { return _mm256_min_epu8(a, b); }
  static WHIT_INLINE V Max8(V a, V b) { return _mm256_max_epu8(a, b); }
  static WHIT_INLINE V Sub8(V a, V b) { return _mm256_sub_epi8(a, b); }
  /// Even and odd bytes of 16-bit lanes: zero- and sign-extended.
  static WHIT_INLINE V EvenU8(V a) { return _mm256_and_si256(a, _mm256_set1_epi16(255)); }
  static WHIT_INLINE V OddU8(V a) { return _mm256_srli_epi16(a, 8); }
  static WHIT_INLINE V EvenS8(V a) { return _mm256_srai_epi16(_mm256_slli_epi16(a, 8), 8); }
  static WHIT_INLINE V ShiftRight32(V a, int bits) { return _mm256_srli_epi32(a, bits); }
  static WHIT_INLINE V OddS8(V a) { return _mm256_srai_epi16(a, 8); }
  static WHIT_INLINE V MulAdd16(V a, V b) { return _mm256_madd_epi16(a, b); }
  /// Unsigned a times signed b, two neighbours summed in 16 bits.
  static WHIT_INLINE V MulAddU8S8(V a, V b) { return _mm256_maddubs_epi16(a, b); }
  /// acc += two products of 16-bit neighbours in every lane, modulo 2^32.
  static WHIT_INLINE void DotWords(V& acc, V a, V b) {
#if defined(WHIT_DOT_WORDS_YMM)
    asm volatile(WHIT_DOT_WORDS_YMM " %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b));
#else
    acc = Add32(acc, MulAdd16(a, b));
    WHIT_PIN(acc);
#endif
  }
  /// acc += two steps of four bytes, x times v and y times u, summed in 16 bits; in assembly
  /// because gcc 12 spills accumulators around the temporaries.
  static WHIT_INLINE void AddPair(V& acc, V x, V y, V v, V u) {
    V s, t;
    asm volatile(
        "vpmaddubsw %[v], %[x], %[s]\n vpmaddubsw %[u], %[y], %[t]\n vpaddw %[t], %[s], %[s]\n"
        "vpmaddwd %[one], %[s], %[s]\n vpaddd %[s], %[acc], %[acc]"
        : [acc] "+x"(acc), [s] "=&x"(s), [t] "=&x"(t)
        : [x] "x"(x), [y] "x"(y), [v] "x"(v), [u] "x"(u), [one] "m"(kOne16));
  }
  /// acc += one step of four bytes.
  static WHIT_INLINE void AddSingle(V& acc, V x, V v) {
    V s;
    asm volatile(
        "vpmaddubsw %[v], %[x], %[s]\n vpmaddwd %[one], %[s], %[s]\n vpaddd %[s], %[acc], %[acc]"
        : [acc] "+x"(acc), [s] "=&x"(s)
        : [x] "x"(x), [v] "x"(v), [one] "m"(kOne16));
  }
#if defined(WHIT_EMULATE_DOT)  // for tests of everything around the instruction, on any AVX2 CPU
  static WHIT_INLINE void Dot(V& acc, V a, V b) {
    acc = Add32(acc, Add32(MulAdd16(EvenU8(a), EvenS8(b)), MulAdd16(OddU8(a), OddS8(b))));
  }
#elif defined(WHIT_DOT_YMM)
  /// acc += four unsigned bytes of a times four signed bytes of b, in every lane.
  static WHIT_INLINE void Dot(V& acc, V a, V b) {
    asm volatile(WHIT_DOT_YMM " %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b));
  }
#endif
  /// Sums of bytes in 64-bit lanes, and two halves of them.
  static WHIT_INLINE V SumBytes(V acc, V a) {
    return _mm256_add_epi64(acc, _mm256_sad_epu8(a, _mm256_setzero_si256()));
  }
  static WHIT_INLINE __m128i FoldSums(V s) {
    return _mm_add_epi64(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
  }

  static WHIT_INLINE F LoadF(const float* p) { return _mm256_loadu_ps(p); }
  static WHIT_INLINE void StoreF(float* p, F v) { _mm256_storeu_ps(p, v); }
  /// One float of memory in every lane.
  static WHIT_INLINE F BroadcastF(const float* p) { return _mm256_broadcast_ss(p); }
  /// a * b + c; rounded once where the tier has the instruction.
  static WHIT_INLINE F MulAddF(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
  /// The first `count` lanes in memory, fewer than kLanes.
  static WHIT_INLINE F LoadFewF(const float* p, int count) {
    return _mm256_maskload_ps(p, FewMask(count));
  }
  static WHIT_INLINE void StoreFewF(float* p, F v, int count) {
    _mm256_maskstore_ps(p, FewMask(count), v);
  }
  using Half = Xmm;
  static WHIT_INLINE Half::F LowerF(F v) { return _mm256_castps256_ps128(v); }
  static WHIT_INLINE Half::F UpperF(F v) { return _mm256_extractf128_ps(v, 1); }
  static WHIT_INLINE V FewMask(int count) {
    return _mm256_cmpgt_epi32(Splat32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static WHIT_INLINE F SplatF(float v) { return _mm256_set1_ps(v); }
  static WHIT_INLINE F ToFloat(V v) { return _mm256_cvtepi32_ps(v); }
  static WHIT_INLINE V Round(F v) { return _mm256_cvtps_epi32(v); }  // nearest even
  /// The same, but for numbers beyond 16 bits, of which only the sign is of interest.
  static WHIT_INLINE V Round16(F v) { return Round(v); }
  static WHIT_INLINE F RoundF(F v) {
    return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static WHIT_INLINE F MulF(F a, F b) { return _mm256_mul_ps(a, b); }
  static WHIT_INLINE F AddF(F a, F b) { return _mm256_add_ps(a, b); }
  static WHIT_INLINE F SubF(F a, F b) { return _mm256_sub_ps(a, b); }
  static WHIT_INLINE F MinF(F a, F b) { return _mm256_min_ps(a, b); }
  static WHIT_INLINE F MaxF(F a, F b) { return _mm256_max_ps(a, b); }
  /// kLanes bytes, extended to 32 bits.
  static WHIT_INLINE V Widen(const uint8_t* p) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  }

  /// 4 * kLanes int32 in order as bytes: `zero` (16-bit lanes) added with saturation, then to
  /// bytes.
  static WHIT_INLINE V Pack(V a, V b, V c, V d, V zero) {
    return _mm256_permutevar8x32_epi32(PackBytes(PackWords(a, b, zero), PackWords(c, d, zero)),
                                       _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
  }
  /// The two halves of a pack: within 128-bit lanes, nothing crosses them.
  static WHIT_INLINE V PackWords(V a, V b, V zero) {
    return _mm256_adds_epi16(_mm256_packs_epi32(a, b), zero);
  }
  static WHIT_INLINE V PackBytes(V a, V b) { return _mm256_packus_epi16(a, b); }
  /// 16 bytes for each 128-bit lane, `stride` bytes apart in memory.
  static WHIT_INLINE V LoadLanes(const void* p, int64_t stride) {
    const auto* q = static_cast<const uint8_t*>(p);
    return _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(q))),
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(q + stride)), 1);
  }
  static WHIT_INLINE V UnpackLo8(V a, V b) { return _mm256_unpacklo_epi8(a, b); }
  static WHIT_INLINE V UnpackHi8(V a, V b) { return _mm256_unpackhi_epi8(a, b); }
  static WHIT_INLINE V UnpackLo16(V a, V b) { return _mm256_unpacklo_epi16(a, b); }
  static WHIT_INLINE V UnpackHi16(V a, V b) { return _mm256_unpackhi_epi16(a, b); }
  static WHIT_INLINE V Sub16(V a, V b) { return _mm256_sub_epi16(a, b); }
  /// Piece kIndex of kBytes (8, 16 or 32) of a register.
  template <int kBytes, int kIndex>
  static WHIT_INLINE void StorePiece(uint8_t* p, V v) {
    if constexpr (kBytes == 32) {
      Store(p, v);
    } else {
      const __m128i half =
          kIndex * kBytes < 16 ? _mm256_castsi256_si128(v) : _mm256_extracti128_si256(v, 1);
      if constexpr (kBytes == 16) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p), half);
      } else if constexpr (kIndex % 2 == 0) {
        _mm_storel_epi64(reinterpret_cast<__m128i*>(p), half);
      } else {
        _mm_storeh_pd(reinterpret_cast<double*>(p), _mm_castsi128_pd(half));
      }
    }
  }
};
