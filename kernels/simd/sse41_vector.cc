// The vector family of the tier sse41: SSE4.1.
#include <smmintrin.h>

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

WHIT_INLINE void Leave() {}

#include "kernels/simd/vector_map.inl"
#include "kernels/simd/vector_math.inl"
//
#include "kernels/simd/vector_rows.inl"
#include "kernels/simd/vector_window.inl"

void RunBinaryU8(const BinaryU8& p) { PickBinary<XmmVector>(p); }
void RunBinaryF32(const BinaryF32& p) { PickBinary<XmmVector>(p); }
void RunUnaryF32(const UnaryF32& p) { PickUnary<XmmVector>(p); }
void RunTableU8(const TableU8& p) { LookUpOneByOne(p); }
void RunQuantizeU8(const QuantizeU8& p) {
  Quantize<XmmVector>(p);
  Leave();
}
void RunDequantizeU8(const DequantizeU8& p) {
  Dequantize<XmmVector>(p);
  Leave();
}

void RunPoolU8(const PoolU8& p) {
  PoolBytes<XmmVector>(p);
  Leave();
}
void RunPoolF32(const PoolF32& p) {
  PoolFloats<XmmVector>(p);
  Leave();
}
void RunResizeU8(const ResizeU8& p) {
  p.sixteenths ? ResizeSixteenths<XmmVector>(p) : ResizeBytes<XmmVector>(p);
  Leave();
}
void RunResizeF32(const ResizeF32& p) {
  ResizeFloats<XmmVector>(p);
  Leave();
}
void RunSoftmaxF32(const SoftmaxF32& p) {
  Softmax<XmmVector>(p);
  Leave();
}
void RunColumnSumsF32(const ColumnSumsF32& p) {
  ColumnSums<XmmVector>(p);
  Leave();
}
void RunArgU8(const ArgU8& p) {
  p.smallest ? Places<XmmVector, true>(p) : Places<XmmVector, false>(p);
  Leave();
}

}  // namespace

const VectorKernels kSse41Vector = {
    .tier = "sse41",
    .sums_per_ns = 2,
    .binary_u8 = &RunBinaryU8,
    .binary_f32 = &RunBinaryF32,
    .table_u8 = &RunTableU8,
    .unary_f32 = &RunUnaryF32,
    .quantize_u8 = &RunQuantizeU8,
    .dequantize_u8 = &RunDequantizeU8,
    .pool_u8 = &RunPoolU8,
    .pool_f32 = &RunPoolF32,
    .resize_u8 = &RunResizeU8,
    .resize_f32 = &RunResizeF32,
    .softmax_f32 = &RunSoftmaxF32,
    .column_sums_f32 = &RunColumnSumsF32,
    .arg_u8 = &RunArgU8,
};

}  // namespace whit::simd
