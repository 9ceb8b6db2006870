// Loops that only multiply: the most that the units of this CPU can do in a tier's own
// instructions, for `whit bench --profile` to compare with. Operands stay in registers; enough
// independent sums hide the latency (5 cycles at two a cycle at most).

/// Four-byte dot products.
template <class T>
struct PeakDots {
  static constexpr int kChains = 12;
  static constexpr int64_t kMacs = kChains * 4 * T::kLanes;
  static void Run(int64_t rounds) {
    const typename T::V x = T::Splat8(3), w = T::Splat8(2);
    typename T::V acc[kChains];
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) {
      acc[i] = T::Zero();
      WHIT_PIN(acc[i]);  // else equal sums are computed once
    }
    for (; rounds > 0; --rounds) {
#pragma GCC unroll 12
      for (int i = 0; i < kChains; ++i) T::Dot(acc[i], x, w);
    }
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) WHIT_PIN(acc[i]);
  }
};

/// Pairs of steps that share a 16-bit sum: the fastest exact int8 product without dot products.
template <class T>
struct PeakPairs {
  static constexpr int kChains = 8;
  static constexpr int64_t kMacs = kChains * 8 * T::kLanes;
  static void Run(int64_t rounds) {
    const typename T::V x = T::Splat8(3), w = T::Splat8(2);
    typename T::V acc[kChains];
#pragma GCC unroll 8
    for (int i = 0; i < kChains; ++i) acc[i] = T::Zero();
    for (; rounds > 0; --rounds) {
#pragma GCC unroll 8
      for (int i = 0; i < kChains; ++i) T::AddPair(acc[i], x, x, w, w);
    }
#pragma GCC unroll 8
    for (int i = 0; i < kChains; ++i) WHIT_PIN(acc[i]);
  }
};

/// Floats: products added to sums, fused where the tier has that.
template <class T>
struct PeakFloats {
  static constexpr int kChains = 12;
  static constexpr int64_t kMacs = kChains * T::kLanes;
  static void Run(int64_t rounds) {
    typename T::F x = T::SplatF(0.999f);
    const typename T::F y = T::SplatF(1e-6f);
    typename T::F acc[kChains];
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) {
      acc[i] = y;
      WHIT_PIN(acc[i]);
    }
    for (; rounds > 0; --rounds) {
      WHIT_PIN(x);
#pragma GCC unroll 12
      for (int i = 0; i < kChains; ++i) acc[i] = T::MulAddF(x, y, acc[i]);
    }
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) WHIT_PIN(acc[i]);
  }
};
