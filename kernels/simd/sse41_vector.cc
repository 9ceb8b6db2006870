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
#include "kernels/simd/vector_transpose.inl"
#include "kernels/simd/vector_window.inl"

using Wide = XmmVector;
using Narrow = XmmVector;
using WideSums = XmmVector;
constexpr int64_t kFewBytes = 0, kFewFloats = 0;

#include "kernels/simd/vector_table.inl"

void RunTableU8(const TableU8& p) { LookUpOneByOne(p); }

constexpr VectorKernels MakeKernels() {
  VectorKernels k = CommonKernels("sse41", 3);
  k.table_u8 = &RunTableU8;
  return k;
}

}  // namespace

constinit const VectorKernels kSse41Vector = MakeKernels();

}  // namespace whit::simd
