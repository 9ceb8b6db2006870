// Winograd's F(2x2, 3x3): 2 x 2 outputs of a 3x3 convolution from 4 x 4 inputs by 16 products a
// channel pair instead of 36. Weights, inputs and sums are transformed; the products between are 16
// ordinary ones. Rows of four first, so that nothing but one row of each matrix is in registers.

/// U = G g G^T of one panel of a kernel's 9 * cin steps.
template <class T>
WHIT_INLINE void TransformWeights(const WinogradWeights& p) {
  using F = typename T::F;
  const F half = T::SplatF(0.5f);
  const int64_t tap = 16 * p.cin;
  const auto third = [&](F a, F b, F c, F(&out)[4]) WHIT_LAMBDA_INLINE {
    const F sum = T::MulF(half, T::AddF(a, c)), odd = T::MulF(half, b);
    out[0] = a, out[1] = T::AddF(sum, odd), out[2] = T::SubF(sum, odd), out[3] = c;
  };
  for (int64_t i = 0; i < 16 * p.cin; i += T::kLanes) {
    const float* g = p.panel + i;
    F t[3][4];  // columns of G g
#pragma GCC unroll 3
    for (int x = 0; x < 3; ++x) {
      third(T::LoadF(g + x * tap), T::LoadF(g + (3 + x) * tap), T::LoadF(g + (6 + x) * tap), t[x]);
    }
    float* u = p.u + i;
#pragma GCC unroll 4
    for (int y = 0; y < 4; ++y) {
      F row[4];
      third(t[0][y], t[1][y], t[2][y], row);
#pragma GCC unroll 4
      for (int x = 0; x < 4; ++x) T::StoreF(u + (4 * y + x) * p.u_step, row[x]);
    }
  }
}

/// V = B^T d B of all channels of one tile, in whole registers.
template <class T>
WHIT_INLINE void TransformInput(const WinogradInput& p) {
  using F = typename T::F;
  for (int64_t c = 0; c < p.channels; c += T::kLanes) {
    const float* d = p.x + c;
    float* v = p.v + c;
    const auto at = [&](int y, int x)
                        WHIT_LAMBDA_INLINE { return T::LoadF(d + y * p.line + x * p.pixel); };
    const auto row = [&](F a, F b, F e, F f, float* to) WHIT_LAMBDA_INLINE {
      T::StoreF(to, T::SubF(a, e));
      T::StoreF(to + p.v_step, T::AddF(b, e));
      T::StoreF(to + 2 * p.v_step, T::SubF(e, b));
      T::StoreF(to + 3 * p.v_step, T::SubF(b, f));
    };
    F t[4];
#pragma GCC unroll 4
    for (int x = 0; x < 4; ++x) t[x] = T::SubF(at(0, x), at(2, x));
    row(t[0], t[1], t[2], t[3], v);
#pragma GCC unroll 4
    for (int x = 0; x < 4; ++x) t[x] = T::AddF(at(1, x), at(2, x));
    row(t[0], t[1], t[2], t[3], v + 4 * p.v_step);
#pragma GCC unroll 4
    for (int x = 0; x < 4; ++x) t[x] = T::SubF(at(2, x), at(1, x));
    row(t[0], t[1], t[2], t[3], v + 8 * p.v_step);
#pragma GCC unroll 4
    for (int x = 0; x < 4; ++x) t[x] = T::SubF(at(1, x), at(3, x));
    row(t[0], t[1], t[2], t[3], v + 12 * p.v_step);
  }
}

/// One output of a tile: bias is in `y`; clamp, the residual, store.
template <class T>
WHIT_INLINE void StoreOutput(const WinogradOutput& p, typename T::F y, int64_t at, int64_t addend,
                             int count) {
  using F = typename T::F;
  y = T::MinF(T::SplatF(p.hi), T::MaxF(T::SplatF(p.lo), y));  // in this order NaN passes
  if (p.addend != nullptr) {
    const float* b = p.addend + addend;
    const F v = count == T::kLanes ? T::LoadF(b) : T::LoadFewF(b, count);
    y = T::MinF(T::SplatF(p.sum_hi), T::MaxF(T::SplatF(p.sum_lo), T::AddF(y, v)));
  }
  if (count == T::kLanes) {
    T::StoreF(p.out + at, y);
  } else {
    T::StoreFewF(p.out + at, y, count);
  }
}

/// Y = A^T m A + bias of all channels of one tile.
template <class T>
WHIT_INLINE void TransformOutput(const WinogradOutput& p) {
  using F = typename T::F;
  for (int64_t c = 0; c < p.channels; c += T::kLanes) {
    const float* m = p.m + c;
    F s[2][4];  // A^T m
#pragma GCC unroll 4
    for (int x = 0; x < 4; ++x) {
      const F a = T::LoadF(m + x * p.m_step), b = T::LoadF(m + (4 + x) * p.m_step);
      const F d = T::LoadF(m + (8 + x) * p.m_step), e = T::LoadF(m + (12 + x) * p.m_step);
      s[0][x] = T::AddF(a, T::AddF(b, d)), s[1][x] = T::SubF(T::SubF(b, d), e);
    }
    const F bias = p.bias != nullptr ? T::LoadF(p.bias + c) : T::SplatF(0);
    const int count = static_cast<int>(Min<int64_t>(T::kLanes, p.channels - c));
#pragma GCC unroll 2
    for (int y = 0; y < 2; ++y) {
      if (y >= p.lines) break;
      const int64_t at = y * p.out_line + c, addend = y * p.addend_line + c;
      const F both = T::AddF(bias, s[y][1]);
      StoreOutput<T>(p, T::AddF(T::AddF(both, s[y][0]), s[y][2]), at, addend, count);
      if (p.pixels < 2) continue;
      StoreOutput<T>(p, T::SubF(T::SubF(both, s[y][2]), s[y][3]), at + p.out_pixel,
                     addend + p.addend_pixel, count);
    }
  }
}
