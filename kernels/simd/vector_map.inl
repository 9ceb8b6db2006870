// Element by element: two operands, one operand, tables, conversions between floats and bytes.

/// out[i] = zero_point + full(i), the L int32 from element i on; part(i, n) gives the first n < L
/// of them.
template <class T, class Full, class Part>
WHIT_INLINE void MapToCodes(uint8_t* out, int64_t n, int32_t zero_point, const Full& full,
                            const Part& part) {
  constexpr int kL = T::kLanes;
  const typename T::V zero = T::Splat16(zero_point);
  int64_t i = 0;
  for (; i + 4 * kL <= n; i += 4 * kL) {
    const typename T::V a = full(i), b = full(i + kL), c = full(i + 2 * kL), d = full(i + 3 * kL);
    T::StoreCodes(out + i, T::Pack(a, b, c, d, zero));
  }
  for (; i + kL <= n; i += kL) T::StoreBytes(out + i, full(i), zero);
  if (i < n) T::StoreBytesPart(out + i, part(i, n - i), zero, n - i);
}

template <class T, class Full, class Part>
WHIT_INLINE void MapToCodes(int16_t* out, int64_t n, int32_t zero_point, const Full& full,
                            const Part& part) {
  constexpr int kL = T::kLanes;
  const typename T::V zero = T::Splat32(zero_point);
  int64_t i = 0;
  for (; i + 2 * kL <= n; i += 2 * kL) {
    const typename T::V a = full(i), b = full(i + kL);
    T::StoreWords(out + i, T::Add32(a, zero));
    T::StoreWords(out + i + kL, T::Add32(b, zero));
  }
  for (; i + kL <= n; i += kL) T::StoreWords(out + i, T::Add32(full(i), zero));
  if (i < n) T::StoreWordsPart(out + i, T::Add32(part(i, n - i), zero), n - i);
}

/// The same for floats.
template <class T, class Full, class Part>
WHIT_INLINE void MapToFloats(float* out, int64_t n, const Full& full, const Part& part) {
  constexpr int kL = T::kLanes;
  int64_t i = 0;
  for (; i + 2 * kL <= n; i += 2 * kL) {
    const typename T::F a = full(i), b = full(i + kL);
    T::StoreF(out + i, a);
    T::StoreF(out + i + kL, b);
  }
  for (; i + kL <= n; i += kL) T::StoreF(out + i, full(i));
  if (i < n) T::StorePartF(out + i, part(i, n - i), n - i);
}

/// rne(clamp(v)): NaN gives lo, as the reference has it (the second operand of minps and maxps is
/// what a NaN yields).
template <class T>
struct Rounded {
  typename T::F lo, hi;
  WHIT_INLINE explicit Rounded(const Store& s) : lo(T::SplatF(s.lo)), hi(T::SplatF(s.hi)) {}
  WHIT_INLINE typename T::V operator()(typename T::F v) const {
    return T::Round(T::MinF(T::MaxF(v, lo), hi));
  }
};

/// min(max(v, lo), hi) that keeps NaN.
template <class T>
struct Clamped {
  typename T::F lo, hi;
  WHIT_INLINE Clamped(float low, float high) : lo(T::SplatF(low)), hi(T::SplatF(high)) {}
  WHIT_INLINE typename T::F operator()(typename T::F v) const {
    return T::MinF(hi, T::MaxF(lo, v));
  }
};

// ---- two operands ----

// Codes: f of values less their zero points, in units of the output. Floats: f itself.
template <class T>
struct AddValues {
  using F = typename T::F;
  static WHIT_INLINE F Codes(F a, F b, F ma, F mb) {
    return T::AddF(T::MulF(a, ma), T::MulF(b, mb));
  }
  static WHIT_INLINE F Floats(F a, F b) { return T::AddF(a, b); }
};
template <class T>
struct SubValues {
  using F = typename T::F;
  static WHIT_INLINE F Codes(F a, F b, F ma, F mb) {
    return T::SubF(T::MulF(a, ma), T::MulF(b, mb));
  }
  static WHIT_INLINE F Floats(F a, F b) { return T::SubF(a, b); }
};
template <class T>
struct MulValues {
  using F = typename T::F;
  static WHIT_INLINE F Codes(F a, F b, F m, F) { return T::MulF(T::MulF(a, b), m); }
  static WHIT_INLINE F Floats(F a, F b) { return T::MulF(a, b); }
};
template <class T>
struct DivValues {
  using F = typename T::F;
  static WHIT_INLINE F Codes(F a, F b, F m, F) {
    const F divisor = T::SelectEq(a, T::SplatF(0), T::SplatF(1), b);  // 0 / 0 is 0
    return T::MulF(T::DivF(a, divisor), m);
  }
  static WHIT_INLINE F Floats(F a, F b) { return T::DivF(a, b); }
};
template <class T>
struct MaximumValues {  // a > b ? a : b
  using F = typename T::F;
  static WHIT_INLINE F Codes(F a, F b, F ma, F mb) {
    return T::MaxF(T::MulF(a, ma), T::MulF(b, mb));
  }
  static WHIT_INLINE F Floats(F a, F b) { return T::MaxF(a, b); }
};
template <class T>
struct MinimumValues {  // a < b ? a : b
  using F = typename T::F;
  static WHIT_INLINE F Codes(F a, F b, F ma, F mb) {
    return T::MinF(T::MulF(a, ma), T::MulF(b, mb));
  }
  static WHIT_INLINE F Floats(F a, F b) { return T::MinF(a, b); }
};
template <class T>
struct SquaredDifferenceValues {
  using F = typename T::F;
  static WHIT_INLINE F Codes(F a, F b, F ma, F mb) {
    const F d = T::SubF(T::MulF(a, ma), T::MulF(b, mb));
    return T::MulF(d, d);
  }
  static WHIT_INLINE F Floats(F a, F b) {
    const F d = T::SubF(a, b);
    return T::MulF(d, d);
  }
};
template <class T>
struct PReluValues {
  using F = typename T::F;
  static WHIT_INLINE F Codes(F x, F alpha, F positive, F negative) {
    const F zero = T::SplatF(0);
    return T::SelectGe(x, zero, T::MulF(x, positive), T::MulF(T::MulF(x, alpha), negative));
  }
  static WHIT_INLINE F Floats(F x, F alpha) {
    return T::SelectGe(x, T::SplatF(0), x, T::MulF(x, alpha));
  }
};

template <class T>
WHIT_INLINE int32_t CodeAt(const uint8_t* p) {
  return T::Code(*p);
}
template <class T>
WHIT_INLINE int32_t CodeAt(const int16_t* p) {
  return *p;
}

/// An operand of codes, less its zero point; kStep 0: one value for all.
template <class T, int kStep, class C>
struct CodeOperand {
  using F = typename T::F;
  const C* p;
  typename T::V zero;
  F one;
  WHIT_INLINE CodeOperand(const C* at, int32_t zero_point)
      : p(at),
        zero(T::Splat32(zero_point)),
        one(T::SplatF(static_cast<float>(CodeAt<T>(at) - zero_point))) {}
  WHIT_INLINE F Full(int64_t i) const {
    return kStep == 0 ? one : T::ToFloat(T::Sub32(T::Widen(p + i), zero));
  }
  WHIT_INLINE F Part(int64_t i, int64_t n) const {
    return kStep == 0 ? one : T::ToFloat(T::Sub32(T::WidenPart(p + i, n), zero));
  }
};
template <class T, int kStep>
struct FloatOperand {
  using F = typename T::F;
  const float* p;
  F one;
  WHIT_INLINE explicit FloatOperand(const float* at) : p(at), one(T::SplatF(*at)) {}
  WHIT_INLINE F Full(int64_t i) const { return kStep == 0 ? one : T::LoadF(p + i); }
  WHIT_INLINE F Part(int64_t i, int64_t n) const {
    return kStep == 0 ? one : T::LoadPartF(p + i, n);
  }
};

template <class T, template <class> class Op, int kA, int kB, class C>
void Binary(const BinaryCodes<C>& p) {
  const CodeOperand<T, kA, C> a(p.a, p.a_zero);
  const CodeOperand<T, kB, C> b(p.b, p.b_zero);
  const typename T::F ma = T::SplatF(p.ma), mb = T::SplatF(p.mb);
  const Rounded<T> round(p.store);
  MapToCodes<T>(
      p.out, p.n, p.store.zero_point,
      [&](int64_t i)
          WHIT_LAMBDA_INLINE { return round(Op<T>::Codes(a.Full(i), b.Full(i), ma, mb)); },
      [&](int64_t i, int64_t n)
          WHIT_LAMBDA_INLINE { return round(Op<T>::Codes(a.Part(i, n), b.Part(i, n), ma, mb)); });
  Leave();
}

template <class T, template <class> class Op, int kA, int kB>
void Binary(const BinaryF32& p) {
  const FloatOperand<T, kA> a(p.a);
  const FloatOperand<T, kB> b(p.b);
  const Clamped<T> clamp(p.lo, p.hi);
  MapToFloats<T>(
      p.out, p.n,
      [&](int64_t i) WHIT_LAMBDA_INLINE { return clamp(Op<T>::Floats(a.Full(i), b.Full(i))); },
      [&](int64_t i, int64_t n)
          WHIT_LAMBDA_INLINE { return clamp(Op<T>::Floats(a.Part(i, n), b.Part(i, n))); });
  Leave();
}

template <class T, template <class> class Op, class P>
WHIT_INLINE void RunBinary(const P& p) {
  if (p.a_step == 1) {
    return p.b_step == 1 ? Binary<T, Op, 1, 1>(p) : Binary<T, Op, 1, 0>(p);
  }
  return p.b_step == 1 ? Binary<T, Op, 0, 1>(p) : Binary<T, Op, 0, 0>(p);
}

template <class T, class P>
WHIT_INLINE void PickBinary(const P& p) {
  switch (p.kind) {
    case BinaryKind::kAdd:
      return RunBinary<T, AddValues>(p);
    case BinaryKind::kSub:
      return RunBinary<T, SubValues>(p);
    case BinaryKind::kMul:
      return RunBinary<T, MulValues>(p);
    case BinaryKind::kDiv:
      return RunBinary<T, DivValues>(p);
    case BinaryKind::kMaximum:
      return RunBinary<T, MaximumValues>(p);
    case BinaryKind::kMinimum:
      return RunBinary<T, MinimumValues>(p);
    case BinaryKind::kSquaredDifference:
      return RunBinary<T, SquaredDifferenceValues>(p);
    case BinaryKind::kPRelu:
      return RunBinary<T, PReluValues>(p);
  }
}

// ---- conversions ----

template <class T, class C>
WHIT_INLINE void Quantize(const QuantizeTo<C>& p) {
  const float* const in = p.in;
  const typename T::F scale = T::SplatF(p.scale);
  const Rounded<T> round(p.store);
  const auto code = [&](typename T::F v)
                        WHIT_LAMBDA_INLINE { return round(T::ZeroNan(T::DivF(v, scale))); };
  MapToCodes<T>(
      p.out, p.n, p.store.zero_point,
      [&](int64_t i) WHIT_LAMBDA_INLINE { return code(T::LoadF(in + i)); },
      [&](int64_t i, int64_t n) WHIT_LAMBDA_INLINE { return code(T::LoadPartF(in + i, n)); });
}

template <class T, class C>
WHIT_INLINE void Dequantize(const DequantizeFrom<C>& p) {
  const C* const in = p.in;
  const typename T::F scale = T::SplatF(p.scale);
  const typename T::V zero = T::Splat32(p.zero_point);
  const Clamped<T> clamp(p.lo, p.hi);
  const auto real = [&](typename T::V code) WHIT_LAMBDA_INLINE {
    return clamp(T::MulF(T::ToFloat(T::Sub32(code, zero)), scale));
  };
  MapToFloats<T>(
      p.out, p.n, [&](int64_t i) WHIT_LAMBDA_INLINE { return real(T::Widen(in + i)); },
      [&](int64_t i, int64_t n) WHIT_LAMBDA_INLINE { return real(T::WidenPart(in + i, n)); });
}

template <class T, class From, class To>
WHIT_INLINE void Rescale(const RescaleCodes<From, To>& p) {
  const From* const in = p.in;
  const typename T::F multiplier = T::SplatF(p.multiplier);
  const typename T::V zero = T::Splat32(p.zero_point);
  const Rounded<T> round(p.store);
  const auto code = [&](typename T::V v) WHIT_LAMBDA_INLINE {
    return round(T::MulF(T::ToFloat(T::Sub32(v, zero)), multiplier));
  };
  MapToCodes<T>(
      p.out, p.n, p.store.zero_point,
      [&](int64_t i) WHIT_LAMBDA_INLINE { return code(T::Widen(in + i)); },
      [&](int64_t i, int64_t n) WHIT_LAMBDA_INLINE { return code(T::WidenPart(in + i, n)); });
}

// ---- tables ----

WHIT_INLINE void LookUpOneByOne(const TableU8& p) {
  const uint8_t *const table = p.table, *const in = p.in;  // else read again behind every store
  uint8_t* const out = p.out;
  const int64_t n = p.n;
#pragma GCC unroll 8
  for (int64_t i = 0; i < n; ++i) out[i] = table[in[i]];
}

/// 16 shuffles of 16 entries. A byte whose top bit is set shuffles to 0, so 128 entries are walked
/// by subtracting 16 (with saturation) from the indices until they turn negative: what was taken so
/// far are the rows up to the index's own, each held as its difference (xor) to the row before it.
/// The upper half of the table is the same with the top bit of the indices flipped.
template <class T>
WHIT_INLINE void LookUpByShuffles(const TableU8& p) {
  using V = typename T::V;
  constexpr int kB = T::kBytes;
  V rows[16];
#pragma GCC unroll 16
  for (int r = 0; r < 16; ++r) {
    rows[r] = T::Repeat16(p.table + 16 * r);
    if (r % 8 != 0) rows[r] = T::Xor(rows[r], T::Repeat16(p.table + 16 * (r - 1)));
  }
  const V sixteen = T::Splat8(16), top = T::Splat8(-128);
  const auto look_up = [&](V x) WHIT_LAMBDA_INLINE {
    V y = T::Xor(x, top), low = T::ShuffleBytes(rows[0], x), high = T::ShuffleBytes(rows[8], y);
#pragma GCC unroll 8
    for (int r = 1; r < 8; ++r) {
      x = T::SubSaturating8(x, sixteen), y = T::SubSaturating8(y, sixteen);
      low = T::Xor(low, T::ShuffleBytes(rows[r], x));
      high = T::Xor(high, T::ShuffleBytes(rows[8 + r], y));
    }
    return T::Xor(low, high);
  };
  int64_t i = 0;
  for (; i + kB <= p.n; i += kB) T::Store(p.out + i, look_up(T::Load(p.in + i)));
  if (i < p.n) T::StorePart(p.out + i, look_up(T::LoadPart(p.in + i, p.n - i)), p.n - i);
}

/// Neighbouring points come together; 128 * t[k] + (t[k+1] - t[k]) * r = t[k] * (128 - r) + t[k+1]
/// * r.
template <class T>
WHIT_INLINE void Interpolate(const TableI16& p) {
  using V = typename T::V;
  const int16_t *const in = p.in, *const middle = p.points + 256;
  const V mask = T::Splat32(127), whole = T::Splat32(128), half = T::Splat32(64);
  const auto look_up = [&](V q) WHIT_LAMBDA_INLINE {
    const V pair = T::GatherPairs(middle, T::ShiftRightArithmetic32(q, 7));
    const V r = T::And(q, mask);
    const V weights = T::Or(T::Sub32(whole, r), T::ShiftLeft32(r, 16));
    return T::ShiftRightArithmetic32(T::Add32(T::MulAdd16(pair, weights), half), 7);
  };
  MapToCodes<T>(
      p.out, p.n, 0, [&](int64_t i) WHIT_LAMBDA_INLINE { return look_up(T::Widen(in + i)); },
      [&](int64_t i, int64_t n) WHIT_LAMBDA_INLINE { return look_up(T::WidenPart(in + i, n)); });
}
