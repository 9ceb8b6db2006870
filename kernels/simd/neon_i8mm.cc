// The tier neon_i8mm: NEON of armv8.6 with products of matrices of bytes, and dot products.
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
#include "kernels/simd/product_mmla.inl"
#include "kernels/simd/product_wide_neon.inl"
#include "kernels/simd/rows_neon.inl"
//
#include "kernels/simd/depthwise_i8.inl"
//
#include "kernels/simd/depthwise_flat.inl"
#include "kernels/simd/peak.inl"

// 4 rows x 16 channels: 16 accumulators of 2 x 2, 4 of rows and 2 of weights of 32 registers (gcc
// 12 spills 6 x 16). A panel of 8 channels takes 6 rows.
void RunProductI8(const ProductI8& p) {
  for (int64_t q = p.panel_begin; q < p.panel_end; ++q) {
    if (PanelWidth(p.n, q) == 16) {
      MmlaPanel<2, 4>(p, q, 16);
    } else {
      MmlaPanel<3, 2>(p, q, 8);
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

const Kernels kNeonI8mm = {
    .zips_rows = kLeastRowsToZip,
    .peak_i8 = {&PeakMmla::Run, PeakMmla::kMacs},
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
