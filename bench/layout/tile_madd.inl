// SSE4.1 and AVX2: pmaddubsw tiles, written once. The including file defines in its anonymous
// namespace
//   V (register), kLanes (int32 lanes), Load, Bc (broadcast of 4 bytes), Bc16, Maddubs, Madd,
//   Add16, Add32, Mul32, Sll8, Sra8, Srl8, And, Scale (clamp and round), Store16 / Store8.
// gcc 12 gathers sums until accumulators spill; PIN fixes the order.
#define PIN(v) asm volatile("" : "+x"(v))
#define INLINE inline __attribute__((always_inline))

// acc[i][h] += rows of 4 k times H registers of a step; kStep: bytes between steps of the panel.
template <int MR, int H, int kStep>
INLINE void Product(V (&acc)[MR][H], const uint8_t* const* in, const int8_t* panel,
                    const Lists& lists) {
  const V one = Bc16(1), even = Bc16(255);
  constexpr int kBytes = 4 * kLanes;
  const uint8_t* a[MR];
  for (int i = 0; i < MR; ++i) a[i] = in[i];
  for (const Item *j = lists.pairs, *end = j + lists.num_pairs; j != end; ++j) {
    const int8_t* p = panel + j->w;
    if constexpr (H <= 2) {  // weights stay, rows pass
      V v[H], u[H];
#pragma GCC unroll 4
      for (int h = 0; h < H; ++h) v[h] = Load(p + kBytes * h), u[h] = Load(p + kStep + kBytes * h);
#pragma GCC unroll 8
      for (int i = 0; i < MR; ++i) {
        const V x = Bc(a[i] + j->a), y = Bc(a[i] + j->b);
#pragma GCC unroll 4
        for (int h = 0; h < H; ++h) {
          acc[i][h] = Add32(acc[i][h], Madd(Add16(Maddubs(x, v[h]), Maddubs(y, u[h])), one));
          PIN(acc[i][h]);
        }
      }
    } else {  // rows stay, weights pass
      V x[MR], y[MR];
#pragma GCC unroll 8
      for (int i = 0; i < MR; ++i) x[i] = Bc(a[i] + j->a), y[i] = Bc(a[i] + j->b);
#pragma GCC unroll 4
      for (int h = 0; h < H; ++h) {
        const V v = Load(p + kBytes * h), u = Load(p + kStep + kBytes * h);
#pragma GCC unroll 8
        for (int i = 0; i < MR; ++i) {
          acc[i][h] = Add32(acc[i][h], Madd(Add16(Maddubs(x[i], v), Maddubs(y[i], u)), one));
          PIN(acc[i][h]);
        }
      }
    }
  }
  for (const Item *j = lists.singles, *end = j + lists.num_singles; j != end; ++j) {
    const int8_t* p = panel + j->w;
    V x[MR];
#pragma GCC unroll 8
    for (int i = 0; i < MR; ++i) x[i] = Bc(a[i] + j->a);
#pragma GCC unroll 4
    for (int h = 0; h < H; ++h) {
      const V v = Load(p + kBytes * h);
#pragma GCC unroll 8
      for (int i = 0; i < MR; ++i) {
        acc[i][h] = Add32(acc[i][h], Madd(Maddubs(x[i], v), one));
        PIN(acc[i][h]);
      }
    }
  }
  for (const Item *j = lists.wides, *end = j + lists.num_wides; j != end; ++j) {
    const int8_t* p = panel + j->w;
#pragma GCC unroll 4
    for (int h = 0; h < H; ++h) {
      const V v = Load(p + kBytes * h), e = Sra8(Sll8(v)), o = Sra8(v);
#pragma GCC unroll 8
      for (int i = 0; i < MR; ++i) {
        const V x = Bc(a[i] + j->a);
        acc[i][h] = Add32(acc[i][h], Add32(Madd(And(x, even), e), Madd(Srl8(x), o)));
        PIN(acc[i][h]);
      }
    }
  }
}

// Every loop over acc is unrolled: one that is not keeps the whole array in memory.
template <int MR, int H, int kStep>
INLINE void Rows(const Work& w, int first, int half) {
  V acc[MR][H];
#pragma GCC unroll 8
  for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 4
    for (int h = 0; h < H; ++h) acc[i][h] = Load(w.start + half + kLanes * h);
  }
  if (w.neg_zp != nullptr) {
#pragma GCC unroll 8
    for (int i = 0; i < MR; ++i) {
      const V sum = Bc(&w.asum[first + i]);
#pragma GCC unroll 4
      for (int h = 0; h < H; ++h)
        acc[i][h] = Add32(acc[i][h], Mul32(sum, Load(w.neg_zp + half + kLanes * h)));
    }
  }
  Product<MR, H, kStep>(acc, w.in + first, w.panel + 4 * half, *w.lists);
#pragma GCC unroll 8
  for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 4
    for (int h = 0; h < H; ++h)
      acc[i][h] = Scale(acc[i][h], w.multiplier + half + kLanes * h, w.zero_point);
    StoreBytes(w.out + w.out_at[first + i] + half, acc[i], w.zero_point, w.channels - half);
  }
}

template <int MR, int H, int kStep>
__attribute__((noinline)) void AllRows(const Work& w, int half) {
  int m = 0;
  for (; m + MR <= w.count; m += MR) Rows<MR, H, kStep>(w, m, half);
  for (; m < w.count; ++m) Rows<1, H, kStep>(w, m, half);
}

// 64 bytes at most: bit i set where a[i] <= b[i], and where a[i] != 0.
INLINE void Masks(const uint8_t* a, const uint8_t* b, int n, uint64_t* le, uint64_t* used) {
  *le = *used = 0;
  for (int i = 0; i < n; i += 16) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a + i));
    const __m128i y = _mm_loadu_si128(reinterpret_cast<const __m128i*>(b + i));
    *le |= uint64_t(_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_max_epu8(x, y), y))) << i;
    *used |= uint64_t(~_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_setzero_si128())) & 0xffff) << i;
  }
}

// One row (batch 1): weights pass once, so the choice is made and used at once, without lists.
// Where all 32 pairs of a chunk may be summed (unused ones may too) the loop is straight. R = 1:
// steps are adjacent.
template <int H>
__attribute__((noinline)) void OneRow(const RowWork& w) {
  constexpr int kBytes = 4 * kLanes, kStep = kBytes * H;
  const V one = Bc16(1), even = Bc16(255);
  V acc[H];
#pragma GCC unroll 4
  for (int h = 0; h < H; ++h) acc[h] = Load(w.start + kLanes * h);
  const auto pair = [&](const uint8_t* a, const int8_t* p) __attribute__((always_inline)) {
    const V x = Bc(a), y = Bc(a + 4);
#pragma GCC unroll 4
    for (int h = 0; h < H; ++h)
      acc[h] = Add32(acc[h], Madd(Add16(Maddubs(x, Load(p + kBytes * h)),
                                        Maddubs(y, Load(p + kStep + kBytes * h))),
                                  one));
  };
  for (int s = 0; s < w.steps; s += 64) {
    const int full = w.steps - s < 64 ? (w.steps - s) / 2 : 32;
    const uint8_t* a = w.in + 4 * s;
    const int8_t* p = w.panel + size_t(kStep) * s;
    uint64_t le2, used2, le1, used1;
    Masks(w.pair_max + s / 2, w.limit2 + s / 2, 32, &le2, &used2);
    const uint64_t all = (uint64_t(1) << full) - 1;
    if ((~le2 & all) == 0) {
      for (int i = 0; i < full; ++i) pair(a + 8 * i, p + 2 * kStep * i);
      if (w.steps - s >= 64 || w.steps % 2 == 0) continue;
      used2 = 0;
      Masks(w.step_max + s, w.limit1 + s, 64, &le1, &used1);
      used1 &= uint64_t(1) << (2 * full);
    } else {
      Masks(w.step_max + s, w.limit1 + s, 64, &le1, &used1);
    }
    uint64_t two = used2 & le2 & all, doubled = two;
    for (int shift = 16; shift > 0; shift /= 2)
      doubled = (doubled | doubled << shift) & (~uint64_t(0) / ((uint64_t(1) << shift) + 1));
    const uint64_t left = used1 & ~(doubled | doubled << 1);
    for (; two != 0; two &= two - 1) {
      const int i = __builtin_ctzll(two);
      pair(a + 8 * i, p + 2 * kStep * i);
    }
    for (uint64_t m = left & le1; m != 0; m &= m - 1) {
      const int i = __builtin_ctzll(m);
      const V x = Bc(a + 4 * i);
#pragma GCC unroll 4
      for (int h = 0; h < H; ++h)
        acc[h] = Add32(acc[h], Madd(Maddubs(x, Load(p + kStep * i + kBytes * h)), one));
    }
    for (uint64_t m = left & ~le1; m != 0; m &= m - 1) {
      const int i = __builtin_ctzll(m);
      const V x = Bc(a + 4 * i), lo = And(x, even), hi = Srl8(x);
#pragma GCC unroll 4
      for (int h = 0; h < H; ++h) {
        const V v = Load(p + kStep * i + kBytes * h);
        acc[h] = Add32(acc[h], Add32(Madd(lo, Sra8(Sll8(v))), Madd(hi, Sra8(v))));
      }
    }
  }
#pragma GCC unroll 4
  for (int h = 0; h < H; ++h) acc[h] = Scale(acc[h], w.multiplier + kLanes * h, w.zero_point);
  StoreBytes(w.out, acc, w.zero_point, w.channels);
}
