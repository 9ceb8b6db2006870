// The tier neon_dot: NEON of armv8.2 with four-byte dot products.
#include <arm_neon.h>

#include "kernels/simd/kernels.h"
#include "kernels/simd/tables.h"

namespace whit::simd {
namespace {

#include "kernels/simd/common.inl"
//
#include "kernels/simd/neon.h"
//
#include "kernels/simd/product_i8.inl"
//
#include "kernels/simd/product_dot.inl"
#include "kernels/simd/product_wide_neon.inl"
#include "kernels/simd/rows_neon.inl"
//
#include "kernels/simd/depthwise_i8.inl"
//
#include "kernels/simd/depthwise_flat.inl"
#include "kernels/simd/peak.inl"

// 4 rows x 16 channels: 16 accumulators, 4 rows, and weights one after another, of 32 registers; 8
// would cover the latency at two dots a cycle. A panel of 8 channels takes 8 rows.
void RunProductI8(const ProductI8& p) {
  for (int64_t q = p.panel_begin; q < p.panel_end; ++q) {
    if (PanelWidth(p.n, q) == 16) {
      DotPanels<Neon, 4, 4>(p, q, 16);
    } else {
      DotPanels<Neon, 8, 2>(p, q, 8);
    }
  }
}

void RunWideProduct(const WideProduct& p) { WidePanel(p); }
void RunRowSums(const RowSums& s) { SumRows(s); }
uint32_t RunRowDots(const RowDots& d) { return DotOfRows(d); }

void RunDepthwiseI8(const DepthwiseI8& p) {
  for (int64_t c = p.channel_begin; c < p.channel_end; c += 16) {
    DepthwiseChannels<Neon, DotRows, 4>(p, c);
  }
}

void RunDepthwiseFlatI8(const DepthwiseI8& p) { DepthwiseFlat<Neon, DotRows>(p); }

}  // namespace

const Kernels kNeonDot = {
    .peak_i8 = {&PeakDots<Neon>::Run, PeakDots<Neon>::kMacs},
    .peak_f32 = {&PeakFloats<Neon>::Run, PeakFloats<Neon>::kMacs},
    .product_i8 = &RunProductI8,
    .wide_product = &RunWideProduct,
    .row_sums = &RunRowSums,
    .row_dots = &RunRowDots,
    .dot_bytes = 16,
    .depthwise_i8 = &RunDepthwiseI8,
    .depthwise_flat_i8 = &RunDepthwiseFlatI8,
    .flat_channels = 8,
};

}  // namespace whit::simd
