// The vector family of all ARM tiers: NEON of armv8.0, and of armv7 with VFPv4.
#include <arm_neon.h>

#include "kernels/simd/kernels_vector.h"
#include "kernels/simd/tables.h"

namespace whit::simd {
namespace {

#include "kernels/simd/common.inl"
//
#include "kernels/simd/vector_common.inl"
//
#include "kernels/simd/neon.h"
#include "kernels/simd/neon_vector.h"

WHIT_INLINE void Leave() {}

#include "kernels/simd/vector_map.inl"
#include "kernels/simd/vector_math.inl"
//
#include "kernels/simd/vector_rows.inl"
#include "kernels/simd/vector_transpose.inl"
#include "kernels/simd/vector_window.inl"

using Wide = NeonVector;
using Narrow = NeonVector;
using WideSums = NeonVector;
constexpr int64_t kFewBytes = 0, kFewFloats = 0;

#include "kernels/simd/vector_table.inl"

#if defined(__aarch64__)
/// The table in 16 registers, looked up a quarter at a time: an index beyond a quarter gives 0 in
/// the first and leaves what was found in the others.
void RunTableU8(const TableU8& p) {
  uint8x16x4_t rows[4];
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) rows[r] = vld1q_u8_x4(p.table + 64 * r);
  const auto look_up = [&](uint8x16_t x) WHIT_LAMBDA_INLINE {
    uint8x16_t y = vqtbl4q_u8(rows[0], x);
    y = vqtbx4q_u8(y, rows[1], vsubq_u8(x, vdupq_n_u8(64)));
    y = vqtbx4q_u8(y, rows[2], vsubq_u8(x, vdupq_n_u8(128)));
    return vqtbx4q_u8(y, rows[3], vsubq_u8(x, vdupq_n_u8(192)));
  };
  int64_t i = 0;
  for (; i + 16 <= p.n; i += 16) vst1q_u8(p.out + i, look_up(vld1q_u8(p.in + i)));
  if (i < p.n) {
    const uint8x16_t last = NeonVector::AsU8(NeonVector::LoadPart(p.in + i, p.n - i));
    NeonVector::StorePart(p.out + i, NeonVector::From(look_up(last)), p.n - i);
  }
}
#else
void RunTableU8(const TableU8& p) { LookUpOneByOne(p); }
#endif

constexpr VectorKernels MakeKernels() {
  VectorKernels k = CommonKernels("neon", 1);
  k.table_u8 = &RunTableU8;
  return k;
}

}  // namespace

constinit const VectorKernels kNeonVector = MakeKernels();

}  // namespace whit::simd
