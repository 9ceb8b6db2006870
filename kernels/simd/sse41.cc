// The tier sse41: SSE4.1.
#include <smmintrin.h>

#include "kernels/simd/kernels.h"
#include "kernels/simd/tables.h"

namespace whit::simd {
namespace {

#include "kernels/simd/common.inl"
//
#include "kernels/simd/xmm.h"
//
#include "kernels/simd/product_i8.inl"
//
#include "kernels/simd/product_madd.inl"
#include "kernels/simd/rows.inl"
//
#include "kernels/simd/depthwise_i8.inl"
//
#include "kernels/simd/depthwise_flat.inl"
#include "kernels/simd/peak.inl"

// 2 rows x 16 channels: 8 accumulators, 4 rows of activations, 2 weights, 2 temporaries of 16
// registers. A panel of 8 channels takes 4 rows.
void RunProductI8(const ProductI8& p) {
  for (int64_t q = p.panel_begin; q < p.panel_end; ++q) {
    if (PanelWidth(p.n, q) == 16) {
      MaddPanel<Xmm, 2, 4>(p, q, 16);
    } else {
      MaddPanel<Xmm, 4, 2>(p, q, 8);
    }
  }
}

void RunColumnRange(const ColumnRange& r) { RangeColumns<Xmm>(r); }
void RunSubtractColumns(const SubtractColumns& s) { SubtractFromRows<Xmm>(s); }
void RunQuadMaxima(const QuadMaxima& m) { MaximaOfFour<Xmm>(m.x, m.steps, m.out); }
void RunRowSums(const RowSums& s) { SumRows<Xmm>(s); }
uint32_t RunRowDots(const RowDots& d) { return DotOfRows<Xmm>(d); }

void RunDepthwiseI8(const DepthwiseI8& p) {
  int64_t c = p.channel_begin;
  for (; c < p.channel_end; c += 16) DepthwiseChannels<Xmm, MaddRows, 4>(p, c);
}

void RunDepthwiseFlatI8(const DepthwiseI8& p) { DepthwiseFlat<Xmm, MaddRows>(p); }

}  // namespace

const Kernels kSse41 = {
    .sums_in_16_bits = true,
    .peak_i8 = {&PeakPairs<Xmm>::Run, PeakPairs<Xmm>::kMacs},
    .peak_f32 = {&PeakFloats<Xmm>::Run, PeakFloats<Xmm>::kMacs},
    .product_i8 = &RunProductI8,
    .column_range = &RunColumnRange,
    .subtract_columns = &RunSubtractColumns,
    .quad_maxima = &RunQuadMaxima,
    .row_sums = &RunRowSums,
    .row_dots = &RunRowDots,
    .dot_bytes = 16,
    .depthwise_i8 = &RunDepthwiseI8,
    .depthwise_flat_i8 = &RunDepthwiseFlatI8,
    .flat_channels = 8,
};

}  // namespace whit::simd
