// AVX-VNNI and AVX512-VNNI: no limits, one offset a step. The including file defines V, kLanes,
// Load, Bc, Zero, Dot, Add32, Mul32, Emit.
#define INLINE inline __attribute__((always_inline))
#define PIN(v) PIN_REGISTER(v)

template <int H>
INLINE void Emit(const V (&acc)[H], const float* multiplier, int zp, uint8_t* to, int channels) {
  int32_t q[H * kLanes];
#pragma GCC unroll 2
  for (int h = 0; h < H; ++h) Store(q + kLanes * h, Scale(acc[h], multiplier + kLanes * h, zp));
  for (int c = 0; c < std::min(channels, H * kLanes); ++c) to[c] = uint8_t(q[c]);
}

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
  for (int i = 0; i < MR; ++i)
    Emit<H>(acc[i], w.multiplier, w.zero_point, w.out + w.out_at[first + i], w.channels);
}

template <int MR, int H>
__attribute__((noinline)) void AllRows(const Work& w, size_t step, size_t apart) {
  int m = 0;
  for (; m + MR <= w.count; m += MR) Rows<MR, H>(w, m, step, apart);
  for (; m < w.count; ++m) Rows<1, H>(w, m, step, apart);
}

// One dense row: four steps go to accumulators of their own, or the latency of one chain (5 to 7 a
// step) is all there is.
template <int H>
__attribute__((noinline)) void OneRow(const RowWork& w) {
  constexpr int kStep = 4 * kLanes * H;
  V acc[4][H];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
#pragma GCC unroll 2
    for (int h = 0; h < H; ++h) acc[i][h] = i == 0 ? Load(w.start + kLanes * h) : Zero();
  }
  const uint8_t *a = w.in, *end = a + 4 * w.steps;
  const int8_t* p = w.panel;
  for (; end - a >= 16; a += 16, p += 4 * kStep) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const V x = Bc(a + 4 * i);
#pragma GCC unroll 2
      for (int h = 0; h < H; ++h) {
        acc[i][h] = Dot(acc[i][h], x, Load(p + kStep * i + 4 * kLanes * h));
        PIN(acc[i][h]);
      }
    }
  }
  for (; a != end; a += 4, p += kStep) {
    const V x = Bc(a);
#pragma GCC unroll 2
    for (int h = 0; h < H; ++h) acc[0][h] = Dot(acc[0][h], x, Load(p + 4 * kLanes * h));
  }
#pragma GCC unroll 2
  for (int h = 0; h < H; ++h)
    acc[0][h] = Add32(Add32(acc[0][h], acc[1][h]), Add32(acc[2][h], acc[3][h]));
  Emit<H>(acc[0], w.multiplier, w.zero_point, w.out, w.channels);
}
