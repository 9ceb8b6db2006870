// ProductI8 on ARM without dot products: products of bytes in 16 bits, two of which fit one sum
// unless both are -128 times -128. pair_flags say where weights allow that (docs/layout.md, 5); the
// panels that do not add every product by itself.
//
// aarch64 takes weights as they lie, a step and the next one: each half of a sum of 32 bits is half
// a channel, and halves are added at the end. With the 16 registers of armv7 there is no room for
// twice the accumulators: weights are loaded as (k0 k1) and (k2 k3) of 8 channels each.

#if defined(__aarch64__)
constexpr uint8_t kPairFlag = 1;  // of k and k + 4

/// acc += x times e plus, with kTwo, y times o in the same 16-bit sums: `acc` are the halves of
/// four channels.
template <bool kTwo>
WHIT_INLINE void AddProducts(int32x4_t (&acc)[2], int8x16_t x, int8x16_t e, int8x16_t y,
                             int8x16_t o) {
  int16x8_t lo = vmull_s8(vget_low_s8(e), vget_low_s8(x)), hi = vmull_high_s8(e, x);
  if constexpr (kTwo) {
    lo = vmlal_s8(lo, vget_low_s8(o), vget_low_s8(y));
    hi = vmlal_high_s8(hi, o, y);
  }
  acc[0] = vpadalq_s16(acc[0], lo), acc[1] = vpadalq_s16(acc[1], hi);
}

template <int kM, int kV, bool kPairs>
WHIT_INLINE void MullSteps(const ProductI8& p, const Channels<Neon, kV>& c, int64_t row,
                           int32x4_t (&sums)[kM][kV]) {
  int32x4_t acc[kM][kV][2];
  const uint8_t* a[kM];
#pragma GCC unroll 4
  for (int i = 0; i < kM; ++i) {
    a[i] = p.rows[row + i] + p.row_shift;
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v) acc[i][v][0] = acc[i][v][1] = Neon::Zero();
  }
  const int8_t* w = c.w;
  const int32_t *at = p.offsets, *const end = at + p.steps;
  for (; end - at >= 2; at += 2, w += 2 * c.step_bytes) {
    int8x16_t x[kM], y[kM];
#pragma GCC unroll 4
    for (int i = 0; i < kM; ++i) {
      x[i] = Neon::As8(Neon::Broadcast(a[i] + at[0]));
      y[i] = Neon::As8(Neon::Broadcast(a[i] + at[1]));
    }
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v) {
      const int8x16_t e = vld1q_s8(c.Register(w, v)), o = vld1q_s8(c.Register(w + c.step_bytes, v));
#pragma GCC unroll 4
      for (int i = 0; i < kM; ++i) {
        AddProducts<kPairs>(acc[i][v], x[i], e, y[i], o);
        if constexpr (!kPairs) AddProducts<false>(acc[i][v], y[i], o, y[i], o);
      }
    }
  }
  WHIT_USUAL(at == end);
  if (at != end) {
#pragma GCC unroll 4
    for (int i = 0; i < kM; ++i) {
      const int8x16_t x = Neon::As8(Neon::Broadcast(a[i] + *at));
#pragma GCC unroll 4
      for (int v = 0; v < kV; ++v) {
        AddProducts<false>(acc[i][v], x, vld1q_s8(c.Register(w, v)), x, x);
      }
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < kM; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v) {
      sums[i][v] = Neon::Add32(sums[i][v], Neon::PairSums(acc[i][v][0], acc[i][v][1]));
    }
  }
}
#else
constexpr uint8_t kPairFlag = 2;  // of k and k + 2

/// acc += x times e (k0 k1 of four channels), y times o (k2 k3).
template <bool kTwo>
WHIT_INLINE void AddProducts(int32x4_t* acc, int8x8_t x, int8x8_t e, int8x8_t y, int8x8_t o) {
  if constexpr (kTwo) {
    *acc = vpadalq_s16(*acc, vmlal_s8(vmull_s8(e, x), o, y));
  } else {
    *acc = vpadalq_s16(vpadalq_s16(*acc, vmull_s8(e, x)), vmull_s8(o, y));
  }
}

template <int kM, int kV, bool kPairs>
WHIT_INLINE void MullSteps(const ProductI8& p, const Channels<Neon, kV>& c, int64_t row,
                           int32x4_t (&acc)[kM][kV]) {
  const uint8_t* a[kM];
#pragma GCC unroll 4
  for (int i = 0; i < kM; ++i) a[i] = p.rows[row + i] + p.row_shift;
  const int8_t* w = c.w;
  for (const int32_t *at = p.offsets, *end = at + p.steps; at != end; ++at, w += c.step_bytes) {
    int8x8_t x[kM], y[kM];
#pragma GCC unroll 4
    for (int i = 0; i < kM; ++i) {
      const int16x4_t quad = vreinterpret_s16_s32(Neon::BroadcastHalf(a[i] + *at));
      x[i] = vreinterpret_s8_s16(vdup_lane_s16(quad, 0));
      y[i] = vreinterpret_s8_s16(vdup_lane_s16(quad, 1));
    }
#pragma GCC unroll 2
    for (int h = 0; h < kV / 2; ++h) {
      const void* const from = w + 32 * h;
      const int16x8x2_t both = vld2q_s16(static_cast<const int16_t*>(from));
      const int8x16_t e = vreinterpretq_s8_s16(both.val[0]), o = vreinterpretq_s8_s16(both.val[1]);
#pragma GCC unroll 4
      for (int i = 0; i < kM; ++i) {
        AddProducts<kPairs>(&acc[i][2 * h], x[i], vget_low_s8(e), y[i], vget_low_s8(o));
        AddProducts<kPairs>(&acc[i][2 * h + 1], x[i], vget_high_s8(e), y[i], vget_high_s8(o));
      }
    }
  }
}
#endif

template <int kM, int kV, bool kPairs>
__attribute__((noinline)) void MullTiles(const ProductI8& p, const Channels<Neon, kV>& c,
                                         int64_t row, int64_t tiles) {
  for (; tiles > 0; --tiles, row += kM) {
    int32x4_t acc[kM][kV];
    StartTile<Neon, kM, kV>(p, c, row, acc);
    MullSteps<kM, kV, kPairs>(p, c, row, acc);
    FinishTile<Neon, kM, kV>(p, c, row, acc);
  }
}

template <int kMax, int kV>
struct MullRunner {
  const ProductI8& p;
  const Channels<Neon, kV>& c;
  bool pairs;
  template <int kM>
  WHIT_INLINE void Try(int64_t rows, int64_t first, int64_t tiles) const {
    if constexpr (kM > 0) {
      if (rows != kM) return Try<kM - 1>(rows, first, tiles);
      if (pairs) return MullTiles<kM, kV, true>(p, c, first, tiles);
      MullTiles<kM, kV, false>(p, c, first, tiles);
    }
  }
  WHIT_INLINE void Run(int64_t rows, int64_t first, int64_t tiles) const {
    if (tiles > 0) Try<kMax>(rows, first, tiles);
  }
};

template <int kMax, int kV>
WHIT_INLINE void MullPanel(const ProductI8& p, int64_t q, int width) {
  Channels<Neon, kV> c;
  SetChannels<Neon, kV>(p, q, width, &c);
  const bool pairs = p.pair_flags != nullptr && (p.pair_flags[q] & kPairFlag) == 0;
  SplitRows<kMax>(p.count, MullRunner<kMax, kV>{p, c, pairs});
}

/// The most that products in 16-bit sums reach on registers alone.
struct PeakMull {
  static constexpr int kChains = 4;
  static constexpr int64_t kMacs = kChains * 32;
  static void Run(int64_t rounds) {
    int8x16_t x = vdupq_n_s8(3);
    const int8x8_t w = vdup_n_s8(2);
    int32x4_t acc[kChains][2];
#pragma GCC unroll 4
    for (int i = 0; i < kChains; ++i) {
      acc[i][0] = acc[i][1] = Neon::Zero();
      WHIT_PIN(acc[i][0]);  // else equal sums are computed once
      WHIT_PIN(acc[i][1]);
    }
    for (; rounds > 0; --rounds) {
#pragma GCC unroll 4
      for (int i = 0; i < kChains; ++i) {
        WHIT_PIN(x);
        int16x8_t lo = vmull_s8(vget_low_s8(x), w), hi = vmull_s8(vget_high_s8(x), w);
        WHIT_PIN(lo);
        WHIT_PIN(hi);
        lo = vmlal_s8(lo, vget_low_s8(x), w), hi = vmlal_s8(hi, vget_high_s8(x), w);
        acc[i][0] = vpadalq_s16(acc[i][0], lo), acc[i][1] = vpadalq_s16(acc[i][1], hi);
      }
    }
#pragma GCC unroll 4
    for (int i = 0; i < kChains; ++i) {
      WHIT_PIN(acc[i][0]);
      WHIT_PIN(acc[i][1]);
    }
  }
};
