// The vector family of the tier avx2: AVX2 and FMA.
#include <immintrin.h>

#include "kernels/simd/kernels_vector.h"
#include "kernels/simd/tables.h"

namespace whit::simd {
namespace {

#include "kernels/simd/common.inl"
//
#include "kernels/simd/vector_common.inl"
//
#include "kernels/simd/xmm.h"
#include "kernels/simd/xmm_vector.h"
//
#include "kernels/simd/ymm.h"
#include "kernels/simd/ymm_vector.h"

/// Ends every function that used wide registers: their upper halves cost the SSE code that follows.
WHIT_INLINE void Leave() { _mm256_zeroupper(); }

#include "kernels/simd/vector_map.inl"
#include "kernels/simd/vector_math.inl"
//
#include "kernels/simd/vector_rows.inl"
#include "kernels/simd/vector_transpose.inl"
#include "kernels/simd/vector_window.inl"

void RunBinaryU8(const BinaryU8& p) { PickBinary<YmmVector>(p); }
void RunBinaryI16(const BinaryI16& p) { PickBinary<YmmVector>(p); }
void RunBinaryF32(const BinaryF32& p) { PickBinary<YmmVector>(p); }
void RunUnaryF32(const UnaryF32& p) { PickUnary<YmmVector>(p); }
void RunTableU8(const TableU8& p) {
  if (p.n < 32) return LookUpOneByOne(p);  // as long as taking the table apart
  LookUpByShuffles<YmmVector>(p);
  Leave();
}
void RunQuantizeU8(const QuantizeU8& p) {
  Quantize<YmmVector>(p);
  Leave();
}
void RunQuantizeI16(const QuantizeI16& p) {
  Quantize<YmmVector>(p);
  Leave();
}
void RunDequantizeU8(const DequantizeU8& p) {
  Dequantize<YmmVector>(p);
  Leave();
}
void RunDequantizeI16(const DequantizeI16& p) {
  Dequantize<YmmVector>(p);
  Leave();
}
void RunRescaleU8ToI16(const RescaleU8ToI16& p) {
  Rescale<YmmVector>(p);
  Leave();
}
void RunRescaleI16ToU8(const RescaleI16ToU8& p) {
  Rescale<YmmVector>(p);
  Leave();
}
void RunRescaleI16(const RescaleI16& p) {
  Rescale<YmmVector>(p);
  Leave();
}
void RunTableI16(const TableI16& p) {
  Interpolate<YmmVector>(p);
  Leave();
}

// Fewer channels than a ymm of them are stored in part: xmm wastes less.
void RunPoolU8(const PoolU8& p) {
  if (p.channels < 32) {
    PoolBytes<XmmVector>(p);
  } else {
    PoolBytes<YmmVector>(p);
  }
  Leave();
}
void RunPoolF32(const PoolF32& p) {
  if (p.channels < 8) {
    PoolFloats<XmmVector>(p);
  } else {
    PoolFloats<YmmVector>(p);
  }
  Leave();
}
void RunResizeU8(const ResizeU8& p) {
  if (p.channels < 32) {
    p.sixteenths ? ResizeSixteenths<XmmVector>(p) : ResizeBytes<XmmVector>(p);
  } else {
    p.sixteenths ? ResizeSixteenths<YmmVector>(p) : ResizeBytes<YmmVector>(p);
  }
  Leave();
}
void RunResizeF32(const ResizeF32& p) {
  if (p.channels < 8) {
    ResizeFloats<XmmVector>(p);
  } else {
    ResizeFloats<YmmVector>(p);
  }
  Leave();
}
void RunSoftmaxU8(const SoftmaxU8& p) {
  for (int64_t r = 0; r < p.rows; ++r) {
    SoftmaxBytesRow<YmmVector>(p, p.in + r * p.depth, p.out + r * p.depth);
  }
  Leave();
}
void RunSoftmaxF32(const SoftmaxF32& p) {
  Softmax<YmmVector>(p);
  Leave();
}
void RunColumnSumsF32(const ColumnSumsF32& p) {
  ColumnSums<YmmVector>(p);
  Leave();
}
void RunRowsU8(const RowsU8& p) {
  ReduceRows<YmmVector>(p);
  Leave();
}
void RunRowsF32(const RowsF32& p) {
  ReduceRows<YmmVector>(p);
  Leave();
}
void RunL2NormU8(const L2NormU8& p) {
  L2Norm<YmmVector>(p);
  Leave();
}
void RunL2NormF32(const L2NormF32& p) {
  for (int64_t r = 0; r < p.rows; ++r) {
    L2NormRow<YmmVector>(p, p.in + r * p.depth, p.out + r * p.depth);
  }
  Leave();
}
void RunTranspose(const TransposeTiles& p) { Transpose(p); }
void RunArgU8(const ArgU8& p) {
  p.smallest ? Places<YmmVector, true>(p) : Places<YmmVector, false>(p);
  Leave();
}

}  // namespace

const VectorKernels kAvx2Vector = {
    .tier = "avx2",
    .sums_per_ns = 6,
    .binary_u8 = &RunBinaryU8,
    .binary_i16 = &RunBinaryI16,
    .binary_f32 = &RunBinaryF32,
    .table_u8 = &RunTableU8,
    .table_i16 = &RunTableI16,
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
    .transpose = &RunTranspose,
};

}  // namespace whit::simd
