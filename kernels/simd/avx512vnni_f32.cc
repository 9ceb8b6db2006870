// The tier avx512vnni: float32 weights.
#include <immintrin.h>

#include "kernels/simd/kernels_f32.h"
#include "kernels/simd/tables.h"

namespace whit::simd {
namespace {

#include "kernels/simd/common.inl"
//
#include "kernels/simd/xmm.h"
//
#include "kernels/simd/ymm.h"
#include "kernels/simd/zmm.h"
//
#include "kernels/simd/product_f32.inl"
//
#include "kernels/simd/depthwise_f32.inl"
#include "kernels/simd/rows_f32.inl"
//
#include "kernels/simd/winograd_f32.inl"

// 12 rows x 32 channels: 24 accumulators, 2 weights and 1 row of 32 registers, 14 loads for 24
// multiply-adds. Few rows take more panels at once; a last panel of 8 lies in half a register.
void RunProduct(const ProductF32& p) {
  const int64_t panels = PanelsOf(p.n), full = panels - (PanelWidth(p.n, panels - 1) == 8);
  const int64_t end = Min(p.panel_end, full);
  int64_t q = p.panel_begin;
  if (p.count <= 2) {
    for (; q + 8 <= end; q += 8) FloatPanels<Zmm, 2, 8>(p, q);
  }
  if (p.count <= 5) {
    for (; q + 4 <= end; q += 4) FloatPanels<Zmm, 5, 4>(p, q);
  }
  for (; q + 2 <= end; q += 2) FloatPanels<Zmm, 12, 2>(p, q);
  for (; q < end; ++q) FloatPanels<Zmm, 10, 1>(p, q);
  for (; q < p.panel_end; ++q) FloatPanels<Ymm, 10, 1>(p, q);
}

void RunDepthwise(const DepthwiseF32& p) {
  int64_t c = p.channel_begin;
  for (; c + 8 < p.channel_end; c += 16) FloatDepthwiseUnit<Zmm>(p, c);
  for (; c < p.channel_end; c += 8) FloatDepthwiseUnit<Ymm>(p, c);
}

#include "kernels/simd/f32_table.inl"

}  // namespace

constinit const F32Kernels kAvx512VnniF32 = FloatKernels<Zmm, Zmm, Xmm>("avx512vnni");

}  // namespace whit::simd
