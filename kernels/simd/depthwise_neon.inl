// DepthwiseI8 on ARM without dot products.

/// Two rows widened to 16 bits, for depthwise_i8.inl and depthwise_flat.inl: registers hold four
/// channels of one row and the same four of the other. The weight zero point is subtracted from the
/// weights, whose range of -255 .. 255 fits.
template <class T>
struct LongRows {
  using V = typename T::V;
  static constexpr int kRows = 2;
  static WHIT_INLINE V Halves(int16x4_t a, int16x4_t b) { return T::From(vcombine_s16(a, b)); }
  static WHIT_INLINE void Interleave(int16x8_t a, int16x8_t b, V* v) {
    v[0] = Halves(vget_low_s16(a), vget_low_s16(b));
    v[1] = Halves(vget_high_s16(a), vget_high_s16(b));
  }
  static WHIT_INLINE int16x8_t Lo(V r) { return vmovl_s8(vget_low_s8(T::As8(r))); }
  static WHIT_INLINE int16x8_t Hi(V r) { return vmovl_s8(vget_high_s8(T::As8(r))); }
  static WHIT_INLINE void Interleave(const V (&r)[2], V (&v)[4]) {
    Interleave(Lo(r[0]), Lo(r[1]), v);
    Interleave(Hi(r[0]), Hi(r[1]), v + 2);
  }
  static WHIT_INLINE void InterleaveWeights(const V (&r)[2], V zero_point, V (&v)[4]) {
    Interleave(r, v);
    for (int i = 0; i < 4; ++i) v[i] = T::Sub16(v[i], zero_point);
  }
  static WHIT_INLINE void Add(V& acc, V column, V weights) {
    const int16x8_t x = T::As16(column), w = T::As16(weights);
    acc = vmlal_s16(acc, vget_low_s16(x), vget_low_s16(w));
#if defined(__aarch64__)
    acc = vmlal_high_s16(acc, x, w);
#else
    acc = vmlal_s16(acc, vget_high_s16(x), vget_high_s16(w));
#endif
  }
};

// Taps in their order, which need no columns: products of bytes of two taps in one 16-bit sum of
// each channel. Two products fit it unless both are -128 times -128.

/// Products of 16 channels.
struct Products {
  int16x8_t lo, hi;
  WHIT_INLINE Products(int8x16_t x, int8x16_t w) : lo(Neon::MulLo(x, w)), hi(High(x, w)) {}
  WHIT_INLINE void Add(int8x16_t x, int8x16_t w) {
    Neon::MulAddLo(lo, x, w);
#if defined(__aarch64__)
    hi = vmlal_high_s8(hi, x, w);
#else
    hi = vmlal_s8(hi, vget_high_s8(x), vget_high_s8(w));
#endif
  }
  WHIT_INLINE void AddTo(int32x4_t (&acc)[4]) const {
    acc[0] = vaddw_s16(acc[0], vget_low_s16(lo)), acc[2] = vaddw_s16(acc[2], vget_low_s16(hi));
#if defined(__aarch64__)
    acc[1] = vaddw_high_s16(acc[1], lo), acc[3] = vaddw_high_s16(acc[3], hi);
#else
    acc[1] = vaddw_s16(acc[1], vget_high_s16(lo)), acc[3] = vaddw_s16(acc[3], vget_high_s16(hi));
#endif
  }
  static WHIT_INLINE int16x8_t High(int8x16_t x, int8x16_t w) {
#if defined(__aarch64__)
    return vmull_high_s8(x, w);
#else
    return vmull_s8(vget_high_s8(x), vget_high_s8(w));
#endif
  }
};

/// What is prepared once for 16 channels and all lines of a call.
struct TapUnit {
  // Outputs side by side, which share the loads of weights that do not stay in registers.
  static constexpr int kX = Neon::kRegisters == 32 ? 2 : 1;

  const DepthwiseI8& p;
  const int8_t* weights;  // [taps][16]
  int64_t channel;        // the first
  int count;              // real channels
  alignas(16) uint8_t padding[16];
  alignas(16) int32_t start[16];
  alignas(16) float multiplier[16];

  static WHIT_INLINE int8x16_t Load(const void* x) { return Neon::As8(Neon::Load(x)); }

  WHIT_INLINE void SetChannels() {
    const Requantize8& q = p.quant;
    Neon::Store(padding, Neon::Splat8(p.zero));
    const int32x4_t beta = Neon::Splat32(q.act_bias), minus = Neon::Splat32(q.sums_minus);
    for (int i = 0; i < 16; i += 4) {
      const int32x4_t sums = Neon::Sub32(Neon::Load(q.sums + channel + i), minus);
      const int32x4_t bias = q.bias != nullptr ? Neon::Load(q.bias + channel + i) : Neon::Zero();
      Neon::Store(start + i, Neon::Sub32(bias, Neon::Mul32(beta, sums)));
      Neon::StoreF(multiplier + i, Neon::LoadF(q.multiplier + channel + i));
    }
  }

  /// Whether no weight is -128.
  WHIT_INLINE bool PairsFit() const {
    int8x16_t least = vdupq_n_s8(0);
    for (int64_t t = 0; t < p.kernel_h * p.kernel_w; ++t) {
      least = vminq_s8(least, Load(weights + 16 * t));
    }
    int8_t all[16];
    vst1q_s8(all, least);
    bool fit = true;
    for (int i = 0; i < 16; ++i) fit &= all[i] != -128;
    return fit;
  }

  WHIT_INLINE void Begin(int32x4_t (&acc)[4]) const {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) acc[k] = Neon::Load(start + 4 * k);
  }

  /// The real channels to DepthwiseI8::total.
  WHIT_INLINE void AddToTotal(const int32x4_t (&acc)[4]) const {
    int32x4_t total = Neon::Load(p.total);
    for (int k = 0; k < 4; ++k) {
      alignas(16) int32_t real[4];
      for (int i = 0; i < 4; ++i) real[i] = 4 * k + i < count ? -1 : 0;
      total = Neon::Add32(total, Neon::And(acc[k], Neon::Load(real)));
    }
    Neon::Store(p.total, total);
  }

  WHIT_INLINE void Finish(const int32x4_t (&acc)[4], const Rounding<Neon>& r, uint8_t* out) const {
    int32x4_t y[4];
    const bool large = p.quant.large_multipliers;
    WHIT_USUAL(!large && p.total == nullptr);
    if (p.total != nullptr) AddToTotal(acc);
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      const float32x4_t m = Neon::LoadF(multiplier + 4 * k);
      y[k] =
          large ? ScaledLarge<Neon>(acc[k], m, Neon::SplatF(p.quant.hi)) : Scaled<Neon>(acc[k], m);
    }
    StoreRow<Neon, 16, 0>(out, r.Clamp(Neon::Pack(y[0], y[1], y[2], y[3], r.zero)), count);
  }

  /// acc += taps [begin, end) of a row of them; `x` is what tap 0 reads, or would.
  WHIT_INLINE void AddTaps(const uint8_t* x, int64_t step, int64_t begin, int64_t end,
                           const int8_t* w, int32x4_t (&acc)[4]) const {
    int64_t t = begin;
    for (; t + 2 <= end; t += 2) {
      Products sum(Load(x + t * step), Load(w + 16 * t));
      sum.Add(Load(x + (t + 1) * step), Load(w + 16 * t + 16));
      sum.AddTo(acc);
    }
    if (t < end) Products(Load(x + t * step), Load(w + 16 * t)).AddTo(acc);
  }

  /// Outputs [begin, end) of a line, one by one: at the borders, and of any kernel.
  __attribute__((noinline)) void Any(int64_t line, int64_t begin, int64_t end) const {
    const Rounding<Neon> r(p.quant.zero_point, p.quant.lo, p.quant.hi);
    const int64_t y0 = line * p.stride_h - p.pad_top, step = p.dilation_w * p.in_c;
    for (int64_t x = begin; x < end; ++x) {
      const int64_t x0 = x * p.stride_w - p.pad_left;
      const int64_t first = Min(p.kernel_w, x0 < 0 ? CeilDiv(-x0, p.dilation_w) : 0);
      const int64_t last =
          Max(first, Min(p.kernel_w, p.in_w > x0 ? CeilDiv(p.in_w - x0, p.dilation_w) : 0));
      int32x4_t acc[4];
      Begin(acc);
      for (int64_t ky = 0; ky < p.kernel_h; ++ky) {
        const int64_t y = y0 + ky * p.dilation_h;
        const int8_t* const w = weights + 16 * ky * p.kernel_w;
        if (y < 0 || y >= p.in_h) {
          AddTaps(padding, 0, 0, p.kernel_w, w, acc);
          continue;
        }
        AddTaps(padding, 0, 0, first, w, acc);
        AddTaps(p.x + (y * p.in_w + x0) * p.in_c + channel, step, first, last, w, acc);
        AddTaps(padding, 0, last, p.kernel_w, w, acc);
      }
      Finish(acc, r, p.out + (line * p.out_w + x) * p.out_stride + channel);
    }
  }

  /// A row of input under a line of 3x3, or padding, which is read again and again.
  struct Row {
    const uint8_t* x;
    int64_t tap, next;  // bytes to the next tap, to the next output
  };

  /// kN outputs of 3x3 side by side.
  template <int kN>
  WHIT_INLINE void Three(Row (&row)[3], const int8x16_t (&w)[9], const Rounding<Neon>& r,
                         uint8_t* out) const {
    int32x4_t acc[kN][4];
#pragma GCC unroll 2
    for (int i = 0; i < kN; ++i) Begin(acc[i]);
    const auto x = [&](int i, int t) WHIT_LAMBDA_INLINE {
      return Load(row[t / 3].x + i * row[t / 3].next + t % 3 * row[t / 3].tap);
    };
#pragma GCC unroll 5
    for (int t = 0; t < 9; t += 2) {
#pragma GCC unroll 2
      for (int i = 0; i < kN; ++i) {
        Products sum(x(i, t), w[t]);
        if (t < 8) sum.Add(x(i, t + 1), w[t + 1]);
        sum.AddTo(acc[i]);
      }
    }
#pragma GCC unroll 2
    for (int i = 0; i < kN; ++i) Finish(acc[i], r, out + i * p.out_stride);
#pragma GCC unroll 3
    for (int j = 0; j < 3; ++j) row[j].x += kN * row[j].next;
  }

  /// Outputs [begin, end) of a line of 3x3, all of whose columns are inside.
  __attribute__((noinline)) void ThreeByThree(int64_t line, int64_t begin, int64_t end) const {
    const Rounding<Neon> r(p.quant.zero_point, p.quant.lo, p.quant.hi);
    int8x16_t w[9];
#pragma GCC unroll 9
    for (int t = 0; t < 9; ++t) w[t] = Load(weights + 16 * t);
    Row row[3];
    for (int j = 0; j < 3; ++j) {
      const int64_t y = line * p.stride_h - p.pad_top + j * p.dilation_h;
      row[j] = {padding, 0, 0};
      if (y < 0 || y >= p.in_h) continue;
      const int64_t at = y * p.in_w + begin * p.stride_w - p.pad_left;
      row[j] = {p.x + at * p.in_c + channel, p.dilation_w * p.in_c, p.stride_w * p.in_c};
    }
    uint8_t* out = p.out + (line * p.out_w + begin) * p.out_stride + channel;
    int64_t x = begin;
    for (; x + kX <= end; x += kX, out += kX * p.out_stride) Three<kX>(row, w, r, out);
    if constexpr (kX > 1) {
      for (; x < end; ++x, out += p.out_stride) Three<1>(row, w, r, out);
    }
  }

  WHIT_INLINE void Lines() const {
    const bool three = p.kernel_h == 3 && p.kernel_w == 3;
    // Outputs all of whose columns are inside.
    const int64_t first = Min(p.out_w, CeilDiv(p.pad_left, p.stride_w));
    const int64_t room = p.in_w - 1 - (p.kernel_w - 1) * p.dilation_w + p.pad_left;
    const int64_t last = Max(first, Min(p.out_w, room < 0 ? 0 : room / p.stride_w + 1));
    for (int64_t line = p.line_begin; line < p.line_end; ++line) {
      if (!three) {
        Any(line, 0, p.out_w);
        continue;
      }
      Any(line, 0, first);
      ThreeByThree(line, first, last);
      Any(line, last, p.out_w);
    }
  }
};

/// All lines of 16 channels; false where that is for another way.
WHIT_INLINE bool DepthwiseTaps(const DepthwiseI8& p, int64_t channel) {
  if (p.multiplier != 1 || p.weight_zero_point != 0) return false;
  TapUnit u{p, p.weights + channel * p.kernel_h * p.kernel_w, channel, 0, {}, {}, {}};
  if (!u.PairsFit()) return false;
  u.count = static_cast<int>(Min<int64_t>(p.channel_end - channel, 16));
  u.SetChannels();
  u.Lines();
  return true;
}
