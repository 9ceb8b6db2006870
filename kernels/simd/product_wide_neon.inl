// WideProduct on ARM: weights are loaded by k of 16 channels (8), widened, and multiplied by one
// element of a row each. A row's step is x0 x2 x1 x3, as product.h orders it.

/// Weights of a step: Get(k, g) are those of one k, channels 8 g and up.
template <int kV>
struct WideWeights;
template <>
struct WideWeights<4> {
  int8x16x4_t k;
  explicit WHIT_INLINE WideWeights(const int8_t* w)
#if defined(__aarch64__)
      : k(vld4q_s8(w)){}
#else
  {
    const int8x8x4_t lo = vld4_s8(w), hi = vld4_s8(w + 32);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) k.val[i] = vcombine_s8(lo.val[i], hi.val[i]);
  }
#endif
        WHIT_INLINE int16x8_t Get(int i, int g) const {
    return vmovl_s8(g == 0 ? vget_low_s8(k.val[i]) : vget_high_s8(k.val[i]));
  }
};
template <>
struct WideWeights<2> {
  int8x8x4_t k;
  explicit WHIT_INLINE WideWeights(const int8_t* w) : k(vld4_s8(w)) {}
  WHIT_INLINE int16x8_t Get(int i, int) const { return vmovl_s8(k.val[i]); }
};

template <int kM, int kV>
WHIT_INLINE void WideTile(const WideProduct& p, int64_t row) {
  int32x4_t acc[kM][kV];
  const int16_t* a[kM];
#pragma GCC unroll 4
  for (int i = 0; i < kM; ++i) {
    a[i] = p.rows + (row + i) * p.stride;
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v) acc[i][v] = Neon::Load(p.sums + (row + i) * 16 + 4 * v);
  }
  const int8_t* w = p.panel;
  for (int64_t at = 0; at < 4 * p.steps; at += 4, w += 16 * kV) {
    const WideWeights<kV> weights(w);
    int16x4_t x[kM];
#pragma GCC unroll 4
    for (int i = 0; i < kM; ++i) x[i] = vld1_s16(a[i] + at);
    const auto add = [&]<int kLane>(int k) WHIT_LAMBDA_INLINE {
#pragma GCC unroll 2
      for (int g = 0; g < kV / 2; ++g) {
        const int16x8_t by = weights.Get(k, g);
#pragma GCC unroll 4
        for (int i = 0; i < kM; ++i) {
          int32x4_t &lo = acc[i][2 * g], &hi = acc[i][2 * g + 1];
          lo = vmlal_lane_s16(lo, vget_low_s16(by), x[i], kLane);
#if defined(__aarch64__)
          hi = vmlal_high_lane_s16(hi, by, x[i], kLane);
#else
          hi = vmlal_lane_s16(hi, vget_high_s16(by), x[i], kLane);
#endif
        }
      }
    };
    add.template operator()<0>(0);
    add.template operator()<2>(1);
    add.template operator()<1>(2);
    add.template operator()<3>(3);
  }
#pragma GCC unroll 4
  for (int i = 0; i < kM; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v) Neon::Store(p.sums + (row + i) * 16 + 4 * v, acc[i][v]);
  }
}

template <int kM, int kV>
__attribute__((noinline)) void WideTiles(const WideProduct& p, int64_t row, int64_t tiles) {
  for (; tiles > 0; --tiles, row += kM) WideTile<kM, kV>(p, row);
}

template <int kMax, int kV>
struct WideRunner {
  const WideProduct& p;
  template <int kM>
  WHIT_INLINE void Try(int64_t rows, int64_t first, int64_t tiles) const {
    if constexpr (kM > 0) {
      if (rows == kM) return WideTiles<kM, kV>(p, first, tiles);
      Try<kM - 1>(rows, first, tiles);
    }
  }
  WHIT_INLINE void Run(int64_t rows, int64_t first, int64_t tiles) const {
    if (tiles > 0) Try<kMax>(rows, first, tiles);
  }
};

/// 4 rows x 16 channels: 16 accumulators, 4 of rows, 4 of weights and those widened, of 32
/// registers; armv7 2 x 16.
WHIT_INLINE void WidePanel(const WideProduct& p) {
  constexpr int kMax = Neon::kRegisters == 32 ? 4 : 2;
  if (p.width == 16) {
    SplitRows<kMax>(p.count, WideRunner<kMax, 4>{p});
  } else {
    SplitRows<kMax>(p.count, WideRunner<kMax, 2>{p});
  }
}
