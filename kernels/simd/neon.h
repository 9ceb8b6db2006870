// 128-bit registers of ARM: NEON of armv7 (VFPv4) and armv8, and with dot products or matrix
// products where the tier's flags have them. Included inside a tier's anonymous namespace, after
// <arm_neon.h>. The names mean what they mean in ymm.h; stored activations are int8.

#if defined(__aarch64__)
#define WHIT_NEON_ZIP(type, which, a, b) vzip##which##q_##type(a, b)
#else
#define WHIT_NEON_ZIP(type, which, a, b) vzipq_##type(a, b).val[which - 1]
#endif

struct Neon {
  using V = int32x4_t;
  using F = float32x4_t;
  static constexpr int kLanes = 4;
#if defined(__aarch64__)
  static constexpr int kRegisters = 32;
  static constexpr bool kByElement = true;  // MulAddElementF; armv7 has none that is fused
#else
  static constexpr int kRegisters = 16;
  static constexpr bool kByElement = false;
#endif
  static constexpr bool kDotLanes = true;
  static constexpr bool kSignedActivations = true;
  typedef int32_t Unaligned32 __attribute__((may_alias, aligned(1)));

  // The same bits as other elements.
  static WHIT_INLINE int8x16_t As8(V v) { return vreinterpretq_s8_s32(v); }
  static WHIT_INLINE int16x8_t As16(V v) { return vreinterpretq_s16_s32(v); }
  static WHIT_INLINE V From(int8x16_t v) { return vreinterpretq_s32_s8(v); }
  static WHIT_INLINE V From(int16x8_t v) { return vreinterpretq_s32_s16(v); }

  static WHIT_INLINE V Load(const void* p) {
    return vreinterpretq_s32_u8(vld1q_u8(static_cast<const uint8_t*>(p)));
  }
  static WHIT_INLINE void Store(void* p, V v) {
    vst1q_u8(static_cast<uint8_t*>(p), vreinterpretq_u8_s32(v));
  }
  static WHIT_INLINE V Zero() { return vdupq_n_s32(0); }
  static WHIT_INLINE V Splat32(int32_t v) { return vdupq_n_s32(v); }
  static WHIT_INLINE V Splat16(int v) { return From(vdupq_n_s16(static_cast<int16_t>(v))); }
  static WHIT_INLINE V Splat8(int v) { return From(vdupq_n_s8(static_cast<int8_t>(v))); }
  /// In assembly because gcc 12 else goes through general registers.
  static WHIT_INLINE V Broadcast(const void* p) {
    V v;
#if defined(__aarch64__)
    asm("ld1r {%0.4s}, %1" : "=w"(v) : "Q"(*static_cast<const Unaligned32*>(p)));
#else
    asm("vld1.32 {%e0[], %f0[]}, %1" : "=w"(v) : "Q"(*static_cast<const Unaligned32*>(p)));
#endif
    return v;
  }
#if !defined(__aarch64__)
  static WHIT_INLINE int32x2_t BroadcastHalf(const void* p) {
    int32x2_t v;
    asm("vld1.32 {%P0[]}, %1" : "=w"(v) : "Q"(*static_cast<const Unaligned32*>(p)));
    return v;
  }
#endif
  static WHIT_INLINE V Add32(V a, V b) { return vaddq_s32(a, b); }
  static WHIT_INLINE V Sub32(V a, V b) { return vsubq_s32(a, b); }
  static WHIT_INLINE V Mul32(V a, V b) { return vmulq_s32(a, b); }
  static WHIT_INLINE V Add16(V a, V b) { return From(vaddq_s16(As16(a), As16(b))); }
  static WHIT_INLINE V Sub16(V a, V b) { return From(vsubq_s16(As16(a), As16(b))); }
  static WHIT_INLINE V And(V a, V b) { return vandq_s32(a, b); }
  static WHIT_INLINE V Min8(V a, V b) { return From(vminq_s8(As8(a), As8(b))); }
  static WHIT_INLINE V Max8(V a, V b) { return From(vmaxq_s8(As8(a), As8(b))); }
  static WHIT_INLINE V Sub8(V a, V b) { return From(vsubq_s8(As8(a), As8(b))); }
  static WHIT_INLINE V EvenS8(V a) { return From(vshrq_n_s16(vshlq_n_s16(As16(a), 8), 8)); }
  static WHIT_INLINE V OddS8(V a) { return From(vshrq_n_s16(As16(a), 8)); }
  /// Products of the lower eight bytes. In assembly because gcc 12 else keeps copies of lower
  /// halves in registers of their own, and spills.
  static WHIT_INLINE int16x8_t MulLo(int8x16_t a, int8x16_t b) {
#if defined(__aarch64__)
    int16x8_t product;
    asm("smull %0.8h, %1.8b, %2.8b" : "=w"(product) : "w"(a), "w"(b));
    return product;
#else
    return vmull_s8(vget_low_s8(a), vget_low_s8(b));
#endif
  }
  static WHIT_INLINE void MulAddLo(int16x8_t& acc, int8x16_t a, int8x16_t b) {
#if defined(__aarch64__)
    asm("smlal %0.8h, %1.8b, %2.8b" : "+w"(acc) : "w"(a), "w"(b));
#else
    acc = vmlal_s8(acc, vget_low_s8(a), vget_low_s8(b));
#endif
  }
#if defined(__ARM_FEATURE_DOTPROD)
  /// acc += four signed bytes of a times four signed bytes of b, in every lane.
  static WHIT_INLINE void Dot(V& acc, V a, V b) { acc = vdotq_s32(acc, As8(a), As8(b)); }
  /// The same with lane kLane of b in every lane.
  template <int kLane>
  static WHIT_INLINE void DotLane(V& acc, V a, V b) {
    acc = vdotq_laneq_s32(acc, As8(a), As8(b), kLane);
  }
#endif

  static WHIT_INLINE F LoadF(const float* p) { return vld1q_f32(p); }
  static WHIT_INLINE void StoreF(float* p, F v) { vst1q_f32(p, v); }
  static WHIT_INLINE F BroadcastF(const float* p) { return vld1q_dup_f32(p); }
  static WHIT_INLINE F MulAddF(F a, F b, F c) { return vfmaq_f32(c, a, b); }
#if defined(__aarch64__)
  /// acc += b times element kElement of x.
  template <int kElement>
  static WHIT_INLINE void MulAddElementF(F& acc, F b, F x) {
    acc = vfmaq_laneq_f32(acc, b, x, kElement);
  }
#endif
  static WHIT_INLINE F SwapHalvesF(F v) { return vextq_f32(v, v, 2); }
  static WHIT_INLINE F SwapPairsF(F v) { return vrev64q_f32(v); }
  static WHIT_INLINE float FirstF(F v) { return vgetq_lane_f32(v, 0); }
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
  static WHIT_INLINE F SplatF(float v) { return vdupq_n_f32(v); }
  static WHIT_INLINE F ToFloat(V v) { return vcvtq_f32_s32(v); }
  static WHIT_INLINE F MulF(F a, F b) { return vmulq_f32(a, b); }
  static WHIT_INLINE F AddF(F a, F b) { return vaddq_f32(a, b); }
  static WHIT_INLINE F SubF(F a, F b) { return vsubq_f32(a, b); }
  static WHIT_INLINE F MinF(F a, F b) { return vminq_f32(a, b); }
  static WHIT_INLINE F MaxF(F a, F b) { return vmaxq_f32(a, b); }
#if defined(__aarch64__)
  static WHIT_INLINE F RoundF(F v) { return vrndnq_f32(v); }
  static WHIT_INLINE V Round(F v) { return vcvtnq_s32_f32(v); }
  static WHIT_INLINE V Round16(F v) { return Round(v); }
#else
  /// armv7 has no rounding: adding 2^23 of the same sign leaves no fraction. From 2^23 on there is
  /// none.
  static WHIT_INLINE F RoundF(F v) {
    const uint32x4_t sign = vandq_u32(vreinterpretq_u32_f32(v), vdupq_n_u32(0x80000000u));
    const F large = vdupq_n_f32(8388608.0f);
    const F by = vreinterpretq_f32_u32(vorrq_u32(sign, vreinterpretq_u32_f32(large)));
    return vbslq_f32(vcaltq_f32(v, large), vsubq_f32(vaddq_f32(v, by), by), v);
  }
  static WHIT_INLINE V Round(F v) { return vcvtq_s32_f32(RoundF(v)); }
  /// 1.5 * 2^23 leaves the integer in the low bits.
  static WHIT_INLINE V Round16(F v) {
    const F by = vdupq_n_f32(12582912.0f);
    const F some = vminq_f32(vmaxq_f32(v, vdupq_n_f32(-65536.0f)), vdupq_n_f32(65536.0f));
    return vsubq_s32(vreinterpretq_s32_f32(vaddq_f32(some, by)), vreinterpretq_s32_f32(by));
  }
#endif
  static WHIT_INLINE V Widen(const uint8_t* p) {
    const int8x8_t v = vreinterpret_s8_s32(
        vdup_n_s32(*static_cast<const Unaligned32*>(static_cast<const void*>(p))));
    return vmovl_s16(vget_low_s16(vmovl_s8(v)));
  }

  static WHIT_INLINE V Pack(V a, V b, V c, V d, V zero) {
    return PackBytes(PackWords(a, b, zero), PackWords(c, d, zero));
  }
  static WHIT_INLINE V PackWords(V a, V b, V zero) {
    return From(vqaddq_s16(vcombine_s16(vqmovn_s32(a), vqmovn_s32(b)), As16(zero)));
  }
  static WHIT_INLINE V PackBytes(V a, V b) {
    return From(vcombine_s8(vqmovn_s16(As16(a)), vqmovn_s16(As16(b))));
  }
  /// a0 + a1, a2 + a3, b0 + b1, b2 + b3.
  static WHIT_INLINE V PairSums(V a, V b) {
#if defined(__aarch64__)
    return vpaddq_s32(a, b);
#else
    return vcombine_s32(vpadd_s32(vget_low_s32(a), vget_high_s32(a)),
                        vpadd_s32(vget_low_s32(b), vget_high_s32(b)));
#endif
  }
  static WHIT_INLINE V LoadLanes(const void* p, int64_t) { return Load(p); }
  static WHIT_INLINE V LoadHalf(const void* p) {
    const uint8x8_t half = vld1_u8(static_cast<const uint8_t*>(p));
    return vreinterpretq_s32_u8(vcombine_u8(half, vdup_n_u8(0)));
  }
  static WHIT_INLINE V UnpackLo8(V a, V b) { return From(WHIT_NEON_ZIP(s8, 1, As8(a), As8(b))); }
  static WHIT_INLINE V UnpackHi8(V a, V b) { return From(WHIT_NEON_ZIP(s8, 2, As8(a), As8(b))); }
  static WHIT_INLINE V UnpackLo16(V a, V b) {
    return From(WHIT_NEON_ZIP(s16, 1, As16(a), As16(b)));
  }
  static WHIT_INLINE V UnpackHi16(V a, V b) {
    return From(WHIT_NEON_ZIP(s16, 2, As16(a), As16(b)));
  }
  static WHIT_INLINE V UnpackLo32(V a, V b) { return WHIT_NEON_ZIP(s32, 1, a, b); }
  static WHIT_INLINE V UnpackHi32(V a, V b) { return WHIT_NEON_ZIP(s32, 2, a, b); }
  template <int kBytes, int kIndex>
  static WHIT_INLINE void StorePiece(uint8_t* p, V v) {
    const uint8x16_t bytes = vreinterpretq_u8_s32(v);
    if constexpr (kBytes == 16) {
      vst1q_u8(p, bytes);
    } else if constexpr (kIndex == 0) {
      vst1_u8(p, vget_low_u8(bytes));
    } else {
      vst1_u8(p, vget_high_u8(bytes));
    }
  }
};

/// Minima and maxima as x86 has them: of a NaN and a number, and of two zeros, the second operand.
struct NeonSecond : Neon {
  static WHIT_INLINE F MinF(F a, F b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
  static WHIT_INLINE F MaxF(F a, F b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
};

/// What loops written for registers of any width use where 16 bytes are enough.
using Xmm = Neon;
