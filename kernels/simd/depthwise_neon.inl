// DepthwiseI8 on ARM without dot products.

/// Two rows widened to 16 bits, for depthwise_i8.inl and depthwise_flat.inl: registers hold four
/// channels of one row and the same four of the other. The weight zero point is subtracted from the
/// weights, whose range of -255 .. 255 fits.
template <class T>
struct LongRows {
  using V = typename T::V;
  static constexpr int kRows = 2;
  static WHIT_INLINE V Halves(int16x4_t a, int16x4_t b) { return T::From(vcombine_s16(a, b)); }
  static WHIT_INLINE void Interleave(int16x8_t a, int16x8_t b, V* v) {
    v[0] = Halves(vget_low_s16(a), vget_low_s16(b));
    v[1] = Halves(vget_high_s16(a), vget_high_s16(b));
  }
  static WHIT_INLINE int16x8_t Lo(V r) { return vmovl_s8(vget_low_s8(T::As8(r))); }
  static WHIT_INLINE int16x8_t Hi(V r) { return vmovl_s8(vget_high_s8(T::As8(r))); }
  static WHIT_INLINE void Interleave(const V (&r)[2], V (&v)[4]) {
    Interleave(Lo(r[0]), Lo(r[1]), v);
    Interleave(Hi(r[0]), Hi(r[1]), v + 2);
  }
  static WHIT_INLINE void InterleaveWeights(const V (&r)[2], V zero_point, V (&v)[4]) {
    Interleave(r, v);
    for (int i = 0; i < 4; ++i) v[i] = T::Sub16(v[i], zero_point);
  }
  static WHIT_INLINE void Add(V& acc, V column, V weights) {
    const int16x8_t x = T::As16(column), w = T::As16(weights);
    acc = vmlal_s16(acc, vget_low_s16(x), vget_low_s16(w));
#if defined(__aarch64__)
    acc = vmlal_high_s16(acc, x, w);
#else
    acc = vmlal_s16(acc, vget_high_s16(x), vget_high_s16(w));
#endif
  }
};
