// The tables of all tiers this architecture has. A build lists them in kernels/simd/tiers.cc.
#ifndef WHIT_KERNELS_SIMD_TABLES_H_
#define WHIT_KERNELS_SIMD_TABLES_H_

#include "kernels/simd/kernels.h"
#include "kernels/simd/kernels_f32.h"
#include "kernels/simd/kernels_vector.h"

namespace whit::simd {

extern const Kernels kSse41, kAvx2, kAvxVnni, kAvx512Vnni;
extern const F32Kernels kSse41F32, kAvx2F32, kAvx512VnniF32;
extern const VectorKernels kSse41Vector, kAvx2Vector, kAvx512VnniVector;
extern const Kernels kNeon, kNeonDot, kNeonI8mm;
extern const F32Kernels kNeonF32;
extern const VectorKernels kNeonVector;
extern const Kernels kAvxVnniEmulated;  // of the tests: the instruction replaced by exact AVX2

}  // namespace whit::simd

#endif  // WHIT_KERNELS_SIMD_TABLES_H_
