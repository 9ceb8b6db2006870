// The tier neon: NEON of armv8.0, and of armv7 with VFPv4.
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
#include "kernels/simd/product_mull.inl"
#include "kernels/simd/product_wide_neon.inl"
#include "kernels/simd/rows_neon.inl"
//
#include "kernels/simd/depthwise_i8.inl"
//
#include "kernels/simd/depthwise_neon.inl"
//
#include "kernels/simd/depthwise_flat.inl"
#include "kernels/simd/peak.inl"

// 2 rows x 16 channels. aarch64: 16 accumulators of halves, 4 of rows, weights and temporaries of
// 32 registers; armv7: 8 accumulators of 16. A panel of 8 channels takes 4 rows (3).
constexpr int kRowsOf16 = 2, kRowsOf8 = Neon::kRegisters == 32 ? 4 : 3;

void RunProductI8(const ProductI8& p) {
  for (int64_t q = p.panel_begin; q < p.panel_end; ++q) {
    if (PanelWidth(p.n, q) == 16) {
      MullPanel<kRowsOf16, 4>(p, q, 16);
    } else {
      MullPanel<kRowsOf8, 2>(p, q, 8);
    }
  }
}

void RunWideProduct(const WideProduct& p) { WidePanel(p); }
void RunRowSums(const RowSums& s) { SumRows(s); }
uint32_t RunRowDots(const RowDots& d) { return DotOfRows(d); }

void RunDepthwiseI8(const DepthwiseI8& p) {
  for (int64_t c = p.channel_begin; c < p.channel_end; c += 16) {
    if (!DepthwiseTaps(p, c)) DepthwiseChannels<Neon, LongRows, 4>(p, c);
  }
}

void RunDepthwiseFlatI8(const DepthwiseI8& p) { DepthwiseFlat<Neon, LongRows>(p); }

}  // namespace

const Kernels kNeon = {
    .peak_i8 = {&PeakMull::Run, PeakMull::kMacs},
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
