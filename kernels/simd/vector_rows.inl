// Softmax, sums of columns, places of extremes.

template <class T, bool kSmallest>
WHIT_INLINE uint8_t ExtremeByte(const uint8_t* x, int64_t n) {
  constexpr int kB = T::kBytes;
  const auto better = [](uint8_t a, uint8_t b)
                          WHIT_LAMBDA_INLINE { return kSmallest ? Min(a, b) : Max(a, b); };
  uint8_t best = T::Code(x[0]);
  if (n < kB) {
    for (int64_t i = 1; i < n; ++i) best = better(best, T::Code(x[i]));
    return best;
  }
  typename T::V v = T::LoadCodes(x + n - kB);
  for (int64_t i = 0; i + kB <= n; i += kB) {
    v = kSmallest ? T::Min8(v, T::LoadCodes(x + i)) : T::Max8(v, T::LoadCodes(x + i));
  }
  alignas(64) uint8_t lanes[kB];
  T::Store(lanes, v);
  for (int k = 0; k < kB; ++k) best = better(best, lanes[k]);
  return best;
}

/// One row; the sum is that of L partial sums.
template <class T>
WHIT_INLINE void SoftmaxLongRow(const float* in, float* out, int64_t n, float beta) {
  using F = typename T::F;
  constexpr int kL = T::kLanes;
  const int64_t whole = n / kL * kL, rest = n - whole;
  float largest = in[0];
  if (whole == 0) {
    for (int64_t i = 1; i < n; ++i) largest = Max(largest, in[i]);
  } else {
    F max = T::LoadF(in + n - kL);
    for (int64_t i = 0; i < whole; i += kL) max = T::MaxF(max, T::LoadF(in + i));
    largest = T::LargestLane(max);
  }
  const F most = T::SplatF(largest), factor = T::SplatF(beta);
  const auto exponential = [&](F x) WHIT_LAMBDA_INLINE {
    return Exp<T>(T::MulF(T::SubF(x, most), factor));
  };
  F sum = T::SplatF(0);
  for (int64_t i = 0; i < whole; i += kL) {
    const F e = exponential(T::LoadF(in + i));
    T::StoreF(out + i, e);
    sum = T::AddF(sum, e);
  }
  float total = T::SumOfLanes(sum);
  if (rest != 0) {
    const F e = exponential(T::LoadPartF(in + whole, rest));
    T::StorePartF(out + whole, e, rest);
    for (int64_t i = whole; i < n; ++i) total += out[i];
  }
  const F share = T::SplatF(1.0f / total);
  int64_t i = 0;
  for (; i + kL <= n; i += kL) T::StoreF(out + i, T::MulF(T::LoadF(out + i), share));
  if (i < n) T::StorePartF(out + i, T::MulF(T::LoadPartF(out + i, n - i), share), n - i);
}

/// L short rows at once, turned so that a lane is a row.
template <class T>
WHIT_INLINE void SoftmaxShortRows(const float* in, float* out, int64_t rows, int64_t depth,
                                  float beta) {
  using F = typename T::F;
  constexpr int kL = T::kLanes;
  alignas(64) float turned[kMostTurned * kL];
  for (int64_t c = 0; c < depth; ++c) {
    for (int64_t r = 0; r < kL; ++r) turned[c * kL + r] = in[Min(r, rows - 1) * depth + c];
  }
  F max = T::LoadF(turned), sum = T::SplatF(0);
  for (int64_t c = 1; c < depth; ++c) max = T::MaxF(max, T::LoadF(turned + c * kL));
  for (int64_t c = 0; c < depth; ++c) {
    const F difference = T::SubF(T::LoadF(turned + c * kL), max);
    const F e = Exp<T>(T::MulF(difference, T::SplatF(beta)));
    T::StoreF(turned + c * kL, e);
    sum = T::AddF(sum, e);
  }
  for (int64_t c = 0; c < depth; ++c) {
    T::StoreF(turned + c * kL, T::DivF(T::LoadF(turned + c * kL), sum));
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < depth; ++c) out[r * depth + c] = turned[c * kL + r];
  }
}

template <class T>
WHIT_INLINE void Softmax(const SoftmaxF32& p) {
  if (p.turned) {
    for (int64_t r = 0; r < p.rows; r += T::kLanes) {
      const int64_t n = Min<int64_t>(T::kLanes, p.rows - r);
      SoftmaxShortRows<T>(p.in + r * p.depth, p.out + r * p.depth, n, p.depth, p.beta);
    }
    return;
  }
  for (int64_t r = 0; r < p.rows; ++r) {
    SoftmaxLongRow<T>(p.in + r * p.depth, p.out + r * p.depth, p.depth, p.beta);
  }
}

/// One row of bytes. Long rows are mapped by a table of what every difference becomes.
template <class T>
WHIT_INLINE void SoftmaxBytesRow(const SoftmaxU8& p, const uint8_t* in, uint8_t* out) {
  const int64_t n = p.depth;
  const uint32_t* const table = p.table;
  const uint8_t largest = ExtremeByte<T, false>(in, n);
  uint64_t sum[4] = {0, 0, 0, 0};
  int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) sum[k] += table[largest - T::Code(in[i + k])];
  }
  for (; i < n; ++i) sum[0] += table[largest - T::Code(in[i])];
  const double total = static_cast<double>(sum[0] + sum[1] + sum[2] + sum[3]);
  const float share = static_cast<float>(p.inverse_scale / total);
  const typename T::F scale = T::SplatF(share);
  const typename T::V zero = T::Splat16(p.store.zero_point);
  const Rounded<T> round(p.store);
  alignas(64) uint8_t codes[256];
  constexpr int kL = T::kLanes;
  if (n > 64) {
    for (int d = 0; d <= largest; d += kL) {
      T::StoreBytes(codes + d, round(T::MulF(T::LoadF(p.reals + d), scale)), zero);
    }
    for (i = 0; i < n; ++i) out[i] = codes[largest - T::Code(in[i])];
    return;
  }
  alignas(64) float reals[kL];
  for (i = 0; i < n; i += kL) {
    const int64_t some = Min<int64_t>(kL, n - i);
    for (int64_t k = 0; k < some; ++k) reals[k] = p.reals[largest - T::Code(in[i + k])];
    for (int64_t k = some; k < kL; ++k) reals[k] = 0;
    T::StoreBytes(codes, round(T::MulF(T::LoadF(reals), scale)), zero);
    for (int64_t k = 0; k < some; ++k) out[i + k] = codes[k];
  }
}

/// kColumns registers of doubles from column c on, even and odd rows by themselves so that the
/// additions' latency is hidden.
template <class T, int kColumns>
WHIT_INLINE void SumColumns(const ColumnSumsF32& p, int64_t c) {
  using D = typename T::D;
  constexpr int kD = T::kLanes / 2;
  D even[kColumns], odd[kColumns];
#pragma GCC unroll 4
  for (int k = 0; k < kColumns; ++k) even[k] = odd[k] = T::SplatD(0);
  const float* x = p.x + c;
  int64_t i = 0;
  for (; i + 2 <= p.count; i += 2, x += 2 * p.stride) {
#pragma GCC unroll 4
    for (int k = 0; k < kColumns; ++k) {
      even[k] = T::AddD(even[k], T::LoadAsD(x + k * kD));
      odd[k] = T::AddD(odd[k], T::LoadAsD(x + p.stride + k * kD));
    }
  }
#pragma GCC unroll 4
  for (int k = 0; k < kColumns; ++k) {
    if (i < p.count) even[k] = T::AddD(even[k], T::LoadAsD(x + k * kD));
    const D sum = T::AddD(even[k], odd[k]);
    T::StoreFromD(p.out + c + k * kD, T::DivD(sum, T::SplatD(p.divisor)));
  }
}

template <class T>
WHIT_INLINE void ColumnSums(const ColumnSumsF32& p) {
  constexpr int kD = T::kLanes / 2;
  int64_t c = 0;
  for (; c + 4 * kD <= p.n; c += 4 * kD) SumColumns<T, 4>(p, c);
  for (; c + kD <= p.n; c += kD) SumColumns<T, 1>(p, c);
  for (; c < p.n; ++c) {
    double even = 0, odd = 0;
    for (int64_t i = 0; i < p.count; i += 2) even += p.x[i * p.stride + c];
    for (int64_t i = 1; i < p.count; i += 2) odd += p.x[i * p.stride + c];
    p.out[c] = static_cast<float>((even + odd) / p.divisor);
  }
}

/// One row of bytes: its extreme, then the first place where it stands.
template <class T, bool kSmallest>
WHIT_INLINE int64_t PlaceInRow(const uint8_t* x, int64_t n) {
  const uint8_t best = ExtremeByte<T, kSmallest>(x, n);
  const typename T::V wanted = T::Splat8(best);
  int64_t i = 0;
  for (; i + T::kBytes <= n; i += T::kBytes) {
    const uint64_t equal = T::EqualBytes(T::LoadCodes(x + i), wanted);
    if (equal != 0) return i + __builtin_ctzll(equal);
  }
  while (T::Code(x[i]) != best) ++i;
  return i;
}

/// Columns from c on, at most a register of them.
template <class T, bool kSmallest>
WHIT_INLINE void PlacesInColumns(const ArgU8& p, int64_t c) {
  using V = typename T::V;
  const int64_t n = Min<int64_t>(T::kBytes, p.n - c);
  const uint8_t* const x = p.x + c;
  V best = T::LoadCodes(x);
  for (int64_t i = 1; i < p.count; ++i) {
    const V v = T::LoadCodes(x + i * p.stride);
    best = kSmallest ? T::Min8(best, v) : T::Max8(best, v);
  }
  uint64_t open = n == 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1;
  for (int64_t i = 0; open != 0; ++i) {
    uint64_t found = T::EqualBytes(T::LoadCodes(x + i * p.stride), best) & open;
    open &= ~found;
    for (; found != 0; found &= found - 1) p.at[c + __builtin_ctzll(found)] = i;
  }
}

template <class T, bool kSmallest>
WHIT_INLINE void Places(const ArgU8& p) {
  if (p.n == 1 && p.stride == 1) {
    *p.at = PlaceInRow<T, kSmallest>(p.x, p.count);
    return;
  }
  for (int64_t c = 0; c < p.n; c += T::kBytes) PlacesInColumns<T, kSmallest>(p, c);
}

// ---- sums and extremes of rows ----

template <class T>
WHIT_INLINE double SumRow(const float* x, int64_t n) {
  using D = typename T::D;
  constexpr int kD = T::kLanes / 2;
  D sum[4];
#pragma GCC unroll 4
  for (int k = 0; k < 4; ++k) sum[k] = T::SplatD(0);
  int64_t i = 0;
  for (; i + 4 * kD <= n; i += 4 * kD) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) sum[k] = T::AddD(sum[k], T::LoadAsD(x + i + k * kD));
  }
  double total = T::SumOfD(T::AddD(T::AddD(sum[0], sum[1]), T::AddD(sum[2], sum[3])));
  for (; i < n; ++i) total += static_cast<double>(x[i]);
  return total;
}

/// Begins at the infinity that loses; a NaN never wins.
template <class T, bool kSmallest>
WHIT_INLINE float ExtremeOfRow(const float* x, int64_t n) {
  constexpr int kL = T::kLanes;
  const float start = kSmallest ? __builtin_inff() : -__builtin_inff();
  typename T::F a = T::SplatF(start), b = a;
  const auto better = [](typename T::F v, typename T::F best) WHIT_LAMBDA_INLINE {
    return kSmallest ? T::MinF(v, best) : T::MaxF(v, best);
  };
  int64_t i = 0;
  for (; i + 2 * kL <= n; i += 2 * kL) {
    a = better(T::LoadF(x + i), a);
    b = better(T::LoadF(x + i + kL), b);
  }
  alignas(64) float lanes[kL];
  T::StoreF(lanes, better(a, b));
  float best = start;
  for (int k = 0; k < kL; ++k) {
    best = (kSmallest ? lanes[k] < best : lanes[k] > best) ? lanes[k] : best;
  }
  for (; i < n; ++i) best = (kSmallest ? x[i] < best : x[i] > best) ? x[i] : best;
  return best;
}

template <class T>
WHIT_INLINE void ReduceRows(const RowsF32& p) {
  for (int64_t r = 0; r < p.rows; ++r) {
    const float* const x = p.x + r * p.stride;
    if (p.kind == RowKind::kSum) {
      p.out[r] = static_cast<float>(SumRow<T>(x, p.n) / p.divisor);
    } else {
      p.out[r] = p.kind == RowKind::kLargest ? ExtremeOfRow<T, false>(x, p.n)
                                             : ExtremeOfRow<T, true>(x, p.n);
    }
  }
}

/// N: the widest registers that sum bytes.
template <class N>
WHIT_INLINE int64_t SumRow(const uint8_t* x, int64_t n) {
  typename N::V sum = N::Zero();
  int64_t i = 0;
  for (; i + N::kBytes <= n; i += N::kBytes) sum = N::SumBytes(sum, N::LoadCodes(x + i));
  int64_t total = N::TotalOfSums(sum);
  for (; i < n; ++i) total += N::Code(x[i]);
  return total;
}

template <class N>
WHIT_INLINE void ReduceRows(const RowsU8& p) {
  for (int64_t r = 0; r < p.rows; ++r) {
    const uint8_t* const x = p.x + r * p.stride;
    if (p.kind == RowKind::kSum) {
      p.out[r] = SumRow<N>(x, p.n);
    } else {
      p.out[r] = p.kind == RowKind::kLargest ? ExtremeByte<N, false>(x, p.n)
                                             : ExtremeByte<N, true>(x, p.n);
    }
  }
}

// ---- L2 norms ----

template <class T>
WHIT_INLINE void L2NormRow(const L2NormF32& p, const float* in, float* out) {
  using F = typename T::F;
  constexpr int kL = T::kLanes;
  F even = T::SplatF(0), odd = even;
  int64_t i = 0;
  for (; i + 2 * kL <= p.depth; i += 2 * kL) {
    const F a = T::LoadF(in + i), b = T::LoadF(in + i + kL);
    even = T::AddF(even, T::MulF(a, a));
    odd = T::AddF(odd, T::MulF(b, b));
  }
  for (; i + kL <= p.depth; i += kL) {
    const F a = T::LoadF(in + i);
    even = T::AddF(even, T::MulF(a, a));
  }
  if (i < p.depth) {
    const F a = T::LoadPartF(in + i, p.depth - i);
    odd = T::AddF(odd, T::MulF(a, a));
  }
  const float norm = __builtin_sqrtf(T::SumOfLanes(T::AddF(even, odd)));
  const F divisor = T::SplatF(norm < p.smallest_norm ? p.smallest_norm : norm);  // NaN stays
  const Clamped<T> clamp(p.lo, p.hi);
  MapToFloats<T>(
      out, p.depth,
      [&](int64_t k) WHIT_LAMBDA_INLINE { return clamp(T::DivF(T::LoadF(in + k), divisor)); },
      [&](int64_t k, int64_t n)
          WHIT_LAMBDA_INLINE { return clamp(T::DivF(T::LoadPartF(in + k, n), divisor)); });
}

/// The sum of (x - zero)^2: in 32 bits for as long as it fits, 255^2 * 4 * 8192 < 2^31.
template <class T>
WHIT_INLINE uint64_t SquaresOfRow(const uint8_t* x, int64_t n, int32_t zero_point) {
  using V = typename T::V;
  constexpr int kB = T::kBytes;
  const V zero = T::Zero(), minus = T::Splat16(zero_point);
  uint64_t total = 0;
  int64_t i = 0;
  while (i + kB <= n) {
    V sum = zero;
    const int64_t end = Min(n, i + 8192 * kB);
    for (; i + kB <= end; i += kB) {
      const V v = T::LoadCodes(x + i);
      const V low = T::Sub16(T::UnpackLo8(v, zero), minus);
      const V high = T::Sub16(T::UnpackHi8(v, zero), minus);
      sum = T::Add32(sum, T::Add32(T::MulAdd16(low, low), T::MulAdd16(high, high)));
    }
    alignas(64) uint32_t lanes[T::kLanes];
    T::Store(lanes, sum);
    for (int k = 0; k < T::kLanes; ++k) total += lanes[k];
  }
  for (; i < n; ++i) {
    const int64_t v = T::Code(x[i]) - zero_point;
    total += static_cast<uint64_t>(v * v);
  }
  return total;
}

template <class T>
WHIT_INLINE void L2Norm(const L2NormU8& p) {
  for (int64_t r = 0; r < p.rows; ++r) {
    const uint8_t* const in = p.in + r * p.depth;
    const uint64_t sum = SquaresOfRow<T>(in, p.depth, p.zero_point);
    const double norm = __builtin_sqrt(static_cast<double>(sum == 0 ? 1 : sum));
    const float multiplier = static_cast<float>(p.inverse_scale / norm);
    Rescale<T>(RescaleCodes<uint8_t, uint8_t>{in, p.out + r * p.depth, p.depth, p.zero_point,
                                              multiplier, p.store});
  }
}
