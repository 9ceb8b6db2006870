// ProductI8 on 16-bit sums (SSE4.1, AVX2). vpmaddubsw sums two products in 16 bits, where they may
// not fit. For every panel the steps are sorted into three lists, judged by the largest activation
// of this block and the thresholds of the weights (docs/layout.md, 5):
//   pairs    two steps (8 k) share a 16-bit sum: two vpmaddubsw, one vpmaddwd
//   singles  one step (4 k) does: one vpmaddubsw, one vpmaddwd
//   wides    neither: weights and activations are widened in registers, two vpmaddwd
// Steps whose activations are all zero are in none. Exact for every input; only time depends on it.

struct Step {  // bytes: w from the panel's first step, a (and b, a pair's second step) from a row
  uint32_t w;
  int32_t a, b;
};
struct StepLists {
  Step *pairs, *singles, *wides;
  int64_t num_pairs, num_singles, num_wides;
};

/// Bit i: a[i] <= b[i], of 32 bytes; and a[i] != 0.
WHIT_INLINE uint32_t MaskLessOrEqual(const uint8_t* a, const uint8_t* b) {
  uint32_t mask = 0;
#pragma GCC unroll 2
  for (int i = 0; i < 32; i += 16) {
    const __m128i x = Xmm::Load(a + i), y = Xmm::Load(b + i);
    mask |= static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_max_epu8(x, y), y))) << i;
  }
  return mask;
}
WHIT_INLINE uint32_t MaskNotZero(const uint8_t* a) {
  uint32_t mask = 0;
#pragma GCC unroll 2
  for (int i = 0; i < 32; i += 16) {
    const __m128i equal = _mm_cmpeq_epi8(Xmm::Load(a + i), _mm_setzero_si128());
    mask |= static_cast<uint32_t>(_mm_movemask_epi8(equal)) << i;
  }
  return ~mask;
}
/// Bit i to bits 2 i and 2 i + 1.
WHIT_INLINE uint64_t Twice(uint32_t x) {
  uint64_t v = x;
  v = (v | v << 16) & 0x0000ffff0000ffffull;
  v = (v | v << 8) & 0x00ff00ff00ff00ffull;
  v = (v | v << 4) & 0x0f0f0f0f0f0f0f0full;
  v = (v | v << 2) & 0x3333333333333333ull;
  v = (v | v << 1) & 0x5555555555555555ull;
  return v | v << 1;
}

/// How 64 steps from step s of panel q are summed: a bit a pair, a bit a step.
struct Choice {
  uint32_t pairs;
  uint64_t singles, wides;
};
WHIT_INLINE Choice Choose(const ProductI8& p, int64_t q, int64_t s) {
  const uint8_t* limit1 = p.limit1 + q * p.steps + s;
  const uint8_t* limit2 = p.limit2 + q * CeilDiv(p.steps, 2) + s / 2;
  const int64_t left = p.steps - s;
  const uint32_t whole = left >= 64 ? ~0u : (1u << (left / 2)) - 1;  // pairs with two steps
  Choice c;
  c.pairs = MaskLessOrEqual(p.pair_max + s / 2, limit2) & MaskNotZero(p.pair_max + s / 2) & whole;
  const uint8_t* max = p.step_max + s;
  const uint64_t used = MaskNotZero(max) | static_cast<uint64_t>(MaskNotZero(max + 32)) << 32;
  const uint64_t fits = MaskLessOrEqual(max, limit1) |
                        static_cast<uint64_t>(MaskLessOrEqual(max + 32, limit1 + 32)) << 32;
  const uint64_t rest = used & ~Twice(c.pairs);
  c.singles = rest & fits;
  c.wides = rest & ~fits;
  return c;
}

WHIT_INLINE void ListSteps(const ProductI8& p, int64_t q, int64_t step_bytes, StepLists* lists) {
  Step *pairs = lists->pairs, *singles = lists->singles, *wides = lists->wides;
  for (int64_t s = 0; s < p.steps; s += 64) {
    const Choice c = Choose(p, q, s);
    const auto at = [&](int64_t step) WHIT_LAMBDA_INLINE {
      const int32_t* offset = p.offsets + step;
      return Step{static_cast<uint32_t>(step * step_bytes), offset[0],
                  step + 1 < p.steps ? offset[1] : 0};
    };
    for (uint32_t m = c.pairs; m != 0; m &= m - 1) *pairs++ = at(s + 2 * __builtin_ctz(m));
    for (uint64_t m = c.singles; m != 0; m &= m - 1) *singles++ = at(s + __builtin_ctzll(m));
    for (uint64_t m = c.wides; m != 0; m &= m - 1) *wides++ = at(s + __builtin_ctzll(m));
  }
  lists->num_pairs = pairs - lists->pairs;
  lists->num_singles = singles - lists->singles;
  lists->num_wides = wides - lists->wides;
}

/// lo and hi: even and odd bytes of the activations; e and o of the weights.
template <class T>
WHIT_INLINE void AddWide(typename T::V& acc, typename T::V lo, typename T::V hi, typename T::V e,
                         typename T::V o) {
  acc = T::Add32(acc, T::Add32(T::MulAdd16(lo, e), T::MulAdd16(hi, o)));
  WHIT_PIN(acc);
}

/// acc += all listed steps. Up to two registers of weights a step stay while rows pass; with four
/// (SSE) rows stay while weights pass.
template <class T, int kM, int kV>
WHIT_INLINE void MaddSteps(const ProductI8& p, const Channels<T, kV>& c, const StepLists& lists,
                           int64_t row, typename T::V (&acc)[kM][kV]) {
  using V = typename T::V;
  const uint8_t* a[kM];
#pragma GCC unroll 8
  for (int i = 0; i < kM; ++i) a[i] = p.rows[row + i] + p.row_shift;
  for (const Step *s = lists.pairs, *end = s + lists.num_pairs; s != end; ++s) {
    const int8_t *v = c.w + s->w, *u = v + c.step_bytes;
    const int64_t at = s->a, next = s->b;
    if constexpr (kV <= 2) {
      V wv[kV], wu[kV];
#pragma GCC unroll 4
      for (int h = 0; h < kV; ++h) {
        wv[h] = T::Load(c.Register(v, h));
        wu[h] = T::Load(c.Register(u, h));
      }
#pragma GCC unroll 8
      for (int i = 0; i < kM; ++i) {
        const V x = T::Broadcast(a[i] + at), y = T::Broadcast(a[i] + next);
#pragma GCC unroll 4
        for (int h = 0; h < kV; ++h) T::AddPair(acc[i][h], x, y, wv[h], wu[h]);
      }
    } else {
      V x[kM], y[kM];
#pragma GCC unroll 8
      for (int i = 0; i < kM; ++i) {
        x[i] = T::Broadcast(a[i] + at);
        y[i] = T::Broadcast(a[i] + next);
      }
#pragma GCC unroll 4
      for (int h = 0; h < kV; ++h) {
        const V wv = T::Load(c.Register(v, h)), wu = T::Load(c.Register(u, h));
#pragma GCC unroll 8
        for (int i = 0; i < kM; ++i) T::AddPair(acc[i][h], x[i], y[i], wv, wu);
      }
    }
  }
  for (const Step *s = lists.singles, *end = s + lists.num_singles; s != end; ++s) {
    const int64_t at = s->a;
    if constexpr (kV <= 2) {
      V v[kV];
#pragma GCC unroll 4
      for (int h = 0; h < kV; ++h) v[h] = T::Load(c.Register(c.w + s->w, h));
#pragma GCC unroll 8
      for (int i = 0; i < kM; ++i) {
        const V x = T::Broadcast(a[i] + at);
#pragma GCC unroll 4
        for (int h = 0; h < kV; ++h) T::AddSingle(acc[i][h], x, v[h]);
      }
    } else {
      V x[kM];
#pragma GCC unroll 8
      for (int i = 0; i < kM; ++i) x[i] = T::Broadcast(a[i] + at);
#pragma GCC unroll 4
      for (int h = 0; h < kV; ++h) {
        const V v = T::Load(c.Register(c.w + s->w, h));
#pragma GCC unroll 8
        for (int i = 0; i < kM; ++i) T::AddSingle(acc[i][h], x[i], v);
      }
    }
  }
  for (const Step *s = lists.wides, *end = s + lists.num_wides; s != end; ++s) {
    const int64_t at = s->a;
    // Weights of two registers at a time stay widened while rows pass.
    constexpr int kAtOnce = kV < 2 ? kV : 2;
#pragma GCC unroll 4
    for (int first = 0; first < kV; first += kAtOnce) {
      V e[kAtOnce], o[kAtOnce];
#pragma GCC unroll 2
      for (int h = 0; h < kAtOnce; ++h) {
        const V v = T::Load(c.Register(c.w + s->w, first + h));
        e[h] = T::EvenS8(v), o[h] = T::OddS8(v);
      }
#pragma GCC unroll 8
      for (int i = 0; i < kM; ++i) {
        const V x = T::Broadcast(a[i] + at), lo = T::EvenU8(x), hi = T::OddU8(x);
#pragma GCC unroll 2
        for (int h = 0; h < kAtOnce; ++h) AddWide<T>(acc[i][first + h], lo, hi, e[h], o[h]);
      }
    }
  }
}

template <class T, int kM, int kV>
__attribute__((noinline)) void MaddTiles(const ProductI8& p, const Channels<T, kV>& c,
                                         const StepLists& lists, int64_t row, int64_t tiles) {
  for (; tiles > 0; --tiles, row += kM) {
    typename T::V acc[kM][kV];
    StartTile<T, kM, kV>(p, c, row, acc);
    MaddSteps<T, kM, kV>(p, c, lists, row, acc);
    FinishTile<T, kM, kV>(p, c, row, acc);
  }
}

/// start += sum of c[k] * w[k]: what centring took from the activations. c <= 127 always fits
/// singles (docs/layout.md, 5).
template <class T, int kV>
WHIT_INLINE void AddCentre(const ProductI8& p, Channels<T, kV>* c) {
  using V = typename T::V;
  V acc[kV];
#pragma GCC unroll 4
  for (int v = 0; v < kV; ++v) acc[v] = T::Load(c->start + v * T::kLanes);
  const int8_t* w = c->w;
  for (int64_t s = 0; s < p.steps; ++s, w += c->step_bytes) {
    uint32_t quad;
    __builtin_memcpy(&quad, p.centre + 4 * s, 4);
    if (quad == 0) continue;
    const V x = T::Splat32(static_cast<int32_t>(quad));
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v) T::AddSingle(acc[v], x, T::Load(c->Register(w, v)));
  }
#pragma GCC unroll 4
  for (int v = 0; v < kV; ++v) T::Store(c->start + v * T::kLanes, acc[v]);
}

template <class T, int kMax, int kV>
struct MaddRunner {
  const ProductI8& p;
  const Channels<T, kV>& c;
  const StepLists& lists;
  template <int kM>
  WHIT_INLINE void Try(int64_t rows, int64_t first, int64_t tiles) const {
    if constexpr (kM > 0) {
      if (rows == kM) return MaddTiles<T, kM, kV>(p, c, lists, first, tiles);
      Try<kM - 1>(rows, first, tiles);
    }
  }
  WHIT_INLINE void Run(int64_t rows, int64_t first, int64_t tiles) const {
    if (tiles > 0) Try<kMax>(rows, first, tiles);
  }
};

/// One row (batch 1): weights pass once, so the choice is used at once, without lists. Where all
/// pairs of a chunk may be summed the loop is straight. REQUIRES offsets[s] == 4 * s.
template <class T, int kV>
__attribute__((noinline)) void MaddOneRow(const ProductI8& p, const Channels<T, kV>& c, int64_t q) {
  using V = typename T::V;
  V acc[1][kV];
  StartTile<T, 1, kV>(p, c, 0, acc);
  const uint8_t* const a0 = p.rows[0] + p.row_shift;
  const auto pair = [&](const uint8_t* a, const int8_t* w) WHIT_LAMBDA_INLINE {
    const V x = T::Broadcast(a), y = T::Broadcast(a + 4);
#pragma GCC unroll 4
    for (int h = 0; h < kV; ++h) {
      T::AddPair(acc[0][h], x, y, T::Load(c.Register(w, h)),
                 T::Load(c.Register(w + c.step_bytes, h)));
    }
  };
  for (int64_t s = 0; s < p.steps; s += 64) {
    const uint8_t* a = a0 + 4 * s;
    const int8_t* w = c.w + c.step_bytes * s;
    const Choice choice = Choose(p, q, s);
    if (choice.pairs == ~0u) {
      for (int i = 0; i < 32; ++i) pair(a + 8 * i, w + 2 * c.step_bytes * i);
      continue;
    }
    for (uint32_t m = choice.pairs; m != 0; m &= m - 1) {
      const int64_t i = __builtin_ctz(m);
      pair(a + 8 * i, w + 2 * c.step_bytes * i);
    }
    for (uint64_t m = choice.singles; m != 0; m &= m - 1) {
      const int64_t i = __builtin_ctzll(m);
      const V x = T::Broadcast(a + 4 * i);
#pragma GCC unroll 4
      for (int h = 0; h < kV; ++h) {
        T::AddSingle(acc[0][h], x, T::Load(c.Register(w + c.step_bytes * i, h)));
      }
    }
    for (uint64_t m = choice.wides; m != 0; m &= m - 1) {
      const int64_t i = __builtin_ctzll(m);
      const V x = T::Broadcast(a + 4 * i), lo = T::EvenU8(x), hi = T::OddU8(x);
#pragma GCC unroll 4
      for (int h = 0; h < kV; ++h) {
        const V v = T::Load(c.Register(w + c.step_bytes * i, h));
        AddWide<T>(acc[0][h], lo, hi, T::EvenS8(v), T::OddS8(v));
      }
    }
  }
  FinishTile<T, 1, kV>(p, c, 0, acc);
}

template <class T, int kMax, int kV>
WHIT_INLINE void MaddPanel(const ProductI8& p, int64_t q, int width) {
  Channels<T, kV> c;
  SetChannels<T, kV>(p, q, width, &c);
  if (p.centre != nullptr) AddCentre<T, kV>(p, &c);
  if (p.count == 1 && p.one_run) return MaddOneRow<T, kV>(p, c, q);
  Step* const memory = static_cast<Step*>(p.lists);
  const int64_t half = CeilDiv(p.steps, 2);
  StepLists lists{memory, memory + half, memory + half + p.steps, 0, 0, 0};
  ListSteps(p, q, c.step_bytes, &lists);
  SplitRows<kMax>(p.count, MaddRunner<T, kMax, kV>{p, c, lists});
}
