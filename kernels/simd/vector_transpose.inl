// Transposes in tiles of 128-bit registers: wider ones would have to cross their lanes at every
// step.

/// 16 rows of 8 bytes to 8 rows of 16. Every step interleaves rows whose distance is half of the
/// one before it: a holds all columns of rows i and i + 8, b halves of the columns of rows i + 4 k,
/// a quarters of rows i + 2 k, and at last all 16 rows stand in order.
WHIT_INLINE void TransposeTile8(const uint8_t* in, int64_t in_stride, uint8_t* out,
                                int64_t out_stride) {
  Xmm::V a[8], b[8];
  const auto row = [&](int r) WHIT_LAMBDA_INLINE { return Xmm::LoadHalf(in + r * in_stride); };
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) a[i] = Xmm::UnpackLo8(row(i), row(i + 8));
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    b[2 * i] = Xmm::UnpackLo8(a[i], a[i + 4]);
    b[2 * i + 1] = Xmm::UnpackHi8(a[i], a[i + 4]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      a[4 * i + 2 * h] = Xmm::UnpackLo8(b[2 * i + h], b[2 * (i + 2) + h]);
      a[4 * i + 2 * h + 1] = Xmm::UnpackHi8(b[2 * i + h], b[2 * (i + 2) + h]);
    }
  }
#pragma GCC unroll 4
  for (int q = 0; q < 4; ++q) {
    Xmm::Store(out + 2 * q * out_stride, Xmm::UnpackLo8(a[q], a[4 + q]));
    Xmm::Store(out + (2 * q + 1) * out_stride, Xmm::UnpackHi8(a[q], a[4 + q]));
  }
}

/// 8 x 8 elements of two bytes, in the same way.
WHIT_INLINE void TransposeTile16(const uint8_t* in, int64_t in_stride, uint8_t* out,
                                 int64_t out_stride) {
  Xmm::V a[8], b[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) a[i] = Xmm::Load(in + i * in_stride);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    b[2 * i] = Xmm::UnpackLo16(a[i], a[i + 4]);
    b[2 * i + 1] = Xmm::UnpackHi16(a[i], a[i + 4]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      a[4 * i + 2 * h] = Xmm::UnpackLo16(b[2 * i + h], b[2 * (i + 2) + h]);
      a[4 * i + 2 * h + 1] = Xmm::UnpackHi16(b[2 * i + h], b[2 * (i + 2) + h]);
    }
  }
#pragma GCC unroll 4
  for (int q = 0; q < 4; ++q) {
    Xmm::Store(out + 2 * q * out_stride, Xmm::UnpackLo16(a[q], a[4 + q]));
    Xmm::Store(out + (2 * q + 1) * out_stride, Xmm::UnpackHi16(a[q], a[4 + q]));
  }
}

/// 4 x 4 elements of four bytes.
WHIT_INLINE void TransposeTile32(const uint8_t* in, int64_t in_stride, uint8_t* out,
                                 int64_t out_stride) {
  const Xmm::V r0 = Xmm::Load(in), r1 = Xmm::Load(in + in_stride);
  const Xmm::V r2 = Xmm::Load(in + 2 * in_stride), r3 = Xmm::Load(in + 3 * in_stride);
  const Xmm::V a = Xmm::UnpackLo32(r0, r2), b = Xmm::UnpackHi32(r0, r2);
  const Xmm::V c = Xmm::UnpackLo32(r1, r3), d = Xmm::UnpackHi32(r1, r3);
  Xmm::Store(out, Xmm::UnpackLo32(a, c));
  Xmm::Store(out + out_stride, Xmm::UnpackHi32(a, c));
  Xmm::Store(out + 2 * out_stride, Xmm::UnpackLo32(b, d));
  Xmm::Store(out + 3 * out_stride, Xmm::UnpackHi32(b, d));
}

template <int kBytes>
WHIT_INLINE void TransposeOneByOne(const TransposeTiles& p, int64_t row_begin, int64_t row_end,
                                   int64_t column_begin, int64_t column_end) {
  for (int64_t c = column_begin; c < column_end; ++c) {
    const uint8_t* from = p.in + row_begin * p.in_stride + c * kBytes;
    uint8_t* to = p.out + c * p.out_stride + row_begin * kBytes;
    for (int64_t r = row_begin; r < row_end; ++r, from += p.in_stride, to += kBytes) {
      __builtin_memcpy(to, from, kBytes);
    }
  }
}

/// Tiles of kRows x kColumns, then the right and lower edges.
template <int kBytes, int kRows, int kColumns, class Tile>
WHIT_INLINE void TransposeBlock(const TransposeTiles& p, const Tile& tile) {
  const int64_t rows = p.rows / kRows * kRows, columns = p.columns / kColumns * kColumns;
  for (int64_t c = 0; c < columns; c += kColumns) {
    for (int64_t r = 0; r < rows; r += kRows) {
      tile(p.in + r * p.in_stride + c * kBytes, p.in_stride, p.out + c * p.out_stride + r * kBytes,
           p.out_stride);
    }
  }
  TransposeOneByOne<kBytes>(p, rows, p.rows, 0, columns);
  TransposeOneByOne<kBytes>(p, 0, p.rows, columns, p.columns);
}

WHIT_INLINE void Transpose(const TransposeTiles& p) {
  switch (p.element_bytes) {
    case 1:
      return TransposeBlock<1, 16, 8>(p, TransposeTile8);
    case 2:
      return TransposeBlock<2, 8, 8>(p, TransposeTile16);
    default:
      return TransposeBlock<4, 4, 4>(p, TransposeTile32);
  }
}
