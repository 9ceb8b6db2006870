// Functions of floats: the operations of kernels/float_math.h and kernels/unary.cc in their order,
// so that every tier gives the bits of the reference. What keeps a NaN there keeps it here: minps
// and maxps yield their second operand.

template <class T>
WHIT_INLINE typename T::F Exp(typename T::F x) {
  using F = typename T::F;
  using V = typename T::V;
  const F c = T::MaxF(T::SplatF(-104.0f), T::MinF(T::SplatF(89.0f), x));
  const F magic = T::SplatF(12582912.0f);  // 1.5 * 2^23
  const V n = T::Sub32(T::Bits(T::AddF(T::MulF(c, T::SplatF(1.44269504f)), magic)), T::Bits(magic));
  const F nf = T::ToFloat(n);
  const F r = T::SubF(T::SubF(c, T::MulF(nf, T::SplatF(0.693359375f))),
                      T::MulF(nf, T::SplatF(-2.12194440e-4f)));
  F p = T::SplatF(1.0f / 720);
  p = T::AddF(T::MulF(p, r), T::SplatF(1.0f / 120));
  p = T::AddF(T::MulF(p, r), T::SplatF(1.0f / 24));
  p = T::AddF(T::MulF(p, r), T::SplatF(1.0f / 6));
  p = T::AddF(T::MulF(p, r), T::SplatF(0.5f));
  p = T::AddF(T::MulF(p, r), T::SplatF(1.0f));
  p = T::AddF(T::MulF(p, r), T::SplatF(1.0f));
  const V half = T::ShiftRightArithmetic32(n, 1), rest = T::Sub32(n, half), bias = T::Splat32(127);
  const F first = T::FromBits(T::ShiftLeft32(T::Add32(half, bias), 23));
  const F second = T::FromBits(T::ShiftLeft32(T::Add32(rest, bias), 23));
  return T::MulF(T::MulF(p, first), second);
}

template <class T>
WHIT_INLINE typename T::F Negative(typename T::F x) {
  return T::FromBits(T::Xor(T::Bits(x), T::Splat32(INT32_MIN)));
}
template <class T>
WHIT_INLINE typename T::F Magnitude(typename T::F x) {
  return T::FromBits(T::And(T::Bits(x), T::Splat32(INT32_MAX)));
}

template <class T>
WHIT_INLINE typename T::F Logistic(typename T::F x) {
  const typename T::F one = T::SplatF(1.0f);
  return T::DivF(one, T::AddF(one, Exp<T>(Negative<T>(x))));
}

template <class T>
WHIT_INLINE typename T::F Tanh(typename T::F x) {
  using F = typename T::F;
  const F a = Magnitude<T>(x), z = T::MulF(x, x), one = T::SplatF(1.0f);
  F p = T::SplatF(-1382.0f / 155925);
  p = T::AddF(T::MulF(p, z), T::SplatF(62.0f / 2835));
  p = T::AddF(T::MulF(p, z), T::SplatF(-17.0f / 315));
  p = T::AddF(T::MulF(p, z), T::SplatF(2.0f / 15));
  p = T::AddF(T::MulF(p, z), T::SplatF(-1.0f / 3));
  const F small = T::AddF(x, T::MulF(T::MulF(x, z), p));
  const F e = Exp<T>(T::MulF(T::SplatF(2.0f), a));
  const F large = T::SubF(one, T::DivF(T::SplatF(2.0f), T::AddF(e, one)));
  const F signed_large =
      T::FromBits(T::Or(T::Bits(Magnitude<T>(large)), T::And(T::Bits(x), T::Splat32(INT32_MIN))));
  return T::SelectGt(T::SplatF(0.4f), a, small, signed_large);
}

/// alpha * expm1(x) for x <= 0: where e^x - 1 would cancel, its Taylor series (the next term is
/// below 2e-8 of the sum).
template <class T>
WHIT_INLINE typename T::F Elu(typename T::F x, typename T::F alpha) {
  using F = typename T::F;
  F p = T::SplatF(1.0f / 5040);
  p = T::AddF(T::MulF(p, x), T::SplatF(1.0f / 720));
  p = T::AddF(T::MulF(p, x), T::SplatF(1.0f / 120));
  p = T::AddF(T::MulF(p, x), T::SplatF(1.0f / 24));
  p = T::AddF(T::MulF(p, x), T::SplatF(1.0f / 6));
  p = T::AddF(T::MulF(p, x), T::SplatF(0.5f));
  const F near = T::AddF(x, T::MulF(T::MulF(x, x), p));
  const F far = T::SubF(Exp<T>(x), T::SplatF(1.0f));
  const F below = T::MulF(T::SelectGt(x, T::SplatF(-0.4f), near, far), alpha);
  return T::SelectGt(x, T::SplatF(0), x, below);
}

#define WHIT_UNARY(Name, expression)                                              \
  template <class T>                                                              \
  struct Name##Value {                                                            \
    using F = typename T::F;                                                      \
    static WHIT_INLINE F Of(F x, [[maybe_unused]] F alpha) { return expression; } \
  };
WHIT_UNARY(Relu, T::MaxF(T::SplatF(0), x))
WHIT_UNARY(Relu6, T::MinF(T::SplatF(6), T::MaxF(T::SplatF(0), x)))
WHIT_UNARY(ReluN1To1, T::MinF(T::SplatF(1), T::MaxF(T::SplatF(-1), x)))
WHIT_UNARY(LeakyRelu, T::SelectGt(x, T::SplatF(0), x, T::MulF(x, alpha)))
WHIT_UNARY(HardSwish, T::DivF(T::MulF(x, T::MinF(T::SplatF(6),
                                                 T::MaxF(T::SplatF(0), T::AddF(x, T::SplatF(3))))),
                              T::SplatF(6)))
WHIT_UNARY(Logistic, Logistic<T>(x))
WHIT_UNARY(Tanh, Tanh<T>(x))
WHIT_UNARY(Exp, Exp<T>(x))
WHIT_UNARY(Abs, Magnitude<T>(x))
WHIT_UNARY(Neg, Negative<T>(x))
WHIT_UNARY(Square, T::MulF(x, x))
WHIT_UNARY(Sqrt, T::SqrtF(x))
WHIT_UNARY(Rsqrt, T::DivF(T::SplatF(1), T::SqrtF(x)))
WHIT_UNARY(Elu, Elu<T>(x, alpha))
WHIT_UNARY(Floor, T::FloorF(x))
WHIT_UNARY(Ceil, T::CeilF(x))
WHIT_UNARY(Round, T::RoundF(x))
WHIT_UNARY(GeluTanh,
           T::MulF(Logistic<T>(T::MulF(
                       T::SplatF(1.5957691216057308f),
                       T::AddF(x, T::MulF(T::MulF(T::MulF(T::SplatF(0.044715f), x), x), x)))),
                   x))
#undef WHIT_UNARY

template <class T, template <class> class Op>
void UnaryFloats(const UnaryF32& p) {
  const typename T::F alpha = T::SplatF(p.alpha);
  MapToFloats<T>(
      p.out, p.n,
      [&](int64_t i) WHIT_LAMBDA_INLINE { return Op<T>::Of(T::LoadF(p.in + i), alpha); },
      [&](int64_t i, int64_t n)
          WHIT_LAMBDA_INLINE { return Op<T>::Of(T::LoadPartF(p.in + i, n), alpha); });
  Leave();
}

template <class T>
WHIT_INLINE void PickUnary(const UnaryF32& p) {
  switch (p.kind) {
#define WHIT_UNARY(Name)   \
  case UnaryKind::k##Name: \
    return UnaryFloats<T, Name##Value>(p);
    WHIT_UNARY(Relu)
    WHIT_UNARY(Relu6)
    WHIT_UNARY(ReluN1To1)
    WHIT_UNARY(LeakyRelu)
    WHIT_UNARY(HardSwish)
    WHIT_UNARY(Logistic)
    WHIT_UNARY(Tanh)
    WHIT_UNARY(Exp)
    WHIT_UNARY(Abs)
    WHIT_UNARY(Neg)
    WHIT_UNARY(Square)
    WHIT_UNARY(Sqrt)
    WHIT_UNARY(Rsqrt)
    WHIT_UNARY(GeluTanh)
    WHIT_UNARY(Elu)
    WHIT_UNARY(Floor)
    WHIT_UNARY(Ceil)
    WHIT_UNARY(Round)
#undef WHIT_UNARY
  }
}
