// The vector kernels of a tier, but for its tables. Before it: Wide, the wrapper of its registers;
// Narrow, that of fewer channels than kFewBytes bytes or kFewFloats floats, which would be stored
// in part; WideSums, the widest that sums bytes; and Leave(), which ends every function that used
// wide registers.

void RunBinaryU8(const BinaryU8& p) { PickBinary<Wide>(p); }
void RunBinaryI16(const BinaryI16& p) { PickBinary<Wide>(p); }
void RunBinaryF32(const BinaryF32& p) { PickBinary<Wide>(p); }
void RunUnaryF32(const UnaryF32& p) { PickUnary<Wide>(p); }
void RunQuantizeU8(const QuantizeU8& p) {
  Quantize<Wide>(p);
  Leave();
}
void RunQuantizeI16(const QuantizeI16& p) {
  Quantize<Wide>(p);
  Leave();
}
void RunDequantizeU8(const DequantizeU8& p) {
  Dequantize<Wide>(p);
  Leave();
}
void RunDequantizeI16(const DequantizeI16& p) {
  Dequantize<Wide>(p);
  Leave();
}
void RunRescaleU8ToI16(const RescaleU8ToI16& p) {
  Rescale<Wide>(p);
  Leave();
}
void RunRescaleI16ToU8(const RescaleI16ToU8& p) {
  Rescale<Wide>(p);
  Leave();
}
void RunRescaleI16(const RescaleI16& p) {
  Rescale<Wide>(p);
  Leave();
}

void RunPoolU8(const PoolU8& p) {
  p.channels < kFewBytes ? PoolBytes<Narrow>(p) : PoolBytes<Wide>(p);
  Leave();
}
void RunPoolF32(const PoolF32& p) {
  p.channels < kFewFloats ? PoolFloats<Narrow>(p) : PoolFloats<Wide>(p);
  Leave();
}
template <class T>
WHIT_INLINE void Resize(const ResizeU8& p) {
  p.sixteenths ? ResizeSixteenths<T>(p) : ResizeBytes<T>(p);
}
void RunResizeU8(const ResizeU8& p) {
  p.channels < kFewBytes ? Resize<Narrow>(p) : Resize<Wide>(p);
  Leave();
}
void RunResizeF32(const ResizeF32& p) {
  p.channels < kFewFloats ? ResizeFloats<Narrow>(p) : ResizeFloats<Wide>(p);
  Leave();
}
void RunSoftmaxU8(const SoftmaxU8& p) {
  for (int64_t r = 0; r < p.rows; ++r) {
    SoftmaxBytesRow<Wide>(p, p.in + r * p.depth, p.out + r * p.depth);
  }
  Leave();
}
void RunSoftmaxF32(const SoftmaxF32& p) {
  Softmax<Wide>(p);
  Leave();
}
void RunColumnSumsF32(const ColumnSumsF32& p) {
  ColumnSums<Wide>(p);
  Leave();
}
void RunRowsU8(const RowsU8& p) {
  ReduceRows<WideSums>(p);
  Leave();
}
void RunRowsF32(const RowsF32& p) {
  ReduceRows<Wide>(p);
  Leave();
}
void RunL2NormU8(const L2NormU8& p) {
  L2Norm<Wide>(p);
  Leave();
}
void RunL2NormF32(const L2NormF32& p) {
  for (int64_t r = 0; r < p.rows; ++r) {
    L2NormRow<Wide>(p, p.in + r * p.depth, p.out + r * p.depth);
  }
  Leave();
}
void RunTranspose(const TransposeTiles& p) { Transpose(p); }
void RunArgU8(const ArgU8& p) {
  p.smallest ? Places<Wide, true>(p) : Places<Wide, false>(p);
  Leave();
}

constexpr VectorKernels CommonKernels(const char* tier, double sums_per_ns) {
  return {.tier = tier,
          .sums_per_ns = sums_per_ns,
          .binary_u8 = &RunBinaryU8,
          .binary_i16 = &RunBinaryI16,
          .binary_f32 = &RunBinaryF32,
          .unary_f32 = &RunUnaryF32,
          .quantize_u8 = &RunQuantizeU8,
          .dequantize_u8 = &RunDequantizeU8,
          .quantize_i16 = &RunQuantizeI16,
          .dequantize_i16 = &RunDequantizeI16,
          .rescale_u8_to_i16 = &RunRescaleU8ToI16,
          .rescale_i16_to_u8 = &RunRescaleI16ToU8,
          .rescale_i16 = &RunRescaleI16,
          .pool_u8 = &RunPoolU8,
          .pool_f32 = &RunPoolF32,
          .resize_u8 = &RunResizeU8,
          .resize_f32 = &RunResizeF32,
          .softmax_u8 = &RunSoftmaxU8,
          .softmax_f32 = &RunSoftmaxF32,
          .column_sums_f32 = &RunColumnSumsF32,
          .arg_u8 = &RunArgU8,
          .rows_u8 = &RunRowsU8,
          .rows_f32 = &RunRowsF32,
          .l2_norm_u8 = &RunL2NormU8,
          .l2_norm_f32 = &RunL2NormF32,
          .transpose = &RunTranspose};
}
