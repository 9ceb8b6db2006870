// The vector family of the tier avx512vnni: AVX512F, BW, VL, DQ and VNNI.
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
//
#include "kernels/simd/zmm.h"
#include "kernels/simd/zmm_vector.h"

/// Ends every function that used wide registers: their upper halves cost the SSE code that follows.
WHIT_INLINE void Leave() { _mm256_zeroupper(); }

#include "kernels/simd/vector_map.inl"
#include "kernels/simd/vector_math.inl"
//
#include "kernels/simd/vector_rows.inl"
#include "kernels/simd/vector_transpose.inl"
#include "kernels/simd/vector_window.inl"

void RunBinaryU8(const BinaryU8& p) { PickBinary<ZmmVector>(p); }
void RunBinaryI16(const BinaryI16& p) { PickBinary<ZmmVector>(p); }
void RunBinaryF32(const BinaryF32& p) { PickBinary<ZmmVector>(p); }
void RunUnaryF32(const UnaryF32& p) { PickUnary<ZmmVector>(p); }
void RunTableU8(const TableU8& p) {
  if (p.n < 32) return LookUpOneByOne(p);  // as long as taking the table apart
  LookUpByShuffles<ZmmVector>(p);
  Leave();
}

/// The table in four registers, two shuffles of 128 entries.
__attribute__((target("avx512vbmi"))) void RunTableU8Vbmi(const TableU8& p) {
  const __m512i t0 = _mm512_loadu_si512(p.table), t1 = _mm512_loadu_si512(p.table + 64);
  const __m512i t2 = _mm512_loadu_si512(p.table + 128), t3 = _mm512_loadu_si512(p.table + 192);
  for (int64_t i = 0; i < p.n; i += 64) {
    const __mmask64 some = p.n - i >= 64 ? ~uint64_t{0} : ~uint64_t{0} >> (64 - (p.n - i));
    const __m512i x = _mm512_maskz_loadu_epi8(some, p.in + i);
    const __m512i low = _mm512_permutex2var_epi8(t0, x, t1);
    const __m512i high = _mm512_permutex2var_epi8(t2, x, t3);
    _mm512_mask_storeu_epi8(p.out + i, some,
                            _mm512_mask_blend_epi8(_mm512_movepi8_mask(x), low, high));
  }
  _mm256_zeroupper();
}

void RunQuantizeU8(const QuantizeU8& p) {
  Quantize<ZmmVector>(p);
  Leave();
}
void RunQuantizeI16(const QuantizeI16& p) {
  Quantize<ZmmVector>(p);
  Leave();
}
void RunDequantizeU8(const DequantizeU8& p) {
  Dequantize<ZmmVector>(p);
  Leave();
}
void RunDequantizeI16(const DequantizeI16& p) {
  Dequantize<ZmmVector>(p);
  Leave();
}
void RunRescaleU8ToI16(const RescaleU8ToI16& p) {
  Rescale<ZmmVector>(p);
  Leave();
}
void RunRescaleI16ToU8(const RescaleI16ToU8& p) {
  Rescale<ZmmVector>(p);
  Leave();
}
void RunRescaleI16(const RescaleI16& p) {
  Rescale<ZmmVector>(p);
  Leave();
}
void RunTableI16(const TableI16& p) {
  Interpolate<ZmmVector>(p);
  Leave();
}

void RunPoolU8(const PoolU8& p) {
  PoolBytes<ZmmVector>(p);
  Leave();
}
void RunPoolF32(const PoolF32& p) {
  PoolFloats<ZmmVector>(p);
  Leave();
}
void RunResizeU8(const ResizeU8& p) {
  p.sixteenths ? ResizeSixteenths<ZmmVector>(p) : ResizeBytes<ZmmVector>(p);
  Leave();
}
void RunResizeF32(const ResizeF32& p) {
  ResizeFloats<ZmmVector>(p);
  Leave();
}
void RunSoftmaxU8(const SoftmaxU8& p) {
  for (int64_t r = 0; r < p.rows; ++r) {
    SoftmaxBytesRow<ZmmVector>(p, p.in + r * p.depth, p.out + r * p.depth);
  }
  Leave();
}
void RunSoftmaxF32(const SoftmaxF32& p) {
  Softmax<ZmmVector>(p);
  Leave();
}
void RunColumnSumsF32(const ColumnSumsF32& p) {
  ColumnSums<ZmmVector>(p);
  Leave();
}
void RunRowsU8(const RowsU8& p) {
  ReduceRows<YmmVector>(p);
  Leave();
}
void RunRowsF32(const RowsF32& p) {
  ReduceRows<ZmmVector>(p);
  Leave();
}
void RunL2NormU8(const L2NormU8& p) {
  L2Norm<ZmmVector>(p);
  Leave();
}
void RunL2NormF32(const L2NormF32& p) {
  for (int64_t r = 0; r < p.rows; ++r) {
    L2NormRow<ZmmVector>(p, p.in + r * p.depth, p.out + r * p.depth);
  }
  Leave();
}
void RunTranspose(const TransposeTiles& p) { Transpose(p); }
void RunArgU8(const ArgU8& p) {
  p.smallest ? Places<ZmmVector, true>(p) : Places<ZmmVector, false>(p);
  Leave();
}

}  // namespace

const VectorKernels kAvx512VnniVector = {
    .tier = "avx512vnni",
    .sums_per_ns = 10,
    .binary_u8 = &RunBinaryU8,
    .binary_i16 = &RunBinaryI16,
    .binary_f32 = &RunBinaryF32,
    .table_u8 = &RunTableU8,
    .table_u8_vbmi = &RunTableU8Vbmi,
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
