// WideProduct: rows of int16 times panels of panel16_i8, sums in 32 bits. Weights are widened in
// registers (even and odd bytes of 16-bit lanes), which costs the same for one row as for many; a
// row's step is two pairs, as product.h orders them: x0 x2 against the even bytes, x1 x3 the odd.

/// Few rows are chains of sums, which a multiplication and an addition of its own make shorter than
/// an instruction for both.
template <class T, int kM>
WHIT_INLINE void AddWords(typename T::V& acc, typename T::V x, typename T::V w) {
  if constexpr (kM <= 2) {
    acc = T::Add32(acc, T::MulAdd16(x, w));
  } else {
    T::DotWords(acc, x, w);
  }
}

template <class T, int kM, int kV>
WHIT_INLINE void WideTile(const WideProduct& p, int64_t row) {
  using V = typename T::V;
  V acc[kM][kV];
  const int16_t* a[kM];
#pragma GCC unroll 16
  for (int i = 0; i < kM; ++i) {
    a[i] = p.rows + (row + i) * p.stride;
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v) acc[i][v] = T::Load(p.sums + (row + i) * 16 + v * T::kLanes);
  }
  const int8_t* w = p.panel;
  for (int64_t at = 0; at < 4 * p.steps; at += 4) {
    V even[kV], odd[kV];
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v, w += 4 * T::kLanes) {
      const V both = T::Load(w);
      even[v] = T::EvenS8(both), odd[v] = T::OddS8(both);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kM; ++i) {
      const V x = T::Broadcast(a[i] + at), y = T::Broadcast(a[i] + at + 2);
#pragma GCC unroll 4
      for (int v = 0; v < kV; ++v) {
        AddWords<T, kM>(acc[i][v], x, even[v]);
        AddWords<T, kM>(acc[i][v], y, odd[v]);
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kM; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v) T::Store(p.sums + (row + i) * 16 + v * T::kLanes, acc[i][v]);
  }
}

template <class T, int kM, int kV>
__attribute__((noinline)) void WideTiles(const WideProduct& p, int64_t row, int64_t tiles) {
  for (; tiles > 0; --tiles, row += kM) WideTile<T, kM, kV>(p, row);
}

template <class T, int kMax, int kV>
struct WideRunner {
  const WideProduct& p;
  template <int kM>
  WHIT_INLINE void Try(int64_t rows, int64_t first, int64_t tiles) const {
    if constexpr (kM > 0) {
      if (rows == kM) return WideTiles<T, kM, kV>(p, first, tiles);
      Try<kM - 1>(rows, first, tiles);
    }
  }
  WHIT_INLINE void Run(int64_t rows, int64_t first, int64_t tiles) const {
    if (tiles > 0) Try<kMax>(rows, first, tiles);
  }
};

/// kMax rows times all channels of a panel of `width`.
template <class T, int kMax, int kWidth>
WHIT_INLINE void WidePanel(const WideProduct& p) {
  SplitRows<kMax>(p.count, WideRunner<T, kMax, kWidth / T::kLanes>{p});
}
