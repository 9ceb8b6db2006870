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

using Wide = YmmVector;
using Narrow = XmmVector;
using WideSums = YmmVector;
constexpr int64_t kFewBytes = 32, kFewFloats = 8;

#include "kernels/simd/vector_table.inl"

void RunTableU8(const TableU8& p) {
  if (p.n < 32) return LookUpOneByOne(p);  // as long as taking the table apart
  LookUpByShuffles<Wide>(p);
  Leave();
}
void RunTableI16(const TableI16& p) {
  Interpolate<Wide>(p);
  Leave();
}

constexpr VectorKernels MakeKernels() {
  VectorKernels k = CommonKernels("avx2", 6);
  k.table_u8 = &RunTableU8;
  k.table_i16 = &RunTableI16;
  return k;
}

}  // namespace

constinit const VectorKernels kAvx2Vector = MakeKernels();

}  // namespace whit::simd
