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

void RunRange(const float* x, int64_t n, float* lo, float* hi) { FloatRange<Xmm>(x, n, lo, hi); }
void RunQuantize(const QuantizeF32& q) { QuantizeFloats<Xmm>(q); }

void RunWinogradWeights(const WinogradWeights& p) { TransformWeights<Xmm>(p); }
void RunWinogradInput(const WinogradInput& p) { TransformInput<Xmm>(p); }
void RunWinogradOutput(const WinogradOutput& p) { TransformOutput<Xmm>(p); }

}  // namespace

const F32Kernels kSse41F32 = {.tier = "sse41",
                              .product = &RunProduct,
                              .depthwise = &RunDepthwise,
                              .range = &RunRange,
                              .quantize = &RunQuantize,
                              .winograd_weights = &RunWinogradWeights,
                              .winograd_input = &RunWinogradInput,
                              .winograd_output = &RunWinogradOutput};

}  // namespace whit::simd
