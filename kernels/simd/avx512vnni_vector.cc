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

using Wide = ZmmVector;
using Narrow = ZmmVector;
using WideSums = YmmVector;
constexpr int64_t kFewBytes = 0, kFewFloats = 0;

#include "kernels/simd/vector_table.inl"

void RunTableU8(const TableU8& p) {
  if (p.n < 32) return LookUpOneByOne(p);  // as long as taking the table apart
  LookUpByShuffles<Wide>(p);
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

void RunTableI16(const TableI16& p) {
  Interpolate<Wide>(p);
  Leave();
}

constexpr VectorKernels MakeKernels() {
  VectorKernels k = CommonKernels("avx512vnni", 10);
  k.table_u8 = &RunTableU8;
  k.table_u8_vbmi = &RunTableU8Vbmi;
  k.table_i16 = &RunTableI16;
  return k;
}

}  // namespace

constinit const VectorKernels kAvx512VnniVector = MakeKernels();

}  // namespace whit::simd
