// RowSums of signed bytes (rows.inl has the ones of x86).

/// Four rows at a time, so that loads of one do not wait for sums of another. The last bytes of a
/// run are masked: what lies behind it does not matter.
WHIT_INLINE void SumRows(const RowSums& s) {
  alignas(16) int8_t ones[32];
  for (int i = 0; i < 16; ++i) ones[i] = -1, ones[16 + i] = 0;
  const int64_t tail = s.length % 16, whole = s.length - tail;
  const int8x16_t mask = vld1q_s8(ones + 16 - tail);
  for (int64_t i = 0; i < s.count; i += 4) {
    const uint8_t* row[4];
    int32x4_t sum[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      row[j] = s.rows[Min(i + j, s.count - 1)] + s.shift;
      sum[j] = Neon::Zero();
    }
    for (int64_t r = 0; r < s.runs; ++r) {
      int64_t at = s.offsets[r];
      for (const int64_t end = at + whole; at < end; at += 16) {
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) {
          sum[j] = vpadalq_s16(sum[j], vpaddlq_s8(Neon::As8(Neon::Load(row[j] + at))));
        }
      }
      if (tail == 0) continue;
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        const int8x16_t last = vandq_s8(Neon::As8(Neon::Load(row[j] + at)), mask);
        sum[j] = vpadalq_s16(sum[j], vpaddlq_s8(last));
      }
    }
    const int32x4_t four =
        Neon::PairSums(Neon::PairSums(sum[0], sum[1]), Neon::PairSums(sum[2], sum[3]));
    Neon::Store(s.sums + i, Neon::Mul32(four, Neon::Splat32(s.scale)));
  }
}

/// Even and odd bytes apart, as the table has them; two sums, so that additions do not wait.
WHIT_INLINE uint32_t DotOfRows(const RowDots& d) {
  int32x4_t total = Neon::Zero();
  for (int64_t i = 0; i < d.count; ++i) {
    int32x4_t low = Neon::Zero(), high = Neon::Zero();
    const int16_t* w = d.table;
    for (int64_t r = 0; r < d.runs; ++r, w += d.table_run) {
      const uint8_t* const a = d.rows[i] + d.shift + d.offsets[r];
      for (int64_t j = 0; j < d.table_run; j += 16) {
        const int32x4_t x = Neon::Load(a + j);
        const int16x8_t even = Neon::As16(Neon::EvenS8(x)), odd = Neon::As16(Neon::OddS8(x));
        const int16x8_t v = Neon::As16(Neon::Load(w + j)), u = Neon::As16(Neon::Load(w + j + 8));
        low = vmlal_s16(low, vget_low_s16(even), vget_low_s16(v));
        high = vmlal_s16(high, vget_high_s16(even), vget_high_s16(v));
        low = vmlal_s16(low, vget_low_s16(odd), vget_low_s16(u));
        high = vmlal_s16(high, vget_high_s16(odd), vget_high_s16(u));
      }
    }
    total = vmlaq_s32(total, Neon::Add32(low, high), Neon::Splat32(RowWeight(d, i)));
  }
  uint32_t lanes[4];
  Neon::Store(lanes, total);
  return lanes[0] + lanes[1] + lanes[2] + lanes[3];
}
