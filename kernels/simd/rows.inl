// Passes over rows of bytes before a product: ranges and centring of columns, sums of rows.

/// Columns in stretches of one register, then down the rows.
template <class T>
WHIT_INLINE void RangeColumns(const ColumnRange& r) {
  constexpr int kBytes = 4 * T::kLanes;
  for (int64_t j = 0; j < r.k; j += kBytes) {
    const uint8_t* x = r.x + j;
    typename T::V lo0 = T::Splat8(-1), hi0 = T::Zero(), lo1 = lo0, hi1 = hi0;
    int64_t i = 0;
    for (; i + 2 <= r.count; i += 2, x += 2 * r.stride) {
      const typename T::V a = T::Load(x), b = T::Load(x + r.stride);
      lo0 = T::Min8(lo0, a), hi0 = T::Max8(hi0, a);
      lo1 = T::Min8(lo1, b), hi1 = T::Max8(hi1, b);
    }
    if (i < r.count) {
      const typename T::V a = T::Load(x);
      lo0 = T::Min8(lo0, a), hi0 = T::Max8(hi0, a);
    }
    T::Store(r.smallest + j, T::Min8(lo0, lo1));
    T::Store(r.largest + j, T::Max8(hi0, hi1));
  }
}

template <class T>
WHIT_INLINE void SubtractFromRows(const SubtractColumns& s) {
  constexpr int kBytes = 4 * T::kLanes;
  for (int64_t i = 0; i < s.count; ++i) {
    const uint8_t* x = s.x + i * s.stride;
    uint8_t* y = s.y + i * s.y_stride;
    for (int64_t j = 0; j < s.k; j += kBytes) {
      T::Store(y + j, T::Sub8(T::Load(x + j), T::Load(s.c + j)));
    }
  }
}

/// The last bytes of a run are masked, so that what lies behind it does not matter.
template <class T>
WHIT_INLINE void SumRows(const RowSums& s) {
  constexpr int kBytes = 4 * T::kLanes;
  alignas(64) uint8_t ones[2 * kBytes];
  for (int i = 0; i < kBytes; ++i) ones[i] = 255, ones[kBytes + i] = 0;
  const int64_t tail = s.length % kBytes, whole = s.length - tail;
  const typename T::V mask = T::Load(ones + kBytes - tail);
  for (int64_t i = 0; i < s.count; ++i) {
    typename T::V sum = T::Zero();
    for (int64_t r = 0; r < s.runs; ++r) {
      const uint8_t* x = s.rows[i] + s.shift + s.offsets[r];
      for (int64_t j = 0; j < whole; j += kBytes) sum = T::SumBytes(sum, T::Load(x + j));
      if (tail > 0) sum = T::SumBytes(sum, T::And(T::Load(x + whole), mask));
    }
    s.sums[i] = static_cast<int32_t>(static_cast<uint32_t>(s.scale) * T::SumOf(sum));
  }
}
