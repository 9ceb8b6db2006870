// The tier avx2: float32 weights. avxvnni uses it too.
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
//
#include "kernels/simd/product_f32.inl"
//
#include "kernels/simd/depthwise_f32.inl"
#include "kernels/simd/rows_f32.inl"
//
#include "kernels/simd/winograd_f32.inl"

// 6 rows x 16 channels: 12 accumulators cover the latency of 4 or 5 at two multiply-adds a cycle,
// with 8 loads for 12; 2 weights and 1 row of 16 registers. One or two rows take several panels at
// once, whose weights stream past; a last panel of 8 channels 8 rows.
void RunProduct(const ProductF32& p) {
  const int64_t panels = PanelsOf(p.n), full = panels - (PanelWidth(p.n, panels - 1) == 8);
  const int64_t end = Min(p.panel_end, full);
  int64_t q = p.panel_begin;
  if (p.count == 1) {
    for (; q + 4 <= end; q += 4) FloatPanels<Ymm, 1, 8>(p, q);
  }
  if (p.count <= 2) {
    for (; q + 2 <= end; q += 2) FloatPanels<Ymm, 2, 4>(p, q);
  }
  for (; q < end; ++q) FloatPanels<Ymm, 6, 2>(p, q);
  for (; q < p.panel_end; ++q) FloatPanels<Ymm, 8, 1>(p, q);
}

void RunDepthwise(const DepthwiseF32& p) {
  for (int64_t c = p.channel_begin; c < p.channel_end; c += 8) FloatDepthwiseUnit<Ymm>(p, c);
}

#include "kernels/simd/f32_table.inl"

}  // namespace

constinit const F32Kernels kAvx2F32 = FloatKernels<Ymm, Ymm, Xmm>("avx2");

}  // namespace whit::simd
