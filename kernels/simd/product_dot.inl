// ProductI8 on four-byte dot products: one instruction a register, row and step.

/// The inner loop. acc[i][v] += dot over all steps; kSets > 1 keeps that many partial sums of one
/// row, whose single chain would otherwise wait for itself (5 cycles a step).
template <class T, int kM, int kV>
WHIT_INLINE void DotSteps(const ProductI8& p, const Channels<T, kV>& c, int64_t row,
                          typename T::V (&acc)[kM][kV]) {
  const uint8_t* a[kM];
#pragma GCC unroll 16
  for (int i = 0; i < kM; ++i) a[i] = p.rows[row + i] + p.row_shift;
  const int8_t* w = c.w;
  for (const int32_t *at = p.offsets, *end = at + p.steps; at != end; ++at, w += c.step_bytes) {
    const int64_t offset = *at;
    typename T::V b[kV];
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v) b[v] = T::Load(c.Register(w, v));
#pragma GCC unroll 16
    for (int i = 0; i < kM; ++i) {
      const typename T::V x = T::Broadcast(a[i] + offset);
#pragma GCC unroll 4
      for (int v = 0; v < kV; ++v) T::Dot(acc[i][v], x, b[v]);
    }
  }
}

template <class T, int kM, int kV>
__attribute__((noinline)) void DotTiles(const ProductI8& p, const Channels<T, kV>& c, int64_t row,
                                        int64_t tiles) {
  for (; tiles > 0; --tiles, row += kM) {
    typename T::V acc[kM][kV];
    StartTile<T, kM, kV>(p, c, row, acc);
    DotSteps<T, kM, kV>(p, c, row, acc);
    FinishTile<T, kM, kV>(p, c, row, acc);
  }
}

template <class T, int kMax, int kV>
struct DotRunner {
  const ProductI8& p;
  const Channels<T, kV>& c;
  template <int kM>
  WHIT_INLINE void Try(int64_t rows, int64_t first, int64_t tiles) const {
    if constexpr (kM > 0) {
      if (rows == kM) return DotTiles<T, kM, kV>(p, c, first, tiles);
      Try<kM - 1>(rows, first, tiles);
    }
  }
  WHIT_INLINE void Run(int64_t rows, int64_t first, int64_t tiles) const {
    if (tiles > 0) Try<kMax>(rows, first, tiles);
  }
};

template <class T, int kMax, int kV>
WHIT_INLINE void DotPanels(const ProductI8& p, int64_t q, int width) {
  Channels<T, kV> c;
  SetChannels<T, kV>(p, q, width, &c);
  SplitRows<kMax>(p.count, DotRunner<T, kMax, kV>{p, c});
}
