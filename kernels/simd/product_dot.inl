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

/// kSteps steps of one run, at most four, from one register of each row. kSets as below.
template <class T, int kM, int kV, int kSets, int kSteps>
WHIT_INLINE void LaneSteps(const uint8_t* const (&a)[kM], int64_t offset, const Channels<T, kV>& c,
                           const int8_t* w, typename T::V (&acc)[kSets][kM][kV]) {
  typename T::V x[kM];
#pragma GCC unroll 8
  for (int i = 0; i < kM; ++i) x[i] = T::Load(a[i] + offset);
  const auto step = [&]<int kStep>() WHIT_LAMBDA_INLINE {
    if constexpr (kStep < kSteps) {
#pragma GCC unroll 4
      for (int v = 0; v < kV; ++v) {
        const typename T::V b = T::Load(c.Register(w + kStep * c.step_bytes, v));
#pragma GCC unroll 8
        for (int i = 0; i < kM; ++i) T::template DotLane<kStep>(acc[kStep % kSets][i][v], b, x[i]);
      }
    }
  };
  step.template operator()<0>();
  step.template operator()<1>();
  step.template operator()<2>();
  step.template operator()<3>();
}

/// The inner loop where products take one lane of a register: 16 bytes of a row serve four steps.
/// Few rows have few sums, whose chains would wait for themselves: even and odd steps go apart.
template <class T, int kM, int kV>
WHIT_INLINE void LaneRuns(const ProductI8& p, const Channels<T, kV>& c, int64_t row,
                          typename T::V (&sums)[kM][kV]) {
  constexpr int kSets = kM * kV < 8 ? 2 : 1;
  typename T::V acc[kSets][kM][kV];
  const uint8_t* a[kM];
#pragma GCC unroll 8
  for (int i = 0; i < kM; ++i) {
    a[i] = p.rows[row + i] + p.row_shift;
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v) {
      acc[0][i][v] = sums[i][v];
      if constexpr (kSets > 1) acc[1][i][v] = T::Zero();
    }
  }
  const int8_t* w = c.w;
  const int64_t run_steps = RunSteps(p);
  for (int64_t s = 0; s < p.steps; s += run_steps) {
    int64_t offset = p.offsets[s], left = run_steps;
    WHIT_USUAL(left >= 4 && left % 4 == 0);
    for (; left >= 4; left -= 4, offset += 16, w += 4 * c.step_bytes) {
      LaneSteps<T, kM, kV, kSets, 4>(a, offset, c, w, acc);
    }
    if (left == 3) LaneSteps<T, kM, kV, kSets, 3>(a, offset, c, w, acc);
    if (left == 2) LaneSteps<T, kM, kV, kSets, 2>(a, offset, c, w, acc);
    if (left == 1) LaneSteps<T, kM, kV, kSets, 1>(a, offset, c, w, acc);
    w += left * c.step_bytes;
  }
#pragma GCC unroll 8
  for (int i = 0; i < kM; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v) {
      sums[i][v] = kSets > 1 ? T::Add32(acc[0][i][v], acc[kSets - 1][i][v]) : acc[0][i][v];
    }
  }
}

template <class T, int kM, int kV>
__attribute__((noinline)) void DotTiles(const ProductI8& p, const Channels<T, kV>& c, int64_t row,
                                        int64_t tiles) {
  for (; tiles > 0; --tiles, row += kM) {
    typename T::V acc[kM][kV];
    StartTile<T, kM, kV>(p, c, row, acc);
    if constexpr (T::kDotLanes) {
      LaneRuns<T, kM, kV>(p, c, row, acc);
    } else {
      DotSteps<T, kM, kV>(p, c, row, acc);
    }
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
