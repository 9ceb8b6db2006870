// The tier sse41: float32 weights.
#include <smmintrin.h>

#include "kernels/simd/kernels_f32.h"
#include "kernels/simd/tables.h"

namespace whit::simd {
namespace {

#include "kernels/simd/common.inl"
//
#include "kernels/simd/xmm.h"
//
#include "kernels/simd/product_f32.inl"
//
#include "kernels/simd/depthwise_f32.inl"
#include "kernels/simd/rows_f32.inl"
//
#include "kernels/simd/winograd_f32.inl"

// 2 rows x 16 channels: 8 accumulators, 4 weights, 1 row and a product of 16 registers. A panel of
// 8 channels takes 4 rows.
void RunProduct(const ProductF32& p) {
  for (int64_t q = p.panel_begin; q < p.panel_end; ++q) {
    if (PanelWidth(p.n, q) == 16) {
      FloatPanels<Xmm, 2, 4>(p, q);
    } else {
      FloatPanels<Xmm, 4, 2>(p, q);
    }
  }
}

void RunDepthwise(const DepthwiseF32& p) {
  for (int64_t c = p.channel_begin; c < p.channel_end; c += 4) FloatDepthwiseUnit<Xmm>(p, c);
}

#include "kernels/simd/f32_table.inl"

}  // namespace

constinit const F32Kernels kSse41F32 = FloatKernels<Xmm, Xmm, Xmm>("sse41");

}  // namespace whit::simd
