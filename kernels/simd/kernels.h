// What an instruction-set tier provides: plain functions over plain structs, one table a tier.
//
// The .inl files of this folder are written once on the wrappers (ymm.h, zmm.h, ...) and compiled
// once per tier with that tier's flags, in an anonymous namespace. This header is seen by those
// compilations too, so it holds no inline function and no standard template: the linker could pick
// a copy made for another CPU (a test looks for such symbols).
//
// Everybody who fills these structs proves what the fields require; kernels check nothing.
#ifndef WHIT_KERNELS_SIMD_KERNELS_H_
#define WHIT_KERNELS_SIMD_KERNELS_H_

#include <cstddef>
#include <cstdint>

namespace whit::simd {

/// How int32 accumulators become stored 8-bit values: z + rne(clamp(f32(acc) * m)) per channel
/// (docs/arithmetic.md, 2). Arrays point at channel 0 of the group that is computed.
struct Requantize8 {
  const int32_t* bias = nullptr;      // folded for canonical int8 activations; null: 0
  const int32_t* sums = nullptr;      // of the stored weights
  const float* multiplier = nullptr;  // > 0, finite
  bool large_multipliers = false;     // some are 1 or more
  // Stored activations are canonical + act_bias: start = bias - act_bias * (sums - sums_minus).
  int32_t act_bias = 0;
  int32_t sums_minus = 0;  // K * weight zero point
  int32_t zero_point = 0;  // stored units
  float lo = 0, hi = 0;    // clamp less the zero point, integers
  // 16 entries may be read at once from any multiple of 16 channels (one group, or whole panels).
  bool whole_panels = true;
};

/// A residual that joins right after the product is rounded, with every rounding of the unfused
/// pair: y8 = requantized product; out = z + rne(clamp((f32(y8 - zy) * ma) + (f32(b - zb) * mb))).
struct Residual8 {
  const uint8_t* b = nullptr;  // at the first row's channel 0 of the group
  int64_t b_stride = 0;        // between rows
  float ma = 0, mb = 0;        // below 2^22, so that a sum is below 2^31
  int32_t b_zero_point = 0;
  int32_t zero_point = 0;  // of the sum, stored units
  float lo = 0, hi = 0;    // of the sum, less its zero point
};

/// Accumulators become floats, of activations that were quantized row by row (docs/arithmetic.md,
/// 3.1): out[i][n] = clamp(f32(acc) * (scale[i] * multiplier[n]) + bias[n]), where acc is the sum
/// less zero[i] * (sums[n] - sums_minus). Of Requantize8 it takes multiplier, sums, sums_minus and
/// whole_panels; act_bias is -1 and bias null, so that start = sums - sums_minus. NaN passes.
struct Dequantize {
  const float* scale = nullptr;   // [count]
  const int32_t* zero = nullptr;  // [count], stored zero points
  const float* bias = nullptr;    // at channel 0 of the group; null: 0
  float lo = 0, hi = 0;
  float* out = nullptr;  // row i at out + i * out_stride
};

/// Rows of 8-bit activations times panels of panel16_i8 (docs/layout.md, 3 and 6).
/// out[i][n] = requantize(start[n] + row_start[i] + sum over steps of 4 bytes at rows[i] +
/// offsets[s] times step s of channel n), for `count` rows and the panels [panel_begin, panel_end).
struct ProductI8 {
  const uint8_t* const* rows = nullptr;  // [count]
  int64_t count = 0;
  int64_t row_shift = 0;             // bytes added to every row: first channel of the group
  const int32_t* offsets = nullptr;  // [steps]
  int64_t steps = 0;
  bool one_run = false;                // offsets[s] == 4 * s
  const int32_t* row_start = nullptr;  // [count], null: 0

  const int8_t* weights = nullptr;  // panel 0 of the group
  int64_t n = 0;                    // channels of the group
  int64_t panel_begin = 0, panel_end = 0;

  Requantize8 quant;
  const Residual8* residual = nullptr;
  const Dequantize* dequantize = nullptr;  // floats instead of bytes; no residual
  uint8_t* out = nullptr;  // row i at out + i * out_stride, channel 0 of the group first
  int64_t out_stride = 0;
  // [16], 64-aligned, or null: to entry n % 16 the accumulators of each real channel n are added,
  // before they are rounded (kernels/product_check.h): those of row i 1 + row_spread * i times, on
  // tiers of signed activations; others take 0 alone.
  int32_t* total = nullptr;
  int32_t row_spread = 0;

  // Tiers that sum in 16 bits: bounds of this block's activations and of the weights
  // (docs/layout.md, 5), arrays padded with 64 zeros. centre: what was subtracted from the
  // activations of each k, [4 * steps], or null.
  const uint8_t *step_max = nullptr, *pair_max = nullptr;
  const uint8_t *limit1 = nullptr, *limit2 = nullptr;
  const uint8_t* centre = nullptr;
  void* lists = nullptr;  // kListBytesPerStep * (steps + 1) bytes, 4-aligned

  // Of ARM tiers that load several steps at once: offsets grow by 4 inside a run of run_steps; 0:
  // all steps are one run.
  int64_t run_steps = 0;
  // Of those that sum two signed products in 16 bits: docs/layout.md, 5, of panel 0 of the
  // group; null: as if all bits were set.
  const uint8_t* pair_flags = nullptr;
  // Of those that zip panels for many rows: 128 bytes for every pair of steps of every run, or
  // null.
  void* zipped = nullptr;
};

/// Bytes of ProductI8::lists a step: half an entry of pairs, one of singles, one of wides, 12 bytes
/// each.
constexpr int64_t kListBytesPerStep = 30;

/// sums[i][c] += rows[i] times channel c of one panel of panel16_i8, modulo 2^32, for rows of int16
/// in the order of kernels/product.h. `width` is the panel's, 8 or 16; sums have 16 entries a row.
struct WideProduct {
  const int16_t* rows = nullptr;
  int64_t stride = 0, count = 0;  // between rows, in elements
  const int8_t* panel = nullptr;
  int64_t width = 16, steps = 0;
  int32_t* sums = nullptr;  // [count][16]
};

/// Smallest and largest byte of each column: rows i = 0 .. count-1 of `k` bytes at x + i * stride.
struct ColumnRange {
  const uint8_t* x = nullptr;
  int64_t stride = 0, count = 0, k = 0;
  uint8_t *smallest = nullptr, *largest = nullptr;  // [k rounded up to 64]
};

/// y[i][j] = x[i][j] - c[j] for the same rows; y may be x. Writes up to 63 bytes behind column k of
/// a row, so rows are written in order.
struct SubtractColumns {
  const uint8_t* x = nullptr;
  int64_t stride = 0, count = 0, k = 0;
  const uint8_t* c = nullptr;  // [k rounded up to 64]
  uint8_t* y = nullptr;
  int64_t y_stride = 0;
};

/// out[s] = largest of the four bytes at x + 4 s. x is padded with zeros to a multiple of 256
/// bytes, out is written to a multiple of 64.
struct QuadMaxima {
  const uint8_t* x = nullptr;
  int64_t steps = 0;
  uint8_t* out = nullptr;
};

/// sums[i] = scale * (sum of the bytes of the runs of row i), modulo 2^32; a run is `length` bytes
/// at rows[i] + shift + offsets[r].
struct RowSums {
  const uint8_t* const* rows = nullptr;
  int64_t count = 0, shift = 0;
  const int32_t* offsets = nullptr;  // [runs]
  int64_t runs = 0, length = 0;
  int32_t scale = 1;
  int32_t* sums = nullptr;  // [count rounded up to 4]
};

/// The sum over all rows and runs of activations times a table (kernels/product_check.h), modulo
/// 2^32, where row i counts as in ProductI8::total; a run is table_run bytes at rows[i] + shift + offsets[r], a multiple of
/// Kernels::dot_bytes, of which those behind its own meet zeros.
struct RowDots {
  const uint8_t* const* rows = nullptr;
  int64_t count = 0, shift = 0;
  const int32_t* offsets = nullptr;  // [runs]
  int64_t runs = 0, table_run = 0;
  const int16_t* table = nullptr;  // [runs][table_run]
  int32_t row_spread = 0;
};

/// Depthwise convolution of some output lines and channels of one image (docs/layout.md, 4).
struct DepthwiseI8 {
  const uint8_t* x = nullptr;  // the image's first pixel
  int64_t in_h = 0, in_w = 0, in_c = 0;
  int64_t kernel_h = 0, kernel_w = 0, stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
  int64_t pad_top = 0, pad_left = 0;
  int64_t multiplier = 1;  // output channel o reads input channel o / multiplier
  uint8_t zero = 0;        // what padding taps read

  const int8_t* weights = nullptr;  // dw16_i8
  int32_t weight_zero_point = 0;    // tiers with four-byte dot products: above -128
  Requantize8 quant;

  uint8_t* out = nullptr;             // the image's first output pixel
  int64_t out_w = 0, out_stride = 0;  // outputs of a line; between output pixels
  int64_t line_begin = 0, line_end = 0;
  int64_t channel_begin = 0, channel_end = 0;  // begin is a multiple of 16
  uint8_t* scratch = nullptr;                  // column_depthwise.cc has the size
  // [16], 64-aligned, or null: to its entries, whichever, all accumulators of real channels are
  // added before they are rounded (kernels/simd/depthwise_check.h).
  int32_t* total = nullptr;
};

/// Interleaved columns of one stretch of a depthwise line: a part of L1 beside the input's lines.
constexpr int64_t kDepthwiseColumnBytes = 12 * 1024;

/// Of depthwise_flat_i8: most rows of taps under two output lines, and most columns.
constexpr int64_t kMostFlatTaps = 16;

/// A loop of multiply-accumulates on registers alone, `macs` of them a round: a tier's peak.
struct PeakLoop {
  void (*run)(int64_t rounds) = nullptr;
  int64_t macs = 0;
};

/// The functions of one tier. A null pointer: this tier has no such kernel.
struct Kernels {
  bool sums_in_16_bits = false;   // wants step_max, pair_max, limits, lists of ProductI8
  int64_t zips_rows = INT64_MAX;  // from so many rows on it wants zipped of ProductI8
  bool any_data = false;  // takes every range as full, so that time depends on no activation
  PeakLoop peak_i8, peak_f32;
  void (*product_i8)(const ProductI8&) = nullptr;
  void (*wide_product)(const WideProduct&) = nullptr;  // not SSE4.1: portable code is SSE2
  void (*column_range)(const ColumnRange&) = nullptr;
  void (*subtract_columns)(const SubtractColumns&) = nullptr;
  void (*quad_maxima)(const QuadMaxima&) = nullptr;
  void (*row_sums)(const RowSums&) = nullptr;
  uint32_t (*row_dots)(const RowDots&) = nullptr;
  int64_t dot_bytes = 0;  // that row_dots takes at once
  void (*depthwise_i8)(const DepthwiseI8&) = nullptr;
  // The same where an output pixel fills no registers (depthwise_flat.inl); multiplier 1,
  // out_stride == in_c, all channels in one call.
  void (*depthwise_flat_i8)(const DepthwiseI8&) = nullptr;
  int64_t flat_channels = 0;  // up to how many it is the faster one (bench/conv_bench.cc)
};

}  // namespace whit::simd

#endif  // WHIT_KERNELS_SIMD_KERNELS_H_
