// DepthwiseI8 in two passes over a stretch of one or two output lines and 4 * kLanes channels:
//   1. input rows are interleaved: a column becomes registers of [channel][row], kRows rows of 32
//      bits each (four bytes for a dot product, two 16-bit values for vpmaddwd), with padding;
//   2. outputs are sums of products of these columns with weights interleaved in the same way.
// Two output lines share the interleaved columns where no more of them are needed than for one: 3x3
// at stride 1 has four rows of input under two rows of output.
//
// Interleaving within 128-bit lanes puts the 16 channels of lane i into registers 0 .. 3, four
// channels each, lane i: packing four accumulators to bytes undoes it, so nothing is permuted.
// `Rows` below is how: DotRows or MaddRows.

/// Four rows of bytes, dot products of four.
template <class T>
struct DotRows {
  using V = typename T::V;
  static constexpr int kRows = 4;
  static WHIT_INLINE void Interleave(const V (&r)[4], V (&v)[4]) {
    const V a = T::UnpackLo8(r[0], r[1]), b = T::UnpackHi8(r[0], r[1]);
    const V c = T::UnpackLo8(r[2], r[3]), d = T::UnpackHi8(r[2], r[3]);
    v[0] = T::UnpackLo16(a, c), v[1] = T::UnpackHi16(a, c);
    v[2] = T::UnpackLo16(b, d), v[3] = T::UnpackHi16(b, d);
  }
  static WHIT_INLINE void InterleaveWeights(const V (&r)[4], V, V (&v)[4]) { Interleave(r, v); }
  static WHIT_INLINE void Add(V& acc, V column, V weights) { T::Dot(acc, column, weights); }
};

/// Two rows widened to 16 bits. The weight zero point is subtracted from the weights, whose range
/// of -255 .. 255 fits.
template <class T>
struct MaddRows {
  using V = typename T::V;
  static constexpr int kRows = 2;
  static WHIT_INLINE void Interleave(const V (&r)[2], V (&v)[4]) {
    const V zero = T::Zero(), a = T::UnpackLo8(r[0], r[1]), b = T::UnpackHi8(r[0], r[1]);
    v[0] = T::UnpackLo8(a, zero), v[1] = T::UnpackHi8(a, zero);
    v[2] = T::UnpackLo8(b, zero), v[3] = T::UnpackHi8(b, zero);
  }
  static WHIT_INLINE void InterleaveWeights(const V (&r)[2], V zero_point, V (&v)[4]) {
    const auto lo = [&](V w) WHIT_LAMBDA_INLINE {
      return T::Sub16(T::OddS8(T::UnpackLo8(w, w)), zero_point);
    };
    const auto hi = [&](V w) WHIT_LAMBDA_INLINE {
      return T::Sub16(T::OddS8(T::UnpackHi8(w, w)), zero_point);
    };
    const V a = lo(r[0]), b = lo(r[1]), c = hi(r[0]), d = hi(r[1]);
    v[0] = T::UnpackLo16(a, b), v[1] = T::UnpackHi16(a, b);
    v[2] = T::UnpackLo16(c, d), v[3] = T::UnpackHi16(c, d);
  }
  static WHIT_INLINE void Add(V& acc, V column, V weights) {
    acc = T::Add32(acc, T::MulAdd16(column, weights));
    WHIT_PIN(acc);
  }
};

/// What is prepared once for 4 * kLanes channels and all lines of a call.
template <class T, template <class> class Rows>
struct DepthwiseUnit {
  using V = typename T::V;
  static constexpr int kRows = Rows<T>::kRows, kChannels = 4 * T::kLanes;
  static constexpr int64_t kColumnBytes = 4 * kChannels;  // of one group of kRows rows

  const DepthwiseI8& p;
  int64_t channel;   // the first
  int count;         // real channels
  int64_t groups;    // of kRows input rows under `lines` output lines
  int sets;          // of weights: the second is minus the zero point for every tap
  uint8_t* weights;  // [lines][sets][groups][kernel_w] columns
  uint8_t* columns;  // [columns of a stretch][groups]
  alignas(64) int32_t start[kChannels];
  alignas(64) float multiplier[kChannels];
  alignas(64) int32_t real[kChannels];  // -1, or 0 behind the last channel; with DepthwiseI8::total

  WHIT_INLINE const int8_t* Tap(int64_t tap) const {
    return p.weights + (channel / 16 * p.kernel_h * p.kernel_w + tap) * 16;
  }

  /// Weights of output line `line` of a pair: its window begins `line * stride` rows further down.
  WHIT_INLINE void SetWeights(int line, uint8_t* to) const {
    const V zero_point = T::Splat16(p.weight_zero_point);
    const V minus = T::Splat8(-p.weight_zero_point);
    const int64_t lane_stride = 16 * p.kernel_h * p.kernel_w;
    for (int set = 0; set < sets; ++set) {
      for (int64_t g = 0; g < groups; ++g) {
        for (int64_t kx = 0; kx < p.kernel_w; ++kx, to += kColumnBytes) {
          V r[kRows], v[4];
          for (int j = 0; j < kRows; ++j) {
            const int64_t ky = g * kRows + j - line * p.stride_h;
            const bool inside = ky >= 0 && ky < p.kernel_h;
            if (set > 0) {
              r[j] = inside ? minus : T::Zero();
            } else if (inside) {
              r[j] = T::LoadLanes(Tap(ky * p.kernel_w + kx), lane_stride);
            } else {
              r[j] = T::Splat8(kRows == 2 ? p.weight_zero_point : 0);  // widened weights become 0
            }
          }
          Rows<T>::InterleaveWeights(r, zero_point, v);
          for (int k = 0; k < 4; ++k) T::Store(to + k * (kColumnBytes / 4), v[k]);
        }
      }
    }
  }

  WHIT_INLINE void SetChannels() {
    const Requantize8& q = p.quant;
    // Arrays end at the last panel of 16; lanes behind it repeat the first.
    const int64_t lane_stride = 64;
    const V beta = T::Splat32(q.act_bias), minus = T::Splat32(q.sums_minus);
    for (int k = 0; k < 4; ++k) {
      const int64_t at = channel + 4 * k;
      const V sums = T::Sub32(T::LoadLanes(q.sums + at, lane_stride), minus);
      const V bias = q.bias != nullptr ? T::LoadLanes(q.bias + at, lane_stride) : T::Zero();
      T::Store(start + k * T::kLanes, T::Sub32(bias, T::Mul32(beta, sums)));
      T::Store(multiplier + k * T::kLanes, T::LoadLanes(q.multiplier + at, lane_stride));
    }
    if (p.total == nullptr) return;
    for (int i = 0; i < kChannels; ++i) {
      // Element i % kLanes of register i / kLanes: channel 4 * register of its 128-bit lane's 16.
      const int lane = i % T::kLanes;
      real[i] = lane / 4 * 16 + i / T::kLanes * 4 + lane % 4 < count ? -1 : 0;
    }
  }

  /// The real channels of register `k` to DepthwiseI8::total.
  template <int kLines, int kX>
  WHIT_INLINE void AddToTotal(const V (&acc)[kLines][kX], int k) const {
    V sum = T::Zero();
#pragma GCC unroll 2
    for (int l = 0; l < kLines; ++l) {
#pragma GCC unroll 8
      for (int i = 0; i < kX; ++i) sum = T::Add32(sum, acc[l][i]);
    }
    sum = T::And(sum, T::Load(real + k * T::kLanes));
    T::Store(p.total, T::Add32(T::Load(p.total), sum));
  }

  /// Input row `y` or, outside the image, a pixel of padding that is read again and again.
  struct Row {
    const uint8_t* pixel;
    int64_t step;
  };

  /// Columns [begin, end) of the input, interleaved into `columns`; `y` is the row of the first
  /// tap.
  template <bool kGather>
  WHIT_INLINE void Interleave(int64_t y, int64_t rows, int64_t begin, int64_t end,
                              const uint8_t* padding) const {
    const V zero = T::Splat8(p.zero);
    for (int64_t g = 0; g < groups; ++g) {
      Row row[kRows];
      for (int j = 0; j < kRows; ++j) {
        const int64_t tap = g * kRows + j, at = y + tap * p.dilation_h;
        const bool inside = tap < rows && at >= 0 && at < p.in_h;
        const int64_t first = kGather ? channel / p.multiplier : channel;
        row[j] = {inside ? p.x + at * p.in_w * p.in_c + first : padding, inside ? p.in_c : 0};
      }
      uint8_t* to = columns + g * kColumnBytes;
      const int64_t stride = groups * kColumnBytes;
      const auto store = [&](const V(&v)[4]) WHIT_LAMBDA_INLINE {
        for (int k = 0; k < 4; ++k) T::Store(to + k * (kColumnBytes / 4), v[k]);
        to += stride;
      };
      int64_t x = begin;
      if (x < 0 || end > p.in_w) {
        V r[kRows], outside[4];
        for (int j = 0; j < kRows; ++j) r[j] = zero;
        Rows<T>::Interleave(r, outside);
        for (; x < Min<int64_t>(0, end); ++x) store(outside);
        Inside<kGather>(row, x, Min(end, p.in_w), store);
        for (x = Max(x, p.in_w); x < end; ++x) store(outside);
      } else {
        Inside<kGather>(row, x, end, store);
      }
    }
  }

  template <bool kGather, class Store>
  WHIT_INLINE void Inside(const Row (&row)[kRows], int64_t begin, int64_t end,
                          const Store& store) const {
    const uint8_t* at[kRows];
    for (int j = 0; j < kRows; ++j) at[j] = row[j].pixel + begin * row[j].step;
    for (int64_t x = begin; x < end; ++x) {
      V r[kRows], v[4];
      for (int j = 0; j < kRows; ++j) {
        r[j] = kGather && row[j].step != 0 ? Gather(at[j]) : T::Load(at[j]);
        at[j] += row[j].step;
      }
      Rows<T>::Interleave(r, v);
      store(v);
    }
  }

  /// Channels of a depth multiplier: each input channel `multiplier` times.
  WHIT_INLINE V Gather(const uint8_t* pixel) const {
    alignas(64) uint8_t bytes[kChannels];
    int64_t from = 0, left = p.multiplier - channel % p.multiplier;
    for (int i = 0; i < kChannels; ++i) {
      bytes[i] = i < count ? pixel[from] : 0;
      if (--left == 0) left = p.multiplier, ++from;
    }
    return T::Load(bytes);
  }

  /// Sums of register `k` of kX neighbouring outputs of kLines lines, scaled and rounded. Weights
  /// stay in registers while outputs pass; kWidth is the kernel's width, 0 where only p knows it.
  template <int kX, int kLines, int kSets, int kWidth>
  WHIT_INLINE void SumRegister(const uint8_t* column, int k, V (&sums)[kLines][kX]) const {
    const int64_t width = kWidth != 0 ? kWidth : p.kernel_w, stride = groups * kColumnBytes;
    const int64_t step = p.stride_w * stride, tap_step = p.dilation_w * stride;
    const int64_t set_bytes = groups * width * kColumnBytes, line_bytes = set_bytes * kSets;
    V acc[kLines][kX];
    const V first = T::Load(start + k * T::kLanes);
#pragma GCC unroll 2
    for (int l = 0; l < kLines; ++l) {
#pragma GCC unroll 8
      for (int i = 0; i < kX; ++i) acc[l][i] = first;
    }
    const uint8_t* w = weights + k * (kColumnBytes / 4);
    const uint8_t* c = column + k * (kColumnBytes / 4);
    for (int64_t g = 0; g < groups; ++g, c += kColumnBytes) {
      const uint8_t* x = c;
#pragma GCC unroll 5
      for (int64_t kx = 0; kx < width; ++kx, w += kColumnBytes, x += tap_step) {
        V in[kX];
#pragma GCC unroll 8
        for (int i = 0; i < kX; ++i) {
          in[i] = T::Load(x + i * step);
          if constexpr (kLines > 1) WHIT_PIN(in[i]);  // gcc else loads it again for the second line
        }
#pragma GCC unroll 2
        for (int l = 0; l < kLines; ++l) {
#pragma GCC unroll 2
          for (int s = 0; s < kSets; ++s) {
            const V tap = T::Load(w + l * line_bytes + s * set_bytes);
#pragma GCC unroll 8
            for (int i = 0; i < kX; ++i) Rows<T>::Add(acc[l][i], in[i], tap);
          }
        }
      }
    }
    WHIT_USUAL(p.total == nullptr);
    if (p.total != nullptr) AddToTotal(acc, k);
    const typename T::F m = T::LoadF(multiplier + k * T::kLanes);
    WHIT_USUAL(!p.quant.large_multipliers);
    if (p.quant.large_multipliers) {
      const typename T::F most = T::SplatF(p.quant.hi);
#pragma GCC unroll 2
      for (int l = 0; l < kLines; ++l) {
#pragma GCC unroll 8
        for (int i = 0; i < kX; ++i) sums[l][i] = ScaledLarge<T>(acc[l][i], m, most);
      }
      return;
    }
#pragma GCC unroll 2
    for (int l = 0; l < kLines; ++l) {
#pragma GCC unroll 8
      for (int i = 0; i < kX; ++i) sums[l][i] = Scaled<T>(acc[l][i], m);
    }
  }

  /// kX neighbouring outputs of kLines lines; `column` is the first tap of the first output.
  template <int kX, int kLines, int kSets, int kWidth>
  WHIT_INLINE void Outputs(const uint8_t* column, uint8_t* out, int64_t line_stride) const {
    const Rounding<T> rounding(p.quant.zero_point, p.quant.lo, p.quant.hi);
    V sums[4][kLines][kX];
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      SumRegister<kX, kLines, kSets, kWidth>(column, k, sums[k]);
    }
#pragma GCC unroll 2
    for (int l = 0; l < kLines; ++l) {
#pragma GCC unroll 8
      for (int i = 0; i < kX; ++i) {
        const V low = T::PackWords(sums[0][l][i], sums[1][l][i], rounding.zero);
        const V high = T::PackWords(sums[2][l][i], sums[3][l][i], rounding.zero);
        const V bytes = rounding.Clamp(T::PackBytes(low, high));
        StoreRow<T, kChannels, 0>(out + l * line_stride + i * p.out_stride, bytes, count);
      }
    }
  }

  template <int kX, int kLines, int kSets, int kWidth>
  __attribute__((noinline)) void Stretch(int64_t outputs, uint8_t* out, int64_t line_stride) const {
    const int64_t step = p.stride_w * groups * kColumnBytes;
    const uint8_t* column = columns;
    // Stretches of 4 and of fewer whose sizes differ by one at most: 14 outputs are 4, 4, 3, 3.
    const int64_t tiles = CeilDiv(outputs, kX), base = outputs / tiles, longer = outputs % tiles;
    for (int64_t i = 0; i < tiles; ++i) {
      const int64_t n = base + (i < longer);
      WHIT_USUAL(n == kX);
      if (n == kX) {
        Outputs<kX, kLines, kSets, kWidth>(column, out, line_stride);
      } else if (n == 3) {
        Outputs<3, kLines, kSets, kWidth>(column, out, line_stride);
      } else if (n == 2) {
        Outputs<2, kLines, kSets, kWidth>(column, out, line_stride);
      } else {
        Outputs<1, kLines, kSets, kWidth>(column, out, line_stride);
      }
      column += n * step, out += n * p.out_stride;
    }
  }

  template <int kX, int kLines, int kWidth>
  WHIT_INLINE void StretchOfSets(int64_t outputs, uint8_t* out, int64_t line_stride) const {
    if (kRows == 4 && sets == 2) {
      Stretch<kX, kLines, kRows == 4 ? 2 : 1, kWidth>(outputs, out, line_stride);
    } else {
      Stretch<kX, kLines, 1, kWidth>(outputs, out, line_stride);
    }
  }

  template <int kX, int kLines>
  WHIT_INLINE void Line(int64_t line, int64_t stretch, const uint8_t* padding) const {
    const int64_t rows = kLines == 1 ? p.kernel_h : p.kernel_h + p.stride_h;
    const int64_t y = line * p.stride_h - p.pad_top, line_stride = p.out_w * p.out_stride;
    uint8_t* const out = p.out + line * line_stride + channel;
    for (int64_t x = 0; x < p.out_w; x += stretch) {
      const int64_t outputs = Min(stretch, p.out_w - x), begin = x * p.stride_w - p.pad_left;
      const int64_t end = begin + (outputs - 1) * p.stride_w + (p.kernel_w - 1) * p.dilation_w + 1;
      if (p.multiplier == 1) {
        Interleave<false>(y, rows, begin, end, padding);
      } else {
        Interleave<true>(y, rows, begin, end, padding);
      }
      if (p.kernel_w == 3) {
        StretchOfSets<kX, kLines, 3>(outputs, out + x * p.out_stride, line_stride);
      } else {
        StretchOfSets<kX, kLines, 0>(outputs, out + x * p.out_stride, line_stride);
      }
    }
  }
};

/// Input rows under `lines` output lines, in groups.
template <int kRows>
WHIT_INLINE int64_t RowGroups(const DepthwiseI8& p, int64_t lines) {
  return CeilDiv((lines - 1) * p.stride_h + p.kernel_h, kRows);
}

/// All lines of one unit of channels.
template <class T, template <class> class Rows, int kX>
__attribute__((noinline)) void DepthwiseChannels(const DepthwiseI8& p, int64_t channel) {
  constexpr int kRows = Rows<T>::kRows;
  using Unit = DepthwiseUnit<T, Rows>;
  const bool pairs = p.dilation_h == 1 && p.line_end - p.line_begin > 1 &&
                     RowGroups<kRows>(p, 2) == RowGroups<kRows>(p, 1);
  Unit u{p, channel, 0, 0, 1, nullptr, nullptr, {}, {}, {}};
  u.count = static_cast<int>(Min<int64_t>(p.channel_end - channel, Unit::kChannels));
  u.groups = RowGroups<kRows>(p, 1);
  u.sets = kRows == 4 && p.weight_zero_point != 0 ? 2 : 1;
  const int64_t line_bytes = u.sets * u.groups * p.kernel_w * Unit::kColumnBytes;
  uint8_t* const padding = p.scratch;
  u.weights = padding + 64;
  u.columns = u.weights + 2 * line_bytes;
  T::Store(padding, T::Splat8(p.zero));
  u.SetWeights(0, u.weights);
  if (pairs) u.SetWeights(1, u.weights + line_bytes);
  u.SetChannels();
  const int64_t taps = (p.kernel_w - 1) * p.dilation_w;
  const int64_t fits =
      (kDepthwiseColumnBytes / (u.groups * Unit::kColumnBytes) - taps) / p.stride_w;
  const int64_t stretch = Max<int64_t>(fits / kX * kX, kX);
  int64_t line = p.line_begin;
  if (pairs) {
    for (; line + 2 <= p.line_end; line += 2) u.template Line<kX, 2>(line, stretch, padding);
  }
  for (; line < p.line_end; ++line) u.template Line<kX, 1>(line, stretch, padding);
}
