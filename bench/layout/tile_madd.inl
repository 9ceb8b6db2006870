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
__attribute__((noinline)) void Rows(const Work& w, int first, int half) {
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
    StoreBytes(w.out + w.out_at[first + i] + half, acc[i], w.channels - half);
  }
}

template <int MR, int H, int kStep>
void AllRows(const Work& w, int half) {
  int m = 0;
  for (; m + MR <= w.count; m += MR) Rows<MR, H, kStep>(w, m, half);
  for (; m < w.count; ++m) Rows<1, H, kStep>(w, m, half);
}
