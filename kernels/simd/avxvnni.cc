// The tier avxvnni: AVX-VNNI and FMA.
#include <immintrin.h>

#include "kernels/simd/kernels.h"
#include "kernels/simd/tables.h"

namespace whit::simd {
namespace {

#include "kernels/simd/common.inl"
#define WHIT_DOT_XMM "%{vex%} vpdpbusd"
#define WHIT_DOT_YMM "%{vex%} vpdpbusd"
#if !defined(WHIT_EMULATE_DOT)
#define WHIT_DOT_WORDS_YMM "%{vex%} vpdpwssd"
#endif
#include "kernels/simd/xmm.h"
#include "kernels/simd/ymm.h"
//
#include "kernels/simd/product_i8.inl"
//
#include "kernels/simd/product_dot.inl"
#include "kernels/simd/rows.inl"
//
#include "kernels/simd/product_wide.inl"
//
#include "kernels/simd/depthwise_i8.inl"
//
#include "kernels/simd/depthwise_flat.inl"
#include "kernels/simd/peak.inl"

// 6 rows x 16 channels: 12 accumulators cover the latency of 5 at two dots a cycle; 2 weights and 1
// row of 16 registers. A single row takes two panels; a panel of 8 channels 12 rows.
void RunProductI8(const ProductI8& p) {
  const int64_t panels = PanelsOf(p.n), full = panels - (PanelWidth(p.n, panels - 1) == 8);
  const int64_t end = Min(p.panel_end, full);
  int64_t q = p.panel_begin;
  if (p.count <= 2) {
    for (; q + 2 <= end; q += 2) DotPanels<Ymm, 2, 4>(p, q, 16);
  }
  for (; q < end; ++q) DotPanels<Ymm, 6, 2>(p, q, 16);
  for (; q < p.panel_end; ++q) DotPanels<Ymm, 8, 1>(p, q, 8);
}

void RunRowSums(const RowSums& s) { SumRows<Ymm>(s); }
uint32_t RunRowDots(const RowDots& d) { return DotOfRows<Ymm>(d); }

void RunDepthwiseI8(const DepthwiseI8& p) {
  int64_t c = p.channel_begin;
  for (; c + 32 <= p.channel_end; c += 32) DepthwiseChannels<Ymm, DotRows, 4>(p, c);
  for (; c < p.channel_end; c += 16) DepthwiseChannels<Xmm, DotRows, 4>(p, c);
}

void RunDepthwiseFlatI8(const DepthwiseI8& p) { DepthwiseFlat<Ymm, DotRows>(p); }

// 5 x 16: 10 accumulators for the latency of 5, 4 halves of weights, 2 of a row.
void RunWideProduct(const WideProduct& p) {
  if (p.width == 16) {
    WidePanel<Ymm, 5, 16>(p);
  } else {
    WidePanel<Ymm, 8, 8>(p);
  }
}

}  // namespace

#if defined(WHIT_EMULATE_DOT)
const Kernels kAvxVnniEmulated = {
#else
const Kernels kAvxVnni = {
#endif
    .peak_i8 = {&PeakDots<Ymm>::Run, PeakDots<Ymm>::kMacs},
    .peak_f32 = {&PeakFloats<Ymm>::Run, PeakFloats<Ymm>::kMacs},
    .product_i8 = &RunProductI8,
    .wide_product = &RunWideProduct,
    .row_sums = &RunRowSums,
    .row_dots = &RunRowDots,
    .dot_bytes = 32,
    .depthwise_i8 = &RunDepthwiseI8,
    .depthwise_flat_i8 = &RunDepthwiseFlatI8,
    .flat_channels = 16,
};

}  // namespace whit::simd
