// ProductF32: rows of floats times panels. A tile is kM rows times kV registers of output channels;
// a register holds kLanes of the 16 channels of a panel.

/// The channels of a tile, made once a block and used for all its rows.
template <class T, int kV>
struct FloatChannels {
  static constexpr int kCount = kV * T::kLanes;
  alignas(64) float start[kCount];
  const float* w;       // k = 0 of the first register
  int64_t panel;        // floats from panel to panel
  float* out;           // row 0
  const float* addend;  // row 0, or null
  int count;            // real channels, the rest is not stored

  /// Weights of register v, `w` those of register 0.
  WHIT_INLINE const float* Register(const float* at, int v) const {
    constexpr int kPerPanel = T::kLanes < 16 ? 16 / T::kLanes : 1;
    return at + v / kPerPanel * panel + v % kPerPanel * T::kLanes;
  }
};

/// Channels of panels q, q + 1, ... as far as kV registers reach.
template <class T, int kV>
WHIT_INLINE void SetFloatChannels(const ProductF32& p, int64_t q, FloatChannels<T, kV>* c) {
  const int64_t n = 16 * q;
  c->count = static_cast<int>(Min<int64_t>(p.n - n, c->kCount));
  c->panel = 16 * (p.run_index != nullptr ? p.panel_runs : p.runs) * p.run_length;
  c->w = p.weights + c->panel * q;
  c->out = p.out + n;
  c->addend = p.addend != nullptr ? p.addend + n : nullptr;
  if (p.bias != nullptr && !p.whole_panels) {
    for (int i = 0; i < c->kCount; ++i) c->start[i] = i < c->count ? p.bias[n + i] : 0.0f;
    return;
  }
#pragma GCC unroll 8
  for (int v = 0; v < kV; ++v) {
    const int at = v * T::kLanes;
    // Registers behind the last channel repeat the first ones: nothing is read past the array.
    const int64_t from = n + (at < c->count ? at : 0);
    T::StoreF(c->start + at, p.bias != nullptr ? T::LoadF(p.bias + from) : T::SplatF(0));
  }
}

/// The step k + kElement of four whose inputs are in registers: where a multiply-add takes an
/// element, nothing is broadcast.
template <int kElement, class T, int kM, int kV>
WHIT_INLINE void MultiplyElement(const FloatChannels<T, kV>& c, const float* w,
                                 const typename T::F (&x)[kM], typename T::F (&acc)[kM][kV]) {
#pragma GCC unroll 8
  for (int v = 0; v < kV; ++v) {
    const typename T::F b = T::LoadF(c.Register(w + 16 * kElement, v));
#pragma GCC unroll 16
    for (int i = 0; i < kM; ++i) T::template MulAddElementF<kElement>(acc[i][v], b, x[i]);
  }
}

/// acc[i][v] += x[i][k] * w[k][v], one k after the other.
template <class T, int kM, int kV>
WHIT_INLINE void MultiplyRuns(const ProductF32& p, const FloatChannels<T, kV>& c, int64_t row,
                              typename T::F (&acc)[kM][kV]) {
  using F = typename T::F;
  const float* w = c.w;
  const uint8_t* const* rows = p.rows + row;
  for (int64_t r = 0; r < p.runs; ++r) {
    // Rows are read again for every run: gcc 12 would keep them in vector registers.
    asm volatile("" : "+r"(rows));
    const int64_t at = p.row_shift + p.offsets[r];
    if (p.run_index != nullptr) w = c.w + 16 * p.run_length * p.run_index[r];
    const float* a[kM];
#pragma GCC unroll 16
    for (int i = 0; i < kM; ++i) a[i] = reinterpret_cast<const float*>(rows[i] + at);
    int64_t k = 0;
    if constexpr (T::kByElement) {
      for (; k + 4 <= p.run_length; k += 4, w += 64) {
        F x[kM];
#pragma GCC unroll 16
        for (int i = 0; i < kM; ++i) x[i] = T::LoadF(a[i] + k);
        MultiplyElement<0, T, kM, kV>(c, w, x, acc);
        MultiplyElement<1, T, kM, kV>(c, w, x, acc);
        MultiplyElement<2, T, kM, kV>(c, w, x, acc);
        MultiplyElement<3, T, kM, kV>(c, w, x, acc);
      }
    }
    for (; k < p.run_length; ++k, w += 16) {
      F b[kV];
#pragma GCC unroll 8
      for (int v = 0; v < kV; ++v) b[v] = T::LoadF(c.Register(w, v));
#pragma GCC unroll 16
      for (int i = 0; i < kM; ++i) {
        const F x = T::BroadcastF(a[i] + k);
#pragma GCC unroll 8
        for (int v = 0; v < kV; ++v) acc[i][v] = T::MulAddF(x, b[v], acc[i][v]);
      }
    }
  }
}

/// A tile's rows from accumulators to memory: clamp, the residual, store. kFull: every register is
/// stored whole. Decided once a tile: gcc 12 otherwise asks, and finds every address, row by row.
template <class T, bool kAdd, bool kFull, int kM, int kV>
WHIT_INLINE void StoreFloats(const ProductF32& p, const FloatChannels<T, kV>& c, int64_t row,
                             const typename T::F (&acc)[kM][kV]) {
  using F = typename T::F;
  const F lo = T::SplatF(p.lo), hi = T::SplatF(p.hi);
  const F sum_lo = T::SplatF(p.sum_lo), sum_hi = T::SplatF(p.sum_hi);
  const int count = c.count;
  const int64_t stride = p.out_stride, addend_stride = p.addend_stride;
  float* out = c.out + row * stride;
  const float* addend = kAdd ? c.addend + row * addend_stride : nullptr;
#pragma GCC unroll 16
  for (int i = 0; i < kM; ++i, out += stride, addend += kAdd ? addend_stride : 0) {
#pragma GCC unroll 8
    for (int v = 0; v < kV; ++v) {
      const int at = v * T::kLanes, left = count - at;
      const bool whole = kFull || left >= T::kLanes;
      F y = T::MinF(hi, T::MaxF(lo, acc[i][v]));  // in this order NaN passes
      if (!whole && left <= 0) continue;
      if constexpr (kAdd) {
        y = T::AddF(y, whole ? T::LoadF(addend + at) : T::LoadFewF(addend + at, left));
        y = T::MinF(sum_hi, T::MaxF(sum_lo, y));
      }
      if (whole) {
        T::StoreF(out + at, y);
      } else {
        T::StoreFewF(out + at, y, left);
      }
    }
  }
}

template <class T, int kM, int kV>
__attribute__((noinline)) void FloatTiles(const ProductF32& p, const FloatChannels<T, kV>& c,
                                          int64_t row, int64_t tiles) {
  const bool full = c.count == c.kCount, add = c.addend != nullptr;
  for (; tiles > 0; --tiles, row += kM) {
    typename T::F acc[kM][kV];
#pragma GCC unroll 16
    for (int i = 0; i < kM; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kV; ++v) acc[i][v] = T::LoadF(c.start + v * T::kLanes);
    }
    MultiplyRuns<T, kM, kV>(p, c, row, acc);
    if (full && !add) {
      StoreFloats<T, false, true, kM, kV>(p, c, row, acc);
    } else if (full) {
      StoreFloats<T, true, true, kM, kV>(p, c, row, acc);
    } else if (!add) {
      StoreFloats<T, false, false, kM, kV>(p, c, row, acc);
    } else {
      StoreFloats<T, true, false, kM, kV>(p, c, row, acc);
    }
  }
}

template <class T, int kMax, int kV>
struct FloatRunner {
  const ProductF32& p;
  const FloatChannels<T, kV>& c;
  template <int kM>
  WHIT_INLINE void Try(int64_t rows, int64_t first, int64_t tiles) const {
    if constexpr (kM > 0) {
      if (rows == kM) return FloatTiles<T, kM, kV>(p, c, first, tiles);
      Try<kM - 1>(rows, first, tiles);
    }
  }
  WHIT_INLINE void Run(int64_t rows, int64_t first, int64_t tiles) const {
    if (tiles > 0) Try<kMax>(rows, first, tiles);
  }
};

/// All rows times kV registers of channels from panel q on.
template <class T, int kMax, int kV>
WHIT_INLINE void FloatPanels(const ProductF32& p, int64_t q) {
  FloatChannels<T, kV> c;
  SetFloatChannels<T, kV>(p, q, &c);
  SplitRows<kMax>(p.count, FloatRunner<T, kMax, kV>{p, c});
}
