// AVX-VNNI and AVX512-VNNI: no limits, one offset a step. The including file defines V, kLanes,
// Load, Bc, Zero, Dot, Add32, Mul32, Emit.
#define INLINE inline __attribute__((always_inline))
#define PIN(v) PIN_REGISTER(v)

// MR rows x H registers; register h lies `apart` bytes behind register h - 1 (32: same step; 64 *
// steps: next panel). Every loop over acc is unrolled: one that is not keeps the whole array in
// memory.
template <int MR, int H>
INLINE void Rows(const Work& w, int first, size_t step, size_t apart) {
  V acc[MR][H];
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 2
    for (int h = 0; h < H; ++h) acc[i][h] = Load(w.start + kLanes * h);
  }
  if (w.neg_zp != nullptr) {
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 2
      for (int h = 0; h < H; ++h)
        acc[i][h] = Add32(acc[i][h], Mul32(Bc(&w.asum[first + i]), Load(w.neg_zp + kLanes * h)));
    }
  }
  const uint8_t* a[MR];
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i) a[i] = w.in[first + i];
  const int8_t* p = w.panel;
  for (const int32_t *k = w.offsets, *end = k + w.steps; k != end; ++k, p += step) {
    const ptrdiff_t at = *k;
    V v[H];
#pragma GCC unroll 2
    for (int h = 0; h < H; ++h) v[h] = Load(p + apart * h);
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      const V x = Bc(a[i] + at);
#pragma GCC unroll 2
      for (int h = 0; h < H; ++h) {
        acc[i][h] = Dot(acc[i][h], x, v[h]);
        PIN(acc[i][h]);
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i) {
    int32_t q[H * kLanes];
#pragma GCC unroll 2
    for (int h = 0; h < H; ++h)
      Store(q + kLanes * h, Scale(acc[i][h], w.multiplier + kLanes * h, w.zero_point));
    uint8_t* to = w.out + w.out_at[first + i];
    for (int c = 0; c < std::min(w.channels, H * kLanes); ++c) to[c] = uint8_t(q[c]);
  }
}

template <int MR, int H>
__attribute__((noinline)) void AllRows(const Work& w, size_t step, size_t apart) {
  int m = 0;
  for (; m + MR <= w.count; m += MR) Rows<MR, H>(w, m, step, apart);
  for (; m < w.count; ++m) Rows<1, H>(w, m, step, apart);
}
