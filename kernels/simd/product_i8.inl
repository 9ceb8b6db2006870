// ProductI8: rows of 8-bit activations times panels. What all flavours share: the channels of a
// tile, the split of rows into tiles, and the way from accumulators to stored bytes. The inner
// loops are in product_dot.inl (four-byte dot products), product_madd.inl (16-bit sums on x86) and
// product_mull.inl (16-bit sums on ARM). Stored activations are unsigned on x86, signed on ARM: the
// wrappers' Min8, Pack and Widen know.
//
// A tile is kM rows times kV registers of output channels; a register holds kLanes of the 16
// channels of a panel, so a tile may span half a panel, a panel, or several.

/// Steps of a run; where nothing is said of runs there is one.
WHIT_INLINE int64_t RunSteps(const ProductI8& p) { return p.run_steps > 0 ? p.run_steps : p.steps; }

/// The channels of a tile, made once a block and used for all its rows.
template <class T, int kV>
struct Channels {
  static constexpr int kCount = kV * T::kLanes;
  alignas(64) int32_t start[kCount];
  alignas(64) float multiplier[kCount];
  const int8_t* w;      // step 0 of the first register
  int64_t step_bytes;   // from step to step of a panel
  int64_t panel_bytes;  // from panel to panel
  uint8_t* out;         // row 0
  const uint8_t* b;     // of the residual, row 0
  int count;            // real channels, the rest is not stored

  /// Weights of register v at a step.
  WHIT_INLINE const int8_t* Register(const int8_t* step, int v) const {
    constexpr int kPerPanel = T::kLanes < 16 ? 16 / T::kLanes : 1;
    return step + v / kPerPanel * panel_bytes + v % kPerPanel * (4 * T::kLanes);
  }
};

/// Channels of panels q, q + 1, ... as far as kV registers reach; `width` 8 or 16 is that of q.
template <class T, int kV>
WHIT_INLINE void SetChannels(const ProductI8& p, int64_t q, int width, Channels<T, kV>* c) {
  using V = typename T::V;
  const Requantize8& r = p.quant;
  const int64_t n = 16 * q;
  c->count = static_cast<int>(Min<int64_t>(p.n - n, kV * T::kLanes));
  c->w = p.weights + 64 * p.steps * q;
  c->step_bytes = 4 * width;
  c->panel_bytes = 64 * p.steps;
  c->out = p.out + n;
  c->b = p.residual != nullptr ? p.residual->b + n : nullptr;
  if (!r.whole_panels) {
    for (int i = 0; i < c->kCount; ++i) {
      const bool real = i < c->count;
      const uint32_t bias = real && r.bias != nullptr ? static_cast<uint32_t>(r.bias[n + i]) : 0;
      const uint32_t sum = real ? static_cast<uint32_t>(r.sums[n + i]) : 0;
      c->start[i] = static_cast<int32_t>(bias - static_cast<uint32_t>(r.act_bias) *
                                                    (sum - static_cast<uint32_t>(r.sums_minus)));
      c->multiplier[i] = real ? r.multiplier[n + i] : 1.0f;
    }
    return;
  }
  const V beta = T::Splat32(r.act_bias), minus = T::Splat32(r.sums_minus);
#pragma GCC unroll 4
  for (int v = 0; v < kV; ++v) {
    const int at = v * T::kLanes;
    // Registers behind the last channel repeat the first ones: nothing is read past the arrays.
    const int64_t from = n + (at < c->count ? at : 0);
    const V bias = r.bias != nullptr ? T::Load(r.bias + from) : T::Zero();
    const V sums = T::Sub32(T::Load(r.sums + from), minus);
    T::Store(c->start + at, T::Sub32(bias, T::Mul32(beta, sums)));
    T::Store(c->multiplier + at, T::Load(r.multiplier + from));
  }
}

/// Registers that every tile of a block uses to store.
template <class T>
struct Rounding {
  typename T::V zero, lo, hi;  // 16-bit zero point; smallest and largest stored byte
  explicit WHIT_INLINE Rounding(int32_t zero_point, float low, float high)
      : zero(T::Splat16(zero_point)),
        lo(T::Splat8(static_cast<int>(low) + zero_point)),
        hi(T::Splat8(static_cast<int>(high) + zero_point)) {}
  WHIT_INLINE typename T::V Clamp(typename T::V bytes) const {
    return T::Min8(T::Max8(bytes, lo), hi);
  }
};

/// Products below 2^31 (multipliers below 1) are rounded without a clamp: packing saturates, and
/// rounding is monotone, so bytes clamped to integers afterwards are the same. A multiplier that
/// becomes NaN or large in the mapped file gives some byte.
template <class T>
WHIT_INLINE typename T::V Scaled(typename T::V acc, typename T::F multiplier) {
  return T::Round16(T::MulF(T::ToFloat(acc), multiplier));
}

/// The same of any positive multiplier: products that might pass 2^31 are cut at the upper clamp
/// first. Those below -2^31 become INT_MIN, which is right.
template <class T>
WHIT_INLINE typename T::V ScaledLarge(typename T::V acc, typename T::F multiplier,
                                      typename T::F most) {
  return T::Round16(T::MinF(T::MulF(T::ToFloat(acc), multiplier), most));
}

/// The same, then the residual: y8 rounded and clamped, times ma, plus b times mb.
template <class T>
struct Joining {
  typename T::F lo1, hi1, ma, mb;
  typename T::V zero_b;
  WHIT_INLINE Joining(const Requantize8& q, const Residual8& r)
      : lo1(T::SplatF(q.lo)),
        hi1(T::SplatF(q.hi)),
        ma(T::SplatF(r.ma)),
        mb(T::SplatF(r.mb)),
        zero_b(T::Splat32(r.b_zero_point)) {}
  WHIT_INLINE typename T::V Join(typename T::V acc, typename T::F multiplier,
                                 const uint8_t* b) const {
    const typename T::F x = T::MulF(T::ToFloat(acc), multiplier);
    const typename T::F y = T::RoundF(T::MinF(T::MaxF(x, lo1), hi1));
    const typename T::F z = T::ToFloat(T::Sub32(T::Widen(b), zero_b));
    return T::Round16(T::AddF(T::MulF(y, ma), T::MulF(z, mb)));
  }
};

template <class T, int kBytes, int kIndex>
WHIT_INLINE void StoreRow(uint8_t* out, typename T::V bytes, int count) {
  WHIT_USUAL(count == kBytes);
  if (count == kBytes) {
    T::template StorePiece<kBytes, kIndex>(out, bytes);
  } else {
    uint8_t piece[kBytes];
    T::template StorePiece<kBytes, kIndex>(piece, bytes);
    for (int i = 0; i < count; ++i) out[i] = piece[i];
  }
}

/// Four registers of accumulators make one of bytes: 4 / kV rows at a time from row kRow on.
template <class T, int kM, int kV, int kRow = 0, class Convert>
WHIT_INLINE void StoreTile(const typename T::V (&acc)[kM][kV], const Rounding<T>& r, uint8_t* out,
                           int64_t stride, int count, Convert convert) {
  if constexpr (kRow < kM) {
    constexpr int kRows = 4 / kV, kBytes = kV * T::kLanes;
    typename T::V v[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const int row = kRow + i / kV;
      v[i] = row < kM ? convert(acc[row][i % kV], row, i % kV) : v[0];
    }
    const typename T::V bytes = r.Clamp(T::Pack(v[0], v[1], v[2], v[3], r.zero));
    StoreRow<T, kBytes, 0>(out + kRow * stride, bytes, count);
    if constexpr (kRows > 1 && kRow + 1 < kM) {
      StoreRow<T, kBytes, 1>(out + (kRow + 1) * stride, bytes, count);
    }
    if constexpr (kRows > 2 && kRow + 2 < kM) {
      StoreRow<T, kBytes, 2>(out + (kRow + 2) * stride, bytes, count);
    }
    if constexpr (kRows > 3 && kRow + 3 < kM) {
      StoreRow<T, kBytes, 3>(out + (kRow + 3) * stride, bytes, count);
    }
    StoreTile<T, kM, kV, kRow + kRows>(acc, r, out, stride, count, convert);
  }
}

/// A tile's rows to floats. `c.start` holds the sums of the weights, which are part of the
/// accumulators once.
template <class T, int kM, int kV>
WHIT_INLINE void FinishFloats(const ProductI8& p, const Channels<T, kV>& c, int64_t row,
                              const typename T::V (&acc)[kM][kV]) {
  using V = typename T::V;
  using F = typename T::F;
  const Dequantize& d = *p.dequantize;
  const F lo = T::SplatF(d.lo), hi = T::SplatF(d.hi);
  const int64_t n = c.out - p.out;
#pragma GCC unroll 4
  for (int v = 0; v < kV; ++v) {
    const int at = v * T::kLanes, left = c.count - at;
    if (left <= 0) continue;
    F bias = T::SplatF(0);
    if (d.bias != nullptr) {
      bias = left >= T::kLanes ? T::LoadF(d.bias + n + at) : T::LoadFewF(d.bias + n + at, left);
    }
    const V sums = T::Load(c.start + at);
    const F multiplier = T::LoadF(c.multiplier + at);
#pragma GCC unroll 16
    for (int i = 0; i < kM; ++i) {
      const V zero = T::Mul32(T::Splat32(d.zero[row + i] + 1), sums);
      const F scale = T::MulF(T::SplatF(d.scale[row + i]), multiplier);
      const F y = T::AddF(T::MulF(T::ToFloat(T::Sub32(acc[i][v], zero)), scale), bias);
      const F clamped = T::MinF(hi, T::MaxF(lo, y));  // in this order NaN passes
      float* const out = d.out + (row + i) * p.out_stride + n + at;
      if (left >= T::kLanes) {
        T::StoreF(out, clamped);
      } else {
        T::StoreFewF(out, clamped, left);
      }
    }
  }
}

/// How often row i counts in ProductI8::total and RowDots, modulo 2^32.
template <class Rows>
WHIT_INLINE int32_t RowWeight(const Rows& p, int64_t i) {
  return static_cast<int32_t>(1 + static_cast<uint32_t>(p.row_spread) * static_cast<uint32_t>(i));
}

/// The real channels of a tile to ProductI8::total. A tile begins with a panel.
template <class T, int kM, int kV>
WHIT_INLINE void AddToTotal(const ProductI8& p, const Channels<T, kV>& c, int64_t row,
                            const typename T::V (&acc)[kM][kV]) {
#pragma GCC unroll 4
  for (int v = 0; v < kV; ++v) {
    typename T::V column = T::Zero();
#pragma GCC unroll 16
    for (int i = 0; i < kM; ++i) {
      typename T::V a = acc[i][v];
      if constexpr (T::kSignedActivations) a = T::Mul32(a, T::Splat32(RowWeight(p, row + i)));
      column = T::Add32(column, a);
    }
    int32_t* const total = p.total + v * T::kLanes % 16;
    const int left = c.count - v * T::kLanes;
    if (left >= T::kLanes) {
      T::Store(total, T::Add32(T::Load(total), column));
      continue;
    }
    alignas(64) int32_t lanes[T::kLanes];
    T::Store(lanes, column);
    for (int l = 0; l < left; ++l) {
      total[l] =
          static_cast<int32_t>(static_cast<uint32_t>(total[l]) + static_cast<uint32_t>(lanes[l]));
    }
  }
}

/// A tile's rows from accumulators to memory.
template <class T, int kM, int kV>
WHIT_INLINE void FinishTile(const ProductI8& p, const Channels<T, kV>& c, int64_t row,
                            const typename T::V (&acc)[kM][kV]) {
  WHIT_USUAL(p.dequantize == nullptr && p.residual == nullptr && !p.quant.large_multipliers);
  WHIT_USUAL(p.total == nullptr);
  if (p.total != nullptr) AddToTotal<T, kM, kV>(p, c, row, acc);
  if (p.dequantize != nullptr) return FinishFloats<T, kM, kV>(p, c, row, acc);
  typename T::F m[kV];
#pragma GCC unroll 4
  for (int v = 0; v < kV; ++v) m[v] = T::LoadF(c.multiplier + v * T::kLanes);
  uint8_t* const out = c.out + row * p.out_stride;
  if (p.residual == nullptr) {
    const Requantize8& q = p.quant;
    const Rounding<T> r(q.zero_point, q.lo, q.hi);
    if (q.large_multipliers) {
      const typename T::F most = T::SplatF(q.hi);
      StoreTile<T, kM, kV>(acc, r, out, p.out_stride, c.count,
                           [&](typename T::V a, int, int v)
                               WHIT_LAMBDA_INLINE { return ScaledLarge<T>(a, m[v], most); });
      return;
    }
    StoreTile<T, kM, kV>(acc, r, out, p.out_stride, c.count,
                         [&](typename T::V a, int, int v)
                             WHIT_LAMBDA_INLINE { return Scaled<T>(a, m[v]); });
    return;
  }
  const Residual8& b = *p.residual;
  const Rounding<T> r(b.zero_point, b.lo, b.hi);
  const Joining<T> join(p.quant, b);
  const uint8_t* const from = c.b + row * b.b_stride;
  StoreTile<T, kM, kV>(acc, r, out, p.out_stride, c.count,
                       [&](typename T::V a, int i, int v) WHIT_LAMBDA_INLINE {
                         return join.Join(a, m[v], from + i * b.b_stride + v * T::kLanes);
                       });
}

/// Accumulators of a tile at their start values. Every loop over accumulators is unrolled: one that
/// is not keeps them all in memory.
template <class T, int kM, int kV>
WHIT_INLINE void StartTile(const ProductI8& p, const Channels<T, kV>& c, int64_t row,
                           typename T::V (&acc)[kM][kV]) {
#pragma GCC unroll 16
  for (int i = 0; i < kM; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v) acc[i][v] = T::Load(c.start + v * T::kLanes);
  }
  WHIT_USUAL(p.row_start == nullptr);
  if (p.row_start == nullptr) return;
#pragma GCC unroll 16
  for (int i = 0; i < kM; ++i) {
    const typename T::V s = T::Broadcast(p.row_start + row + i);
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v) acc[i][v] = T::Add32(acc[i][v], s);
  }
}
