// The tier neon: float32 weights, of all NEON tiers.
#include <arm_neon.h>

#include "kernels/simd/kernels_f32.h"
#include "kernels/simd/tables.h"

namespace whit::simd {
namespace {

#include "kernels/simd/common.inl"
//
#include "kernels/simd/neon.h"
//
#include "kernels/simd/product_f32.inl"
//
#include "kernels/simd/depthwise_f32.inl"
#include "kernels/simd/rows_f32.inl"
//
#include "kernels/simd/winograd_f32.inl"

// aarch64: 4 rows x 16 channels, 16 accumulators for a latency of 4 at two multiply-adds a cycle; 4
// rows of inputs and the weights as they come, of 32 registers (gcc 12 spills a fifth row's). A
// panel of 8 channels takes 7 rows. armv7 has half the registers.
constexpr int kRowsOf16 = Neon::kByElement ? 4 : 2, kRowsOf8 = Neon::kByElement ? 7 : 4;

void RunProduct(const ProductF32& p) {
  const int64_t panels = PanelsOf(p.n), full = panels - (PanelWidth(p.n, panels - 1) == 8);
  const int64_t end = Min(p.panel_end, full);
  int64_t q = p.panel_begin;
  if (p.count == 1 && Neon::kByElement) {  // 8 accumulators: 4 would wait for themselves
    for (; q + 2 <= end; q += 2) FloatPanels<Neon, 1, 8>(p, q);
  }
  for (; q < end; ++q) FloatPanels<Neon, kRowsOf16, 4>(p, q);
  for (; q < p.panel_end; ++q) FloatPanels<Neon, kRowsOf8, 2>(p, q);
}

void RunDepthwise(const DepthwiseF32& p) {
  for (int64_t c = p.channel_begin; c < p.channel_end; c += 4) FloatDepthwiseUnit<Neon>(p, c);
}

#include "kernels/simd/f32_table.inl"

}  // namespace

constinit const F32Kernels kNeonF32 = FloatKernels<Neon, NeonSecond, NeonSecond>("neon");

}  // namespace whit::simd
