// What the vector family needs beyond neon.h, which is included before it inside a tier's anonymous
// namespace. The names mean what they mean in xmm_vector.h.
//
// These kernels count codes of 8 bits from 0, and the ARM tiers store them as int8: LoadCodes,
// Widen, StoreCodes and StoreBytes flip the top bit, and between them bytes are unsigned.

struct NeonVector : NeonSecond {
  static constexpr int kBytes = 16;

  static WHIT_INLINE uint8x16_t AsU8(V v) { return vreinterpretq_u8_s32(v); }
  static WHIT_INLINE uint16x8_t AsU16(V v) { return vreinterpretq_u16_s32(v); }
  static WHIT_INLINE uint32x4_t AsU32(V v) { return vreinterpretq_u32_s32(v); }
  static WHIT_INLINE V From(uint8x16_t v) { return vreinterpretq_s32_u8(v); }
  static WHIT_INLINE V From(uint16x8_t v) { return vreinterpretq_s32_u16(v); }
  using Neon::From;

  static WHIT_INLINE V Xor(V a, V b) { return veorq_s32(a, b); }
  static WHIT_INLINE V Or(V a, V b) { return vorrq_s32(a, b); }
  static WHIT_INLINE V Min8(V a, V b) { return From(vminq_u8(AsU8(a), AsU8(b))); }
  static WHIT_INLINE V Max8(V a, V b) { return From(vmaxq_u8(AsU8(a), AsU8(b))); }
  static WHIT_INLINE V EvenU8(V a) { return And(a, Splat16(255)); }
  static WHIT_INLINE V OddU8(V a) { return From(vshrq_n_u16(AsU16(a), 8)); }
  static WHIT_INLINE V Mul16(V a, V b) { return From(vmulq_s16(As16(a), As16(b))); }
  // The compiler's shifts of vectors take constants and variables.
  static WHIT_INLINE V ShiftRight16(V a, int bits) {
    return From(AsU16(a) >> static_cast<uint16_t>(bits));
  }
  static WHIT_INLINE V ShiftLeft32(V a, int bits) {
    return vreinterpretq_s32_u32(AsU32(a) << static_cast<uint32_t>(bits));
  }
  static WHIT_INLINE V ShiftRightArithmetic32(V a, int bits) { return a >> bits; }
  static WHIT_INLINE V MulAdd16(V a, V b) {
    const int16x8_t x = As16(a), y = As16(b);
    return PairSums(vmull_s16(vget_low_s16(x), vget_low_s16(y)),
                    vmull_s16(vget_high_s16(x), vget_high_s16(y)));
  }
  /// Sums of two neighbouring products in 16 bits; b is not negative here.
  static WHIT_INLINE V MulAddU8S8(V a, V b) {
    const uint8x16_t x = AsU8(a), y = AsU8(b);
    const uint16x8_t low = vmull_u8(vget_low_u8(x), vget_low_u8(y));
    const uint16x8_t high = vmull_u8(vget_high_u8(x), vget_high_u8(y));
#if defined(__aarch64__)
    return From(vpaddq_u16(low, high));
#else
    return From(vcombine_u16(vpadd_u16(vget_low_u16(low), vget_high_u16(low)),
                             vpadd_u16(vget_low_u16(high), vget_high_u16(high))));
#endif
  }
  /// acc (2 x 64 bits) += all bytes.
  static WHIT_INLINE V SumBytes(V acc, V a) {
    return vreinterpretq_s32_u64(
        vpadalq_u32(vreinterpretq_u64_s32(acc), vpaddlq_u16(vpaddlq_u8(AsU8(a)))));
  }
  static WHIT_INLINE int64_t TotalOfSums(V acc) {
    const int64x2_t two = vreinterpretq_s64_s32(acc);
    return vgetq_lane_s64(two, 0) + vgetq_lane_s64(two, 1);
  }
  static WHIT_INLINE V PackBytes(V a, V b) {
    return From(vcombine_u8(vqmovun_s16(As16(a)), vqmovun_s16(As16(b))));
  }
  static WHIT_INLINE V Pack(V a, V b, V c, V d, V zero) {
    return PackBytes(PackWords(a, b, zero), PackWords(c, d, zero));
  }

  static WHIT_INLINE V Bits(F v) { return vreinterpretq_s32_f32(v); }
  static WHIT_INLINE F FromBits(V v) { return vreinterpretq_f32_s32(v); }
  static WHIT_INLINE F ZeroNan(F v) {
    return FromBits(And(Bits(v), vreinterpretq_s32_u32(vceqq_f32(v, v))));
  }
  static WHIT_INLINE F SelectGe(F x, F y, F a, F b) { return vbslq_f32(vcgeq_f32(x, y), a, b); }
  static WHIT_INLINE F SelectGt(F x, F y, F a, F b) { return vbslq_f32(vcgtq_f32(x, y), a, b); }
  static WHIT_INLINE F SelectEq(F x, F y, F a, F b) { return vbslq_f32(vceqq_f32(x, y), a, b); }
#if defined(__aarch64__)
  static WHIT_INLINE F DivF(F a, F b) { return vdivq_f32(a, b); }
  static WHIT_INLINE F SqrtF(F a) { return vsqrtq_f32(a); }
  static WHIT_INLINE F FloorF(F a) { return vrndmq_f32(a); }
  static WHIT_INLINE F CeilF(F a) { return vrndpq_f32(a); }
#else
  // armv7 has these for one float only.
  static WHIT_INLINE F DivF(F a, F b) { return a / b; }
  static WHIT_INLINE F SqrtF(F a) {
    return F{__builtin_sqrtf(a[0]), __builtin_sqrtf(a[1]), __builtin_sqrtf(a[2]),
             __builtin_sqrtf(a[3])};
  }
  /// The nearest, and one less where that is above.
  static WHIT_INLINE F FloorF(F a) {
    const F nearest = RoundF(a);
    return SelectGt(nearest, a, nearest - SplatF(1), nearest);
  }
  /// ceil(a) = -floor(-a), the sign of a zero included.
  static WHIT_INLINE F CeilF(F a) { return -FloorF(-a); }
#endif

  static WHIT_INLINE float LargestLane(F v) {
    v = MaxF(v, SwapHalvesF(v));
    return FirstF(MaxF(v, SwapPairsF(v)));
  }
  static WHIT_INLINE float SumOfLanes(F v) {
    v = AddF(v, SwapHalvesF(v));
    return FirstF(AddF(v, SwapPairsF(v)));
  }

  /// Two doubles; armv7 takes one at a time.
#if defined(__aarch64__)
  using D = float64x2_t;
#else
  typedef double D __attribute__((vector_size(16)));
#endif
  static WHIT_INLINE D SplatD(double v) { return D{v, v}; }
  static WHIT_INLINE D AddD(D a, D b) { return a + b; }
  static WHIT_INLINE D DivD(D a, D b) { return a / b; }
  static WHIT_INLINE double SumOfD(D v) { return v[0] + v[1]; }
  static WHIT_INLINE D LoadAsD(const float* p) {
    return D{static_cast<double>(p[0]), static_cast<double>(p[1])};
  }
  static WHIT_INLINE void StoreFromD(float* p, D v) {
    p[0] = static_cast<float>(v[0]), p[1] = static_cast<float>(v[1]);
  }

  static WHIT_INLINE uint64_t EqualBytes(V a, V b) {
    const uint8x8_t places = vcreate_u8(0x8040201008040201u);
    const uint8x16_t bits = vandq_u8(vceqq_u8(AsU8(a), AsU8(b)), vcombine_u8(places, places));
    uint8x8_t sums = vpadd_u8(vget_low_u8(bits), vget_high_u8(bits));
    sums = vpadd_u8(sums, sums);
    sums = vpadd_u8(sums, sums);
    return vget_lane_u16(vreinterpret_u16_u8(sums), 0);
  }

  static WHIT_INLINE uint8_t Code(uint8_t stored) { return stored ^ 0x80; }
  static WHIT_INLINE V LoadCodes(const uint8_t* p) { return Flipped(Load(p)); }
  static WHIT_INLINE void StoreCodes(uint8_t* p, V v) { Store(p, Flipped(v)); }
  static WHIT_INLINE void StoreCodesPart(uint8_t* p, V v, int64_t n) {
    StorePart(p, Flipped(v), n);
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

  static WHIT_INLINE V Widen(const uint8_t* p) {
    return WidenCodes(vdup_n_u32(*static_cast<const Unaligned32*>(static_cast<const void*>(p))));
  }
  static WHIT_INLINE V Widen(const int16_t* p) { return vmovl_s16(vld1_s16(p)); }
  static WHIT_INLINE V WidenPart(const uint8_t* p, int64_t n) {
    return WidenCodes(vget_low_u32(AsU32(LoadPart(p, n))));
  }
  static WHIT_INLINE V WidenPart(const int16_t* p, int64_t n) {
    return vmovl_s16(vget_low_s16(As16(LoadPart(p, 2 * n))));
  }
  static WHIT_INLINE void StoreWords(int16_t* p, V v) { vst1_s16(p, vqmovn_s32(v)); }
  static WHIT_INLINE void StoreWordsPart(int16_t* p, V v, int64_t n) {
    const int16x4_t words = vqmovn_s32(v);
    StorePart(p, From(vcombine_s16(words, words)), 2 * n);
  }
  static WHIT_INLINE void StoreBytes(uint8_t* p, V v, V zero) {
    const int32_t four = vgetq_lane_s32(PackOne(v, zero), 0);
    __builtin_memcpy(p, &four, 4);
  }
  static WHIT_INLINE void StoreBytesPart(uint8_t* p, V v, V zero, int64_t n) {
    StorePart(p, PackOne(v, zero), n);
  }

 private:
  static WHIT_INLINE V Flipped(V v) { return Xor(v, Splat8(-128)); }
  static WHIT_INLINE V WidenCodes(uint32x2_t stored) {
    const uint8x8_t codes = veor_u8(vreinterpret_u8_u32(stored), vdup_n_u8(0x80));
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(codes))));
  }
  static WHIT_INLINE V PackOne(V v, V zero) {
    const V words = PackWords(v, v, zero);
    return Flipped(PackBytes(words, words));
  }
};
