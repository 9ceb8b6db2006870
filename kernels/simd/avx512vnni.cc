// The tier avx512vnni: AVX512F, BW, VL, DQ and VNNI.
#include <immintrin.h>

#include "kernels/simd/kernels.h"
#include "kernels/simd/tables.h"

namespace whit::simd {
namespace {

#include "kernels/simd/common.inl"
#define WHIT_DOT_XMM "vpdpbusd"
#define WHIT_DOT_YMM "vpdpbusd"
#define WHIT_DOT_WORDS_YMM "vpdpwssd"
#include "kernels/simd/xmm.h"
#include "kernels/simd/ymm.h"
#include "kernels/simd/zmm.h"
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

// 8 rows x 32 channels: 16 accumulators cover the latency of 5 at two dots a cycle with 10 loads
// for 16 dots. Few rows take four panels instead; a last panel of 8 lies in half a register.
void RunProductI8(const ProductI8& p) {
  const int64_t panels = PanelsOf(p.n), full = panels - (PanelWidth(p.n, panels - 1) == 8);
  const int64_t end = Min(p.panel_end, full);
  int64_t q = p.panel_begin;
  if (p.count <= 4) {
    for (; q + 4 <= end; q += 4) DotPanels<Zmm, 4, 4>(p, q, 16);
  }
  for (; q + 2 <= end; q += 2) DotPanels<Zmm, 8, 2>(p, q, 16);
  for (; q < end; ++q) DotPanels<Zmm, 8, 1>(p, q, 16);
  for (; q < p.panel_end; ++q) DotPanels<Ymm, 8, 1>(p, q, 8);
}

void RunRowSums(const RowSums& s) { SumRows<Ymm>(s); }
uint32_t RunRowDots(const RowDots& d) { return DotOfRows<Ymm>(d); }

void RunDepthwiseI8(const DepthwiseI8& p) {
  int64_t c = p.channel_begin;
  for (; c + 64 <= p.channel_end; c += 64) DepthwiseChannels<Zmm, DotRows, 4>(p, c);
  for (; c + 32 <= p.channel_end; c += 32) DepthwiseChannels<Ymm, DotRows, 4>(p, c);
  for (; c < p.channel_end; c += 16) DepthwiseChannels<Xmm, DotRows, 4>(p, c);
}

void RunDepthwiseFlatI8(const DepthwiseI8& p) { DepthwiseFlat<Zmm, DotRows>(p); }

// 12 x 16: as many accumulators as the latency of 5 at two a cycle wants, and rests are rarer.
void RunWideProduct(const WideProduct& p) {
  if (p.width == 16) {
    WidePanel<Zmm, 12, 16>(p);
  } else {
    WidePanel<Ymm, 12, 8>(p);
  }
}

}  // namespace

const Kernels kAvx512Vnni = {
    .peak_i8 = {&PeakDots<Zmm>::Run, PeakDots<Zmm>::kMacs},
    .peak_f32 = {&PeakFloats<Zmm>::Run, PeakFloats<Zmm>::kMacs},
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
