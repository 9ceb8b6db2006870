// DepthwiseI8 where channels are few: registers span pixels. A line of outputs is a stretch of
// out_w * C bytes, and so is, for every tap, what it reads, once input lines are copied with their
// padding (`ring`, which holds the lines of one window) and, at strides above 1, their columns
// sorted by phase. The channel of a byte repeats every C bytes, so weights come in `phases`
// registers. Rows of taps are interleaved as in depthwise_i8.inl, whose `Rows` serve here too, but
// for every tap anew: that costs less than to write and read them where a line is a few registers.

template <class T, template <class> class Rows>
struct FlatDepthwise {
  using V = typename T::V;
  static constexpr int kRows = Rows<T>::kRows, kBytes = 4 * T::kLanes;
  static constexpr int64_t kSumBytes = 4 * kBytes;  // four registers

  const DepthwiseI8& p;
  int64_t c;       // channels
  int64_t phases;  // of kBytes bytes until the channels repeat
  int64_t groups;  // of kRows input lines under the output lines of a pass
  int sets;        // of weights: the second is minus the zero point for every tap
  int64_t kept;    // input lines in the ring
  int64_t column_phase_bytes, line_bytes;
  uint8_t* ring;
  uint8_t* weights;  // [lines][phases][sets][groups][kernel_w] of four registers
  uint8_t* pattern;  // [kRows][PatternBytes() + c], while weights are set
  int32_t* start;    // [phases][kBytes] in the order of the four registers
  float* multiplier;
  int64_t ahead = 0;  // lines copied before they are needed
  int64_t next = 0;   // first input line that the ring does not hold yet

  WHIT_INLINE int64_t WeightsOfLine() const {
    return phases * sets * groups * p.kernel_w * kSumBytes;
  }

  /// Bytes until the channels repeat in whole registers.
  WHIT_INLINE int64_t PatternBytes() const { return phases * kBytes; }

  /// The weights of a tap, repeated. Sixteen at once: what is behind the last channel
  /// is overwritten by the next ones.
  WHIT_INLINE void Repeat(int64_t tap, uint8_t* to) const {
    const int64_t taps = p.kernel_h * p.kernel_w;
    for (int64_t at = 0; at < PatternBytes(); at += c) {
      for (int64_t i = 0; i < c; i += 16) {
        Xmm::Store(to + at + i, Xmm::Load(p.weights + i * taps + 16 * tap));
      }
    }
  }

  /// Of output line `line` of a pass: its window begins line * stride_h lines further down.
  WHIT_INLINE void SetWeights(int line, uint8_t* to) const {
    const V zero_point = T::Splat16(p.weight_zero_point), minus = T::Splat8(-p.weight_zero_point);
    const V none = T::Splat8(kRows == 2 ? p.weight_zero_point : 0);  // widened they are 0
    const int64_t phase_bytes = sets * groups * p.kernel_w * kSumBytes;
    for (int64_t g = 0; g < groups; ++g) {
      for (int64_t kx = 0; kx < p.kernel_w; ++kx, to += kSumBytes) {
        const int64_t first = g * kRows - line * p.stride_h;
        bool inside[kRows];
        for (int j = 0; j < kRows; ++j) {
          inside[j] = first + j >= 0 && first + j < p.kernel_h;
          if (inside[j]) Repeat((first + j) * p.kernel_w + kx, pattern + j * (PatternBytes() + c));
        }
        for (int64_t phase = 0; phase < phases; ++phase) {
          for (int set = 0; set < sets; ++set) {
            V r[kRows], v[4];
            for (int j = 0; j < kRows; ++j) {
              const V taps = T::Load(pattern + j * (PatternBytes() + c) + phase * kBytes);
              r[j] = !inside[j] ? none : set > 0 ? minus : taps;
            }
            Rows<T>::InterleaveWeights(r, zero_point, v);
            uint8_t* const at = to + phase * phase_bytes + set * (phase_bytes / sets);
            for (int k = 0; k < 4; ++k) T::Store(at + k * kBytes, v[k]);
          }
        }
      }
    }
  }

  WHIT_INLINE void SetChannels() const {
    const Requantize8& q = p.quant;
    int64_t channel = 0;
    for (int64_t phase = 0; phase < phases; ++phase) {
      for (int i = 0; i < kBytes; ++i) {
        // Byte 16 l + 4 k + e of a register of bytes is element 4 l + e of sum k.
        const int64_t at = phase * kBytes + i / 4 % 4 * T::kLanes + i / 16 * 4 + i % 4;
        const uint32_t bias = q.bias != nullptr ? static_cast<uint32_t>(q.bias[channel]) : 0;
        const uint32_t sum = static_cast<uint32_t>(q.sums[channel]);
        start[at] = static_cast<int32_t>(bias - static_cast<uint32_t>(q.act_bias) *
                                                    (sum - static_cast<uint32_t>(q.sums_minus)));
        multiplier[at] = q.multiplier[channel];
        if (++channel == c) channel = 0;
      }
    }
  }

  WHIT_INLINE uint8_t* RingLine(int64_t y) const {
    return ring + (y + p.pad_top) % kept * line_bytes;
  }

  /// Input lines up to `end`, sorted by the phase of their columns. Padding is there already: the
  /// ring begins as nothing else.
  WHIT_INLINE void Fill(int64_t end) {
    for (; next < end; ++next) {
      uint8_t* const line = RingLine(next);
      if (next < 0 || next >= p.in_h) {
        __builtin_memset(line, p.zero, static_cast<size_t>(line_bytes));
        continue;
      }
      const uint8_t* const from = p.x + next * p.in_w * c;
      for (int64_t phase = 0; phase < p.stride_w; ++phase) {
        CopyPhase(from, phase, line + phase * column_phase_bytes);
      }
    }
  }

  /// Columns x = phase - pad_left, + stride, ... of a line.
  WHIT_INLINE void CopyPhase(const uint8_t* from, int64_t phase, uint8_t* to) const {
    const int64_t columns = column_phase_bytes / c, s = p.stride_w;
    const int64_t before = Min(columns, CeilDiv(Max<int64_t>(p.pad_left - phase, 0), s));
    const int64_t first = phase - p.pad_left + before * s;  // >= 0 where before < columns
    const int64_t inside = Max<int64_t>(0, Min(columns - before, CeilDiv(p.in_w - first, s)));
    from += first * c, to += before * c;
    if (s == 1) {
      CopyBytes(from, to, inside * c);
    } else if (c == 16) {
      CopyColumns<16, 16>(from, to, inside);
    } else if (c == 32) {
      CopyColumns<32, 16>(from, to, inside);
    } else if (c == 8) {
      CopyColumns<8, 8>(from, to, inside);
    } else {
      for (int64_t i = 0; i < inside; ++i) CopyBytes(from + i * s * c, to + i * c, c);
    }
  }

  template <int kColumn, int kPiece>
  WHIT_INLINE void CopyColumns(const uint8_t* from, uint8_t* to, int64_t count) const {
    const int64_t step = p.stride_w * kColumn;
    for (int64_t i = 0; i < count; ++i, from += step, to += kColumn) {
      for (int j = 0; j < kColumn; j += kPiece) __builtin_memcpy(to + j, from + j, kPiece);
    }
  }

  static WHIT_INLINE void CopyBytes(const uint8_t* from, uint8_t* to, int64_t bytes) {
    if (bytes < 16) {
      for (int64_t i = 0; i < bytes; ++i) to[i] = from[i];
      return;
    }
    for (int64_t i = 0; i + 16 < bytes; i += 16) Xmm::Store(to + i, Xmm::Load(from + i));
    Xmm::Store(to + bytes - 16, Xmm::Load(from + bytes - 16));
  }

  /// Output lines line .. line + kLines - 1.
  template <int kLines, int kSets>
  __attribute__((noinline)) void Lines(int64_t line) {
    const int64_t y = line * p.stride_h - p.pad_top;
    const int64_t taps = p.kernel_h + (kLines - 1) * p.stride_h;
    // One pass ahead: what was stored just now is loaded at other offsets, which must wait.
    Fill(y + (taps - 1) * p.dilation_h + 1 + ahead);
    const Rounding<T> rounding(p.quant.zero_point, p.quant.lo, p.quant.hi);
    const int64_t total = p.out_w * c, line_weights = WeightsOfLine();
    const int64_t set_bytes = groups * p.kernel_w * kSumBytes, phase_bytes = kSets * set_bytes;
    uint8_t* const out = p.out + line * total;
    const uint8_t* row[kMostFlatTaps + kRows];
    for (int64_t tap = 0, slot = (y + p.pad_top) % kept; tap < groups * kRows; ++tap) {
      row[tap] = ring + slot * line_bytes;
      if (tap + 1 >= taps) continue;  // behind the last tap any line will do: its weights are 0
      slot += p.dilation_h;
      while (slot >= kept) slot -= kept;
    }
    int64_t column[kMostFlatTaps];
    for (int64_t kx = 0; kx < p.kernel_w; ++kx) {
      const int64_t at = kx * p.dilation_w;
      column[kx] = at % p.stride_w * column_phase_bytes + at / p.stride_w * c;
    }
    int64_t phase = 0;
    for (int64_t at = 0; at < total; at += kBytes) {
      V acc[kLines][4];
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) {
        acc[0][k] = T::Load(start + phase * kBytes + k * T::kLanes);
        if constexpr (kLines > 1) acc[kLines - 1][k] = acc[0][k];
      }
      const uint8_t* w = weights + phase * phase_bytes;
      for (int64_t g = 0; g < groups; ++g) {
        for (int64_t kx = 0; kx < p.kernel_w; ++kx, w += kSumBytes) {
          const int64_t from = at + column[kx];
          V r[kRows], v[4];
#pragma GCC unroll 4
          for (int j = 0; j < kRows; ++j) r[j] = T::Load(row[g * kRows + j] + from);
          Rows<T>::Interleave(r, v);
#pragma GCC unroll 2
          for (int l = 0; l < kLines; ++l) {
#pragma GCC unroll 2
            for (int s = 0; s < kSets; ++s) {
#pragma GCC unroll 4
              for (int k = 0; k < 4; ++k) {
                Rows<T>::Add(acc[l][k], v[k],
                             T::Load(w + l * line_weights + s * set_bytes + k * kBytes));
              }
            }
          }
        }
      }
      const int count = static_cast<int>(Min<int64_t>(kBytes, total - at));
      Store<kLines>(acc, multiplier + phase * kBytes, rounding, out + at, total, count);
      if (++phase == phases) phase = 0;
    }
  }

  /// The first `count` bytes' sums to DepthwiseI8::total.
  template <int kLines>
  WHIT_INLINE void AddToTotal(const V (&acc)[kLines][4], int count) const {
    for (int k = 0; k < 4; ++k) {
      V sum = acc[0][k];
      if constexpr (kLines > 1) sum = T::Add32(sum, acc[kLines - 1][k]);
      if (count < kBytes) sum = T::And(sum, RealOf(k, count));
      T::Store(p.total, T::Add32(T::Load(p.total), sum));
    }
  }

  /// -1 for elements of sum `k` that are among the first `count` bytes, else 0.
  static WHIT_INLINE V RealOf(int k, int count) {
    alignas(64) int32_t real[T::kLanes];
    for (int i = 0; i < T::kLanes; ++i) real[i] = i / 4 * 16 + 4 * k + i % 4 < count ? -1 : 0;
    return T::Load(real);
  }

  template <int kLines>
  WHIT_INLINE void Store(const V (&acc)[kLines][4], const float* m, const Rounding<T>& rounding,
                         uint8_t* out, int64_t stride, int count) const {
    WHIT_USUAL(p.total == nullptr);
    if (p.total != nullptr) AddToTotal(acc, count);
#pragma GCC unroll 2
    for (int l = 0; l < kLines; ++l) {
      V y[4];
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) {
        const typename T::F by = T::LoadF(m + k * T::kLanes);
        y[k] = p.quant.large_multipliers ? ScaledLarge<T>(acc[l][k], by, T::SplatF(p.quant.hi))
                                         : Scaled<T>(acc[l][k], by);
      }
      const V low = T::PackWords(y[0], y[1], rounding.zero);
      const V high = T::PackWords(y[2], y[3], rounding.zero);
      StoreRow<T, kBytes, 0>(out + l * stride, rounding.Clamp(T::PackBytes(low, high)), count);
    }
  }
};

/// All lines of a call. REQUIRES multiplier == 1, out_stride == in_c, all channels, and kernels of
/// at most kMostFlatTaps (the height plus the stride).
template <class T, template <class> class Rows>
__attribute__((noinline)) void DepthwiseFlat(const DepthwiseI8& p) {
  using Unit = FlatDepthwise<T, Rows>;
  constexpr int kRows = Unit::kRows;
  Unit u{p,       p.in_c,  1,      RowGroups<kRows>(p, 1), 1, 0, 0, 0, nullptr, nullptr,
         nullptr, nullptr, nullptr};
  while (u.phases * Unit::kBytes % u.c != 0) ++u.phases;
  u.sets = kRows == 4 && p.weight_zero_point != 0 ? 2 : 1;
  const bool pairs =
      p.dilation_h == 1 && p.line_end - p.line_begin > 1 && RowGroups<kRows>(p, 2) == u.groups;
  u.ahead = (pairs ? 2 : 1) * p.stride_h;
  u.kept = (p.kernel_h - 1) * p.dilation_h + 1 + (pairs ? p.stride_h : 0) + u.ahead;
  const int64_t columns = (p.out_w - 1) * p.stride_w + (p.kernel_w - 1) * p.dilation_w + 1;
  u.column_phase_bytes = CeilDiv(columns, p.stride_w) * u.c;
  u.line_bytes = p.stride_w * u.column_phase_bytes;
  u.start = reinterpret_cast<int32_t*>(p.scratch);
  u.multiplier = reinterpret_cast<float*>(p.scratch + 4 * u.phases * Unit::kBytes);
  u.weights = p.scratch + 8 * u.phases * Unit::kBytes;
  u.ring = u.weights + 2 * u.WeightsOfLine();
  u.pattern = u.ring;  // used before it
  u.next = p.line_begin * p.stride_h - p.pad_top;
  u.SetChannels();
  u.SetWeights(0, u.weights);
  if (pairs) u.SetWeights(1, u.weights + u.WeightsOfLine());
  __builtin_memset(u.ring, p.zero, static_cast<size_t>(u.kept * u.line_bytes));
  int64_t line = p.line_begin;
  if (u.sets == 2) {
    constexpr int kSets = kRows == 4 ? 2 : 1;
    for (; pairs && line + 2 <= p.line_end; line += 2) u.template Lines<2, kSets>(line);
    for (; line < p.line_end; ++line) u.template Lines<1, kSets>(line);
  } else {
    for (; pairs && line + 2 <= p.line_end; line += 2) u.template Lines<2, 1>(line);
    for (; line < p.line_end; ++line) u.template Lines<1, 1>(line);
  }
}
