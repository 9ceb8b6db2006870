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

/// Largest byte of every four, of 4 * steps bytes (padded with zeros to whole registers of four
/// times four): what bounds a step.
template <class T>
WHIT_INLINE void MaximaOfFour(const uint8_t* x, int64_t steps, uint8_t* out) {
  constexpr int kBytes = 4 * T::kLanes;
  for (int64_t s = 0; s < steps; s += kBytes, x += 4 * kBytes, out += kBytes) {
    typename T::V m[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const typename T::V v = T::Load(x + i * kBytes), two = T::Max8(v, T::OddU8(v));
      m[i] = T::And(T::Max8(two, T::ShiftRight32(two, 16)), T::Splat32(255));
    }
    T::Store(out, T::Pack(m[0], m[1], m[2], m[3], T::Zero()));
  }
}

/// Four rows at a time, whose sums leave the lanes together. The last bytes of a run are masked, so
/// that what lies behind it does not matter.
template <class T>
WHIT_INLINE void SumRows(const RowSums& s) {
  constexpr int kBytes = 4 * T::kLanes;
  alignas(16) uint8_t ones[32];
  for (int i = 0; i < 16; ++i) ones[i] = 255, ones[16 + i] = 0;
  const int64_t tail = s.length % 16, whole = s.length - tail;
  const __m128i mask = Xmm::Load(ones + 16 - tail), scale = Xmm::Splat32(s.scale);
  for (int64_t i = 0; i < s.count; i += 4) {
    const uint8_t* row[4];
    typename T::V sum[4];
    __m128i half[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      row[j] = s.rows[Min(i + j, s.count - 1)] + s.shift;
      sum[j] = T::Zero(), half[j] = Xmm::Zero();
    }
    for (int64_t r = 0; r < s.runs; ++r) {
      int64_t at = s.offsets[r];
      const int64_t end = at + whole;
      for (; at + kBytes <= end; at += kBytes) {
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) sum[j] = T::SumBytes(sum[j], T::Load(row[j] + at));
      }
      for (; at < end; at += 16) {
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) half[j] = Xmm::SumBytes(half[j], Xmm::Load(row[j] + at));
      }
      if (tail == 0) continue;
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        half[j] = Xmm::SumBytes(half[j], Xmm::And(Xmm::Load(row[j] + at), mask));
      }
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) half[j] = _mm_add_epi64(half[j], T::FoldSums(sum[j]));
    const __m128i a =
        _mm_add_epi64(_mm_unpacklo_epi64(half[0], half[1]), _mm_unpackhi_epi64(half[0], half[1]));
    const __m128i b =
        _mm_add_epi64(_mm_unpacklo_epi64(half[2], half[3]), _mm_unpackhi_epi64(half[2], half[3]));
    const __m128i four = _mm_castps_si128(
        _mm_shuffle_ps(_mm_castsi128_ps(a), _mm_castsi128_ps(b), _MM_SHUFFLE(2, 0, 2, 0)));
    Xmm::Store(s.sums + i, Xmm::Mul32(four, scale));
  }
}

/// Two sums, so that additions do not wait for each other.
template <class T>
WHIT_INLINE uint32_t DotOfRows(const RowDots& d) {
  constexpr int kBytes = 4 * T::kLanes;
  typename T::V even = T::Zero(), odd = T::Zero();
  for (int64_t i = 0; i < d.count; ++i) {
    const int16_t* w = d.table;
    for (int64_t r = 0; r < d.runs; ++r, w += d.table_run) {
      const uint8_t* const a = d.rows[i] + d.shift + d.offsets[r];
      for (int64_t j = 0; j < d.table_run; j += kBytes) {
        const typename T::V x = T::Load(a + j);
        even = T::Add32(even, T::MulAdd16(T::EvenU8(x), T::Load(w + j)));
        odd = T::Add32(odd, T::MulAdd16(T::OddU8(x), T::Load(w + j + kBytes / 2)));
      }
    }
  }
  uint32_t lanes[T::kLanes], sum = 0;
  T::Store(lanes, T::Add32(even, odd));
  for (uint32_t lane : lanes) sum += lane;
  return sum;
}
