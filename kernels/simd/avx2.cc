// The tier avx2: AVX2 and FMA.
#include <immintrin.h>

#include "kernels/simd/kernels.h"
#include "kernels/simd/tables.h"

namespace whit::simd {
namespace {

#include "kernels/simd/common.inl"
//
#include "kernels/simd/xmm.h"
#include "kernels/simd/ymm.h"
//
#include "kernels/simd/product_i8.inl"
//
#include "kernels/simd/product_madd.inl"
#include "kernels/simd/rows.inl"
//
#include "kernels/simd/product_wide.inl"
//
#include "kernels/simd/depthwise_i8.inl"
//
#include "kernels/simd/depthwise_flat.inl"
#include "kernels/simd/peak.inl"

// 4 rows x 16 channels: 8 accumulators, 4 weights, 2 rows, 2 temporaries of 16 registers. A panel
// of 8 channels takes 8 rows.
void RunProductI8(const ProductI8& p) {
  for (int64_t q = p.panel_begin; q < p.panel_end; ++q) {
    if (PanelWidth(p.n, q) == 16) {
      MaddPanel<Ymm, 4, 2>(p, q, 16);
    } else {
      MaddPanel<Ymm, 8, 1>(p, q, 8);
    }
  }
}

void RunColumnRange(const ColumnRange& r) { RangeColumns<Ymm>(r); }
void RunSubtractColumns(const SubtractColumns& s) { SubtractFromRows<Ymm>(s); }
void RunQuadMaxima(const QuadMaxima& m) { MaximaOfFour<Ymm>(m.x, m.steps, m.out); }
void RunRowSums(const RowSums& s) { SumRows<Ymm>(s); }
uint32_t RunRowDots(const RowDots& d) { return DotOfRows<Ymm>(d); }

void RunDepthwiseI8(const DepthwiseI8& p) {
  int64_t c = p.channel_begin;
  for (; c + 32 <= p.channel_end; c += 32) DepthwiseChannels<Ymm, MaddRows, 4>(p, c);
  for (; c < p.channel_end; c += 16) DepthwiseChannels<Xmm, MaddRows, 4>(p, c);
}

void RunDepthwiseFlatI8(const DepthwiseI8& p) { DepthwiseFlat<Ymm, MaddRows>(p); }

// 4 x 16: 8 accumulators, 4 halves of weights, 2 of a row, 1 temporary of 16 registers.
void RunWideProduct(const WideProduct& p) {
  if (p.width == 16) {
    WidePanel<Ymm, 4, 16>(p);
  } else {
    WidePanel<Ymm, 8, 8>(p);
  }
}

}  // namespace

const Kernels kAvx2 = {
    .sums_in_16_bits = true,
    .peak_i8 = {&PeakPairs<Ymm>::Run, PeakPairs<Ymm>::kMacs},
    .peak_f32 = {&PeakFloats<Ymm>::Run, PeakFloats<Ymm>::kMacs},
    .product_i8 = &RunProductI8,
    .wide_product = &RunWideProduct,
    .column_range = &RunColumnRange,
    .subtract_columns = &RunSubtractColumns,
    .quad_maxima = &RunQuadMaxima,
    .row_sums = &RunRowSums,
    .row_dots = &RunRowDots,
    .dot_bytes = 32,
    .depthwise_i8 = &RunDepthwiseI8,
    .depthwise_flat_i8 = &RunDepthwiseFlatI8,
    .flat_channels = 16,
};

}  // namespace whit::simd
