// Rows of floats on their way to 8 bits: smallest and largest, and the codes themselves
// (docs/arithmetic.md, 3.1).

/// Smallest and largest of the lanes, none of them NaN.
template <class T>
WHIT_INLINE void FoldRange(typename T::F least, typename T::F most, float* lo, float* hi) {
  if constexpr (T::kLanes > 4) {
    using H = typename T::Half;
    FoldRange<H>(H::MinF(T::LowerF(least), T::UpperF(least)),
                 H::MaxF(T::LowerF(most), T::UpperF(most)), lo, hi);
  } else {
    least = T::MinF(least, T::SwapHalvesF(least)), most = T::MaxF(most, T::SwapHalvesF(most));
    *lo = T::FirstF(T::MinF(least, T::SwapPairsF(least)));
    *hi = T::FirstF(T::MaxF(most, T::SwapPairsF(most)));
  }
}

/// Of n values and 0; NaN is left out.
template <class T>
WHIT_INLINE void FloatRange(const float* x, int64_t n, float* lo, float* hi) {
  using F = typename T::F;
  constexpr int kSets = 4;  // chains of minima and maxima, against their latency
  F least[kSets], most[kSets];
#pragma GCC unroll 4
  for (int j = 0; j < kSets; ++j) least[j] = most[j] = T::SplatF(0);
  int64_t i = 0;
  for (; i + kSets * T::kLanes <= n; i += kSets * T::kLanes) {
#pragma GCC unroll 4
    for (int j = 0; j < kSets; ++j) {
      const F v = T::LoadF(x + i + j * T::kLanes);
      least[j] = T::MinF(v, least[j]), most[j] = T::MaxF(v, most[j]);  // NaN keeps the second
    }
  }
#pragma GCC unroll 4
  for (int j = 1; j < kSets; ++j) {
    least[0] = T::MinF(least[0], least[j]), most[0] = T::MaxF(most[0], most[j]);
  }
  for (; i < n; i += T::kLanes) {
    const int64_t left = n - i;
    const F v = left >= T::kLanes ? T::LoadF(x + i) : T::LoadFewF(x + i, static_cast<int>(left));
    least[0] = T::MinF(v, least[0]), most[0] = T::MaxF(v, most[0]);
  }
  FoldRange<T>(least[0], most[0], lo, hi);
}

/// Codes of four registers at a time from value i on; returns where it stopped. `rest`: also the
/// last values, with what lies behind them.
template <class T>
WHIT_INLINE int64_t QuantizeStretches(const QuantizeF32& q, int64_t i, bool rest) {
  using V = typename T::V;
  using F = typename T::F;
  constexpr int kStretch = 4 * T::kLanes;
  const F inverse = T::SplatF(q.inverse), lo = T::SplatF(q.lo), hi = T::SplatF(q.hi);
  const V zero = T::Splat16(q.zero);
  for (; i + kStretch <= q.n || (rest && i < q.n); i += kStretch) {
    V v[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const F x = T::MulF(T::LoadF(q.x + i + j * T::kLanes), inverse);
      v[j] = T::Round(T::MinF(T::MaxF(x, lo), hi));  // NaN becomes lo
    }
    T::Store(q.out + i, T::Pack(v[0], v[1], v[2], v[3], zero));
  }
  return i;
}

/// N: registers of 16 bytes.
template <class T, class N = Xmm>
WHIT_INLINE void QuantizeFloats(const QuantizeF32& q) {
  QuantizeStretches<N>(q, T::kLanes > 4 ? QuantizeStretches<T>(q, 0, false) : 0, true);
}
