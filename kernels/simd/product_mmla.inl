// ProductI8 on products of matrices: two rows times two channels, 8 k each, an instruction. Weights
// of two steps are zipped into 8 k a channel: in registers for few rows, else once for all rows of
// a block, into scratch. A last odd row takes dot products (product_dot.inl).

WHIT_INLINE int8x16_t ZipLo(int8x16_t a, int8x16_t b) {
  return Neon::As8(vzip1q_s32(Neon::From(a), Neon::From(b)));
}
WHIT_INLINE int8x16_t ZipHi(int8x16_t a, int8x16_t b) {
  return Neon::As8(vzip2q_s32(Neon::From(a), Neon::From(b)));
}
WHIT_INLINE int8x16_t JoinLo(int8x16_t a, int8x16_t b) {
  return vreinterpretq_s8_s64(vzip1q_s64(vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b)));
}
WHIT_INLINE int8x16_t JoinHi(int8x16_t a, int8x16_t b) {
  return vreinterpretq_s8_s64(vzip2q_s64(vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b)));
}

/// In assembly because gcc 12 else moves accumulators around.
WHIT_INLINE void MatrixProduct(int32x4_t& acc, int8x16_t x, int8x16_t w) {
  asm("smmla %0.4s, %1.16b, %2.16b" : "+w"(acc) : "w"(x), "w"(w));
}

/// Where the weights of a pair of steps come from: the panel, or zipped copies of 32 * kV bytes.
template <int kV, bool kZipped>
struct MmlaWeights {
  const Channels<Neon, kV>& c;
  const int8_t* at;
  /// Channels 4 v .. 4 v + 1 and the two behind them; without `two`, the second step does not
  /// exist.
  WHIT_INLINE void Get(int v, bool two, int8x16_t* lo, int8x16_t* hi) const {
    if constexpr (kZipped) {
      *lo = vld1q_s8(at + 32 * v), *hi = vld1q_s8(at + 32 * v + 16);
    } else {
      const int8x16_t e = vld1q_s8(at + 16 * v);
      const int8x16_t o = two ? vld1q_s8(at + c.step_bytes + 16 * v) : vdupq_n_s8(0);
      *lo = ZipLo(e, o), *hi = ZipHi(e, o);
    }
  }
  WHIT_INLINE void Advance(bool two) { at += kZipped ? 32 * kV : (two ? 2 : 1) * c.step_bytes; }
};

template <int kP, int kV, bool kZipped>
WHIT_INLINE void MmlaPair(const MmlaWeights<kV, kZipped>& w, bool two, const int8x16_t (&x)[kP],
                          int32x4_t (&acc)[kP][2 * kV]) {
#pragma GCC unroll 4
  for (int v = 0; v < kV; ++v) {
    int8x16_t lo, hi;
    w.Get(v, two, &lo, &hi);
#pragma GCC unroll 4
    for (int i = 0; i < kP; ++i) {
      MatrixProduct(acc[i][2 * v], x[i], lo);
      MatrixProduct(acc[i][2 * v + 1], x[i], hi);
    }
  }
}

template <int kP>
WHIT_INLINE void LoadPairs(const uint8_t* const (&a)[2 * kP], int64_t offset, int8x16_t (&x)[kP],
                           int8x16_t (&y)[kP]) {
#pragma GCC unroll 4
  for (int i = 0; i < kP; ++i) {
    const int8x16_t one = Neon::As8(Neon::Load(a[2 * i] + offset));
    const int8x16_t other = Neon::As8(Neon::Load(a[2 * i + 1] + offset));
    x[i] = JoinLo(one, other), y[i] = JoinHi(one, other);
  }
}

/// 16 bytes of every row serve two pairs of steps; at the end of a run fewer of them count.
template <int kP, int kV, bool kZipped>
WHIT_INLINE void MmlaRuns(const ProductI8& p, const Channels<Neon, kV>& c, int64_t row,
                          const int8_t* weights, int32x4_t (&sums)[2 * kP][kV]) {
  int32x4_t acc[kP][2 * kV];
  const uint8_t* a[2 * kP];
#pragma GCC unroll 8
  for (int i = 0; i < 2 * kP; ++i) a[i] = p.rows[row + i] + p.row_shift;
#pragma GCC unroll 4
  for (int i = 0; i < kP; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < 2 * kV; ++v) acc[i][v] = Neon::Zero();
  }
  MmlaWeights<kV, kZipped> w{c, weights};
  const int64_t run_steps = RunSteps(p);
  for (int64_t s = 0; s < p.steps; s += run_steps) {
    int64_t offset = p.offsets[s], left = run_steps;
    WHIT_USUAL(left >= 4 && left % 4 == 0);
    int8x16_t x[kP], y[kP];
    for (; left >= 4; left -= 4, offset += 16) {
      LoadPairs<kP>(a, offset, x, y);
      MmlaPair<kP, kV, kZipped>(w, true, x, acc);
      w.Advance(true);
      MmlaPair<kP, kV, kZipped>(w, true, y, acc);
      w.Advance(true);
    }
    if (left == 0) continue;
    LoadPairs<kP>(a, offset, x, y);
    MmlaPair<kP, kV, kZipped>(w, left > 1, x, acc);
    w.Advance(left > 1);
    if (left < 3) continue;
    MmlaPair<kP, kV, kZipped>(w, false, y, acc);
    w.Advance(false);
  }
#pragma GCC unroll 4
  for (int i = 0; i < kP; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v) {
      const int8x16_t lo = Neon::As8(acc[i][2 * v]), hi = Neon::As8(acc[i][2 * v + 1]);
      sums[2 * i][v] = Neon::Add32(sums[2 * i][v], Neon::From(JoinLo(lo, hi)));
      sums[2 * i + 1][v] = Neon::Add32(sums[2 * i + 1][v], Neon::From(JoinHi(lo, hi)));
    }
  }
}

/// Tiles of kP pairs of rows.
template <int kP, int kV, bool kZipped>
__attribute__((noinline)) void MmlaTiles(const ProductI8& p, const Channels<Neon, kV>& c,
                                         const int8_t* weights, int64_t row, int64_t tiles) {
  for (; tiles > 0; --tiles, row += 2 * kP) {
    int32x4_t acc[2 * kP][kV];
    StartTile<Neon, 2 * kP, kV>(p, c, row, acc);
    MmlaRuns<kP, kV, kZipped>(p, c, row, weights, acc);
    FinishTile<Neon, 2 * kP, kV>(p, c, row, acc);
  }
}

template <int kMax, int kV, bool kZipped>
struct MmlaRunner {
  const ProductI8& p;
  const Channels<Neon, kV>& c;
  const int8_t* weights;
  template <int kP>
  WHIT_INLINE void Try(int64_t pairs, int64_t first, int64_t tiles) const {
    if constexpr (kP > 0) {
      if (pairs == kP) return MmlaTiles<kP, kV, kZipped>(p, c, weights, 2 * first, tiles);
      Try<kP - 1>(pairs, first, tiles);
    }
  }
  WHIT_INLINE void Run(int64_t pairs, int64_t first, int64_t tiles) const {
    if (tiles > 0) Try<kMax>(pairs, first, tiles);
  }
};

/// The weights of a panel in the order that MmlaPair takes them; pairs do not cross runs.
template <int kV>
__attribute__((noinline)) void ZipPanel(const ProductI8& p, const Channels<Neon, kV>& c,
                                        int8_t* to) {
  MmlaWeights<kV, false> w{c, c.w};
  const int64_t run_steps = RunSteps(p);
  for (int64_t s = 0; s < p.steps; s += run_steps) {
    for (int64_t left = run_steps; left > 0; left -= 2) {
#pragma GCC unroll 4
      for (int v = 0; v < kV; ++v, to += 32) {
        int8x16_t lo, hi;
        w.Get(v, left > 1, &lo, &hi);
        vst1q_s8(to, lo), vst1q_s8(to + 16, hi);
      }
      w.Advance(left > 1);
    }
  }
}

/// From this many rows on it pays to zip a panel into scratch.
constexpr int64_t kLeastRowsToZip = 12;

/// kMax pairs of rows times a panel of `width` channels.
template <int kMax, int kV>
WHIT_INLINE void MmlaPanel(const ProductI8& p, int64_t q, int width) {
  Channels<Neon, kV> c;
  SetChannels<Neon, kV>(p, q, width, &c);
  if (p.zipped != nullptr) {
    auto* const zipped = static_cast<int8_t*>(p.zipped);
    ZipPanel<kV>(p, c, zipped);
    SplitRows<kMax>(p.count / 2, MmlaRunner<kMax, kV, true>{p, c, zipped});
  } else if (p.count >= 2) {
    SplitRows<kMax>(p.count / 2, MmlaRunner<kMax, kV, false>{p, c, c.w});
  }
  if (p.count % 2 != 0) DotTiles<Neon, 1, kV>(p, c, p.count - 1, 1);
}

/// The most that products of matrices reach on registers alone.
struct PeakMmla {
  static constexpr int kChains = 12;
  static constexpr int64_t kMacs = kChains * 32;
  static void Run(int64_t rounds) {
    const int8x16_t x = vdupq_n_s8(3), w = vdupq_n_s8(2);
    int32x4_t acc[kChains];
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) {
      acc[i] = Neon::Zero();
      WHIT_PIN(acc[i]);  // else equal sums are computed once
    }
    for (; rounds > 0; --rounds) {
#pragma GCC unroll 12
      for (int i = 0; i < kChains; ++i) acc[i] = vmmlaq_s32(acc[i], x, w);
    }
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) WHIT_PIN(acc[i]);
  }
};
