// DepthwiseF32: one register of channels at a time passes over all outputs of the call. Outputs
// whose taps inside the image are the same are neighbours in a line, or, at the left and right
// border, in a column: a stretch of them is one loop without a question of padding.

/// How a tap's register of inputs comes from memory.
enum class TapInput {
  kDirect,    // kLanes neighbouring channels
  kOneValue,  // all output channels of the register read one input channel
  kGathered,  // any depth multiplier
};

/// Outputs that have the taps [ky0, ky1) x [kx0, kx1) inside the image.
struct TapStretch {
  const float* x;  // tap (0, 0) of the first output (not read where that lies outside)
  int64_t x_step;  // between neighbouring outputs
  float* out;
  int64_t out_step;
  int64_t count;
  int64_t ky0, ky1, kx0, kx1;
};

template <class T, TapInput kInput>
struct FloatDepthwise {
  using F = typename T::F;

  const DepthwiseF32& p;
  int64_t channel;    // the first
  int count;          // real channels
  const float* taps;  // of the register, 16 floats apart
  F start, lo, hi;
  int64_t row, column;  // floats from tap to tap
  int64_t first = 0;    // input channel of the first output channel, and how many of the channels
  int64_t leading = 0;  // from there on read it

  WHIT_INLINE FloatDepthwise(const DepthwiseF32& d, int64_t c)
      : p(d),
        channel(c),
        count(static_cast<int>(Min<int64_t>(T::kLanes, d.channel_end - c))),
        taps(d.weights + c / 16 * 16 * d.kernel_h * d.kernel_w + c % 16),
        start(d.bias != nullptr ? T::LoadF(d.bias + c) : T::SplatF(0)),
        lo(T::SplatF(d.lo)),
        hi(T::SplatF(d.hi)),
        row(d.dilation_h * d.in_w * d.in_c),
        column(d.dilation_w * d.in_c),
        first(c / d.multiplier),
        leading(d.multiplier - c % d.multiplier) {}

  WHIT_INLINE F Input(const float* x) const {
    if constexpr (kInput == TapInput::kDirect) return T::LoadF(x);
    if constexpr (kInput == TapInput::kOneValue) return T::BroadcastF(x);
    alignas(64) float value[T::kLanes];
    int64_t left = leading;
    for (int i = 0; i < T::kLanes; ++i) {
      value[i] = i < count ? *x : 0.0f;  // nothing behind the last channel
      if (--left == 0) left = p.multiplier, ++x;
    }
    return T::LoadF(value);
  }

  WHIT_INLINE void Finish(F acc, float* out) const {
    const F y = T::MinF(hi, T::MaxF(lo, acc));  // in this order NaN passes
    if (count == T::kLanes) {
      T::StoreF(out, y);
    } else {
      T::StoreFewF(out, y, count);
    }
  }

  /// kX outputs of any kernel. Taps go column by column, here and below.
  template <int kX>
  WHIT_INLINE void AnyTaps(const TapStretch& s, const float* x, float* out) const {
    F acc[kX];
#pragma GCC unroll 8
    for (int i = 0; i < kX; ++i) acc[i] = start;
    const int64_t line = 16 * p.kernel_w;
    for (int64_t kx = s.kx0; kx < s.kx1; ++kx) {
      const float* w = taps + s.ky0 * line + 16 * kx;
      const float* at = x + s.ky0 * row + kx * column;
      for (int64_t ky = s.ky0; ky < s.ky1; ++ky, w += line, at += row) {
        const F weight = T::LoadF(w);
#pragma GCC unroll 8
        for (int i = 0; i < kX; ++i) {
          acc[i] = T::MulAddF(Input(at + i * s.x_step), weight, acc[i]);
        }
      }
    }
#pragma GCC unroll 8
    for (int i = 0; i < kX; ++i) Finish(acc[i], out + i * s.out_step);
  }

  /// A line of outputs of a 3x3 kernel with the rows [kY0, kY1) of taps, whose weights stay in
  /// registers. Neighbouring outputs share columns where they are kStride columns apart (1 or 2; 0:
  /// they share none), and a column is loaded once. `left`: the first column lies outside; `right`:
  /// the last one. No chain of products is longer than nine, and the next outputs hide its latency.
  template <int kStride, int kY0, int kY1>
  WHIT_INLINE void NineTaps(const TapStretch& s, bool left, bool right) const {
    F w[3][3];
#pragma GCC unroll 3
    for (int ky = kY0; ky < kY1; ++ky) {
#pragma GCC unroll 3
      for (int kx = 0; kx < 3; ++kx) w[ky][kx] = T::LoadF(taps + 16 * (3 * ky + kx));
    }
    const float* x[3] = {s.x, s.x + row, s.x + 2 * row};
    const auto load = [&](int64_t at, F(&v)[3]) WHIT_LAMBDA_INLINE {
#pragma GCC unroll 3
      for (int ky = kY0; ky < kY1; ++ky) v[ky] = Input(x[ky] + at);
    };
    const auto add = [&](const F(&v)[3], int kx, F acc) WHIT_LAMBDA_INLINE {
#pragma GCC unroll 3
      for (int ky = kY0; ky < kY1; ++ky) acc = T::MulAddF(v[ky], w[ky][kx], acc);
      return acc;
    };
    float* out = s.out;
    F v[3], a = start, b = start;  // a, b: sums of this output and of the next
    if (kStride > 0 && !left) load(0, v), a = add(v, 0, a);
    if constexpr (kStride == 1) load(column, v), a = add(v, 1, a), b = add(v, 0, b);
    for (int64_t i = right ? 1 : 0; i < s.count; ++i, out += s.out_step) {
      if constexpr (kStride == 0) load(0, v), a = add(v, 0, start);
      if constexpr (kStride != 1) load(column, v), a = add(v, 1, a);
      load(2 * column, v);
      Finish(add(v, 2, a), out);
#pragma GCC unroll 3
      for (int ky = kY0; ky < kY1; ++ky) x[ky] += s.x_step;
      if constexpr (kStride == 1) a = add(v, 1, b), b = add(v, 0, start);
      if constexpr (kStride == 2) a = add(v, 0, start);
    }
    if (!right) return;
    if constexpr (kStride == 2) load(column, v), a = add(v, 1, a);
    Finish(a, out);
  }

  /// The same with the rows of taps that `s` says.
  template <int kStride>
  WHIT_INLINE void NineTapsOf(const TapStretch& s, bool left, bool right) const {
    if (s.ky0 == 0) {
      if (s.ky1 == 3) return NineTaps<kStride, 0, 3>(s, left, right);
      return NineTaps<kStride, 0, 2>(s, left, right);
    }
    if (s.ky1 == 3) return NineTaps<kStride, 1, 3>(s, left, right);
    NineTaps<kStride, 1, 2>(s, left, right);
  }

  WHIT_INLINE void Run(const TapStretch& s) const {
    if (s.count <= 0) return;
    const bool all = (s.ky1 - s.ky0) * (s.kx1 - s.kx0) == 9;
    if (kInput != TapInput::kGathered && all && p.kernel_h == 3 && p.kernel_w == 3) {
      return NineTaps<0, 0, 3>(s, false, false);
    }
    constexpr int kX = 8;
    const float* x = s.x;
    float* out = s.out;
    int64_t i = 0;
    for (; i + kX <= s.count; i += kX, x += kX * s.x_step, out += kX * s.out_step) {
      AnyTaps<kX>(s, x, out);
    }
    for (; i < s.count; ++i, x += s.x_step, out += s.out_step) AnyTaps<1>(s, x, out);
  }
};

/// Outputs [begin, end) of an axis have all their taps inside.
struct InnerOutputs {
  int64_t begin, end;
};
WHIT_INLINE InnerOutputs FindInner(int64_t outputs, int64_t in, int64_t kernel, int64_t stride,
                                   int64_t dilation, int64_t pad) {
  const int64_t begin = Min(outputs, CeilDiv(pad, stride));
  const int64_t last = in + pad - (kernel - 1) * dilation - 1;  // of a first tap, from -pad
  const int64_t end = last < 0 ? 0 : Min(outputs, last / stride + 1);
  return {begin, Max(begin, end)};
}

/// Taps [begin, end) of an output whose first one reads `at` lie in [0, in).
WHIT_INLINE InnerOutputs TapsInside(int64_t at, int64_t in, int64_t kernel, int64_t dilation) {
  const int64_t begin = at < 0 ? Min(kernel, CeilDiv(-at, dilation)) : 0;
  const int64_t end = at < in ? Min(kernel, CeilDiv(in - at, dilation)) : 0;
  return {begin, Max(begin, end)};
}

/// Whether lines of a 3x3 kernel go through NineTaps with their borders: at most one row or column
/// of taps outside on each side, and in the middle always one inside.
WHIT_INLINE bool IsOrdinary(const DepthwiseF32& p, int64_t out_h) {
  const int64_t below = (out_h - 1) * p.stride_h + 3 - p.pad_top - p.in_h;
  const int64_t right = (p.out_w - 1) * p.stride_w + 3 - p.pad_left - p.in_w;
  return p.kernel_h == 3 && p.kernel_w == 3 && p.dilation_h == 1 && p.dilation_w == 1 &&
         (p.stride_w == 1 || p.stride_w == 2) && p.pad_top <= 1 && p.pad_left <= 1 && below <= 1 &&
         right <= 1;
}

template <class T, TapInput kInput>
__attribute__((noinline)) void FloatDepthwiseChannels(const DepthwiseF32& p, int64_t channel) {
  const FloatDepthwise<T, kInput> d(p, channel);
  const int64_t first = p.multiplier == 1 ? channel : channel / p.multiplier;
  const InnerOutputs lines =
      FindInner(p.line_end, p.in_h, p.kernel_h, p.stride_h, p.dilation_h, p.pad_top);
  const InnerOutputs columns =
      FindInner(p.out_w, p.in_w, p.kernel_w, p.stride_w, p.dilation_w, p.pad_left);
  const int64_t line_step = p.stride_h * p.in_w * p.in_c, pixel_step = p.stride_w * p.in_c;
  const int64_t out_line = p.out_w * p.out_stride;
  TapStretch s;
  s.x_step = pixel_step, s.out_step = p.out_stride;
  // A stretch that begins at output (y, x).
  const auto place = [&](int64_t y, int64_t x) WHIT_LAMBDA_INLINE {
    const int64_t iy = y * p.stride_h - p.pad_top, ix = x * p.stride_w - p.pad_left;
    const InnerOutputs ky = TapsInside(iy, p.in_h, p.kernel_h, p.dilation_h);
    const InnerOutputs kx = TapsInside(ix, p.in_w, p.kernel_w, p.dilation_w);
    s.ky0 = ky.begin, s.ky1 = ky.end, s.kx0 = kx.begin, s.kx1 = kx.end;
    s.x = p.x + (iy * p.in_w + ix) * p.in_c + first;
    s.out = p.out + y * out_line + x * p.out_stride + channel;
  };
  if (kInput != TapInput::kGathered && IsOrdinary(p, p.line_end)) {
    const bool left = p.pad_left > 0;
    const bool right = (p.out_w - 1) * p.stride_w + 3 - p.pad_left > p.in_w;
    s.count = p.out_w;
    for (int64_t y = p.line_begin; y < p.line_end; ++y) {
      place(y, 0);
      if (p.stride_w == 1) {
        d.template NineTapsOf<1>(s, left, right);
      } else {
        d.template NineTapsOf<2>(s, left, right);
      }
    }
    return;
  }
  const int64_t inner_begin = Min(Max(p.line_begin, lines.begin), p.line_end);
  const int64_t inner_end = Max(inner_begin, lines.end);
  for (int64_t y = p.line_begin; y < p.line_end; ++y) {
    const bool inner = y >= inner_begin && y < inner_end;
    place(y, columns.begin);
    s.x_step = pixel_step, s.out_step = p.out_stride, s.count = columns.end - columns.begin;
    d.Run(s);
    if (inner && y != inner_begin) continue;
    // Border columns: of this line, or of all inner lines at once.
    s.x_step = line_step, s.out_step = out_line, s.count = inner ? inner_end - inner_begin : 1;
    const int64_t count = s.count;
    for (int64_t x = 0; x < columns.begin; ++x) place(y, x), s.count = count, d.Run(s);
    for (int64_t x = columns.end; x < p.out_w; ++x) place(y, x), s.count = count, d.Run(s);
  }
}

/// kLanes channels from `channel` on.
template <class T>
WHIT_INLINE void FloatDepthwiseUnit(const DepthwiseF32& p, int64_t channel) {
  if (p.multiplier == 1) return FloatDepthwiseChannels<T, TapInput::kDirect>(p, channel);
  const int64_t last = Min<int64_t>(channel + T::kLanes, p.channel_end) - 1;
  if (channel / p.multiplier == last / p.multiplier) {
    return FloatDepthwiseChannels<T, TapInput::kOneValue>(p, channel);
  }
  FloatDepthwiseChannels<T, TapInput::kGathered>(p, channel);
}
