// Pools and bilinear resizing: every channel by itself, registers of channels.
//
// Channels are walked in registers. The last one overlaps the one before it where there are enough
// channels; fewer channels than one register are read with what follows them and stored in part.

template <class T, class Run>
WHIT_INLINE void ForChannels(int64_t channels, int64_t lanes, const Run& run) {
  if (channels < lanes) return run(0, channels);
  for (int64_t c = 0;; c += lanes) {
    if (c + lanes >= channels) return run(channels - lanes, lanes);
    run(c, lanes);
  }
}

template <class T>
WHIT_INLINE void StoreSome(uint8_t* p, typename T::V v, int64_t n) {
  if (n == T::kBytes) {
    T::StoreCodes(p, v);
  } else {
    T::StoreCodesPart(p, v, n);
  }
}
template <class T>
WHIT_INLINE void StoreSomeF(float* p, typename T::F v, int64_t n) {
  if (n == T::kLanes) {
    T::StoreF(p, v);
  } else {
    T::StorePartF(p, v, n);
  }
}

/// 4 L integers in the order that unpacking leaves, as bytes: nothing crosses 128-bit lanes.
template <class T>
struct Quad {
  typename T::V v[4];
};

/// The bytes' sums over a window: at most 256 of them in 16 bits, then in 32.
template <class T>
WHIT_INLINE Quad<T> SumWindow(const PoolU8& p, const uint8_t* x, int64_t pixels) {
  using V = typename T::V;
  const V zero = T::Zero();
  Quad<T> sum = {{zero, zero, zero, zero}};
  V even = zero, odd = zero;
  int64_t left = 256;
  const auto flush = [&]() WHIT_LAMBDA_INLINE {
    const V low = T::UnpackLo16(even, odd), high = T::UnpackHi16(even, odd);
    sum.v[0] = T::Add32(sum.v[0], T::UnpackLo16(low, zero));
    sum.v[1] = T::Add32(sum.v[1], T::UnpackHi16(low, zero));
    sum.v[2] = T::Add32(sum.v[2], T::UnpackLo16(high, zero));
    sum.v[3] = T::Add32(sum.v[3], T::UnpackHi16(high, zero));
    even = odd = zero;
    left = 256;
  };
  for (int64_t y = 0; y < p.rows; ++y, x += p.row_stride) {
    const uint8_t* at = x;
    for (int64_t i = pixels; i > 0;) {
      const int64_t n = Min(i, left);
      for (int64_t k = 0; k < n; ++k, at += p.pixel_stride) {
        const V v = T::LoadCodes(at);
        even = T::Add16(even, T::EvenU8(v));
        odd = T::Add16(odd, T::OddU8(v));
      }
      i -= n, left -= n;
      if (left == 0) flush();
    }
  }
  flush();
  return sum;
}

template <class T, bool kSmallest>
WHIT_INLINE typename T::V ExtremeOfWindow(const PoolU8& p, const uint8_t* x, int64_t pixels) {
  typename T::V best = T::Splat8(kSmallest ? -1 : 0);
  for (int64_t y = 0; y < p.rows; ++y, x += p.row_stride) {
    const uint8_t* at = x;
    for (int64_t i = 0; i < pixels; ++i, at += p.pixel_stride) {
      best = kSmallest ? T::Min8(best, T::LoadCodes(at)) : T::Max8(best, T::LoadCodes(at));
    }
  }
  return best;
}

template <class T>
WHIT_INLINE Quad<T> WidenBytes(typename T::V v) {
  using V = typename T::V;
  const V zero = T::Zero(), low = T::UnpackLo8(v, zero), high = T::UnpackHi8(v, zero);
  return {{T::UnpackLo16(low, zero), T::UnpackHi16(low, zero), T::UnpackLo16(high, zero),
           T::UnpackHi16(high, zero)}};
}

/// store((q - less) * multiplier).
template <class T>
WHIT_INLINE typename T::V Rescaled(const Quad<T>& q, int32_t less, float multiplier,
                                   const Store& store) {
  using V = typename T::V;
  const V minus = T::Splat32(less), zero = T::Splat16(store.zero_point);
  const typename T::F m = T::SplatF(multiplier);
  const Rounded<T> round(store);
  V r[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) r[i] = round(T::MulF(T::ToFloat(T::Sub32(q.v[i], minus)), m));
  return T::PackBytes(T::PackWords(r[0], r[1], zero), T::PackWords(r[2], r[3], zero));
}

/// Calls run(pixel, first column of its window, columns) for every output pixel of the row.
template <class Run>
WHIT_INLINE void ForWindows(const PoolColumns& w, const Run& run) {
  for (int64_t o = 0; o < w.out; ++o) {
    const int64_t at = o * w.stride - w.pad;
    const int64_t begin = Max(at, int64_t{0}), end = Min(at + w.filter, w.in);
    run(o, begin, end - begin);
  }
}

template <class T>
WHIT_INLINE void PoolBytes(const PoolU8& p) {
  const float largest = static_cast<float>(p.ratio);
  // Values that keep their quantization are not rounded again.
  const bool same = largest == 1.0f && p.in_zero == p.store.zero_point;
  const typename T::V lo = T::Splat8(p.store.zero_point + static_cast<int>(p.store.lo));
  const typename T::V hi = T::Splat8(p.store.zero_point + static_cast<int>(p.store.hi));
  int64_t last = 0;
  float multiplier = 0;
  ForWindows(p.w, [&](int64_t pixel, int64_t begin, int64_t columns) WHIT_LAMBDA_INLINE {
    const uint8_t* const x = p.x + begin * p.pixel_stride;
    uint8_t* const out = p.out + pixel * p.channels;
    const int64_t count = columns * p.rows;
    if (count != last) {
      multiplier = p.plain_sum ? largest : static_cast<float>(p.ratio / static_cast<double>(count));
    }
    last = count;
    ForChannels<T>(p.channels, T::kBytes, [&](int64_t c, int64_t n) WHIT_LAMBDA_INLINE {
      typename T::V y;
      if (p.average) {
        const int32_t less = static_cast<int32_t>(count * p.in_zero);
        y = Rescaled<T>(SumWindow<T>(p, x + c, columns), less, multiplier, p.store);
      } else {
        y = p.smallest ? ExtremeOfWindow<T, true>(p, x + c, columns)
                       : ExtremeOfWindow<T, false>(p, x + c, columns);
        y = same ? T::Min8(T::Max8(y, lo), hi)
                 : Rescaled<T>(WidenBytes<T>(y), p.in_zero, largest, p.store);
      }
      StoreSome<T>(out + c, y, n);
    });
  });
}

/// kCount registers of channels: one alone would wait for the addition before it.
template <class T, int kCount>
WHIT_INLINE void PoolRegisters(const PoolF32& p, const float* x, int64_t columns,
                               typename T::F count, const Clamped<T>& clamp, float* out,
                               int64_t n) {
  typename T::F acc[kCount];
  const float start = p.average ? 0.0f : p.smallest ? __builtin_inff() : -__builtin_inff();
#pragma GCC unroll 4
  for (int k = 0; k < kCount; ++k) acc[k] = T::SplatF(start);
  for (int64_t y = 0; y < p.rows; ++y, x += p.row_stride) {
    const float* at = x;
    for (int64_t i = 0; i < columns; ++i, at += p.pixel_stride) {
#pragma GCC unroll 4
      for (int k = 0; k < kCount; ++k) {
        const typename T::F v = T::LoadF(at + k * T::kLanes);
        // The second operand is what a NaN in the first yields.
        acc[k] = p.average    ? T::AddF(acc[k], v)
                 : p.smallest ? T::MinF(v, acc[k])
                              : T::MaxF(v, acc[k]);
      }
    }
  }
#pragma GCC unroll 4
  for (int k = 0; k < kCount; ++k) {
    if (p.average) acc[k] = T::DivF(acc[k], count);
    if (kCount == 1) {
      StoreSomeF<T>(out, clamp(acc[k]), n);
    } else {
      T::StoreF(out + k * T::kLanes, clamp(acc[k]));
    }
  }
}

template <class T>
WHIT_INLINE void PoolFloats(const PoolF32& p) {
  using F = typename T::F;
  constexpr int64_t kL = T::kLanes;
  const Clamped<T> clamp(p.lo, p.hi);
  ForWindows(p.w, [&](int64_t pixel, int64_t begin, int64_t columns) WHIT_LAMBDA_INLINE {
    const float* const x = p.x + begin * p.pixel_stride;
    float* const out = p.out + pixel * p.channels;
    const F count = T::SplatF(static_cast<float>(columns * p.rows));
    int64_t c = 0;
    for (; c + 4 * kL <= p.channels; c += 4 * kL) {
      PoolRegisters<T, 4>(p, x + c, columns, count, clamp, out + c, 4 * kL);
    }
    for (; c < p.channels; c += kL) {
      // The last register overlaps the one before it if there is one.
      const int64_t at = p.channels >= kL ? Min(c, p.channels - kL) : c;
      PoolRegisters<T, 1>(p, x + at, columns, count, clamp, out + at, Min(kL, p.channels));
    }
  });
}

/// Weights in sixteenths: everything fits 16 bits. 16 * 16 * 255 + 128 < 2^16.
template <class T>
WHIT_INLINE void ResizeSixteenths(const ResizeU8& p) {
  using V = typename T::V;
  const int wy = p.row_weight >> 7;
  const V of_top = T::Splat16(16 - wy), of_bottom = T::Splat16(wy), half = T::Splat16(128);
  uint8_t* out = p.out;
  for (int64_t o = 0; o < p.out_w; ++o, out += p.channels) {
    const ResizeColumn& x = p.columns[o];
    const int wx = x.weight >> 7;
    const V across = T::Splat16((16 - wx) | wx << 8);  // pairs of bytes
    const auto blend = [&](V top, V bottom) WHIT_LAMBDA_INLINE {
      const V t = T::Mul16(T::MulAddU8S8(top, across), of_top);
      const V b = T::Mul16(T::MulAddU8S8(bottom, across), of_bottom);
      return T::ShiftRight16(T::Add16(T::Add16(t, b), half), 8);
    };
    ForChannels<T>(p.channels, T::kBytes, [&](int64_t c, int64_t n) WHIT_LAMBDA_INLINE {
      const V tl = T::LoadCodes(p.top + x.low + c), tr = T::LoadCodes(p.top + x.high + c);
      const V bl = T::LoadCodes(p.bottom + x.low + c), br = T::LoadCodes(p.bottom + x.high + c);
      const V low = blend(T::UnpackLo8(tl, tr), T::UnpackLo8(bl, br));
      const V high = blend(T::UnpackHi8(tl, tr), T::UnpackHi8(bl, br));
      StoreSome<T>(out + c, T::PackBytes(low, high), n);
    });
  }
}

/// Any weights: pairs of left and right in 16 bits, their blend and the vertical one in 32.
template <class T>
WHIT_INLINE void ResizeBytes(const ResizeU8& p) {
  using V = typename T::V;
  const V wy = T::Splat32(p.row_weight), half = T::Splat32(1 << 21), zero = T::Zero();
  uint8_t* out = p.out;
  for (int64_t o = 0; o < p.out_w; ++o, out += p.channels) {
    const ResizeColumn& x = p.columns[o];
    const V across = T::Splat32((2048 - x.weight) | x.weight << 16);
    const auto blend = [&](V top, V bottom) WHIT_LAMBDA_INLINE {
      const V t = T::MulAdd16(top, across), b = T::MulAdd16(bottom, across);
      const V acc = T::Add32(T::ShiftLeft32(t, 11), T::Mul32(T::Sub32(b, t), wy));
      return T::ShiftRightArithmetic32(T::Add32(acc, half), 22);
    };
    ForChannels<T>(p.channels, T::kBytes, [&](int64_t c, int64_t n) WHIT_LAMBDA_INLINE {
      const V tl = T::LoadCodes(p.top + x.low + c), tr = T::LoadCodes(p.top + x.high + c);
      const V bl = T::LoadCodes(p.bottom + x.low + c), br = T::LoadCodes(p.bottom + x.high + c);
      const V t0 = T::UnpackLo8(tl, tr), t1 = T::UnpackHi8(tl, tr);
      const V b0 = T::UnpackLo8(bl, br), b1 = T::UnpackHi8(bl, br);
      const V r0 = blend(T::UnpackLo8(t0, zero), T::UnpackLo8(b0, zero));
      const V r1 = blend(T::UnpackHi8(t0, zero), T::UnpackHi8(b0, zero));
      const V r2 = blend(T::UnpackLo8(t1, zero), T::UnpackLo8(b1, zero));
      const V r3 = blend(T::UnpackHi8(t1, zero), T::UnpackHi8(b1, zero));
      StoreSome<T>(out + c, T::PackBytes(T::PackWords(r0, r1, zero), T::PackWords(r2, r3, zero)),
                   n);
    });
  }
}

template <class T>
WHIT_INLINE void ResizeFloats(const ResizeF32& p) {
  using F = typename T::F;
  const F wy = T::SplatF(p.row_share);
  float* out = p.out;
  for (int64_t o = 0; o < p.out_w; ++o, out += p.channels) {
    const ResizeColumn& x = p.columns[o];
    const F wx = T::SplatF(x.share);
    const auto between = [](F a, F b, F w)
                             WHIT_LAMBDA_INLINE { return T::AddF(a, T::MulF(T::SubF(b, a), w)); };
    ForChannels<T>(p.channels, T::kLanes, [&](int64_t c, int64_t n) WHIT_LAMBDA_INLINE {
      const F t = between(T::LoadF(p.top + x.low + c), T::LoadF(p.top + x.high + c), wx);
      const F b = between(T::LoadF(p.bottom + x.low + c), T::LoadF(p.bottom + x.high + c), wx);
      StoreSomeF<T>(out + c, between(t, b, wy), n);
    });
  }
}
