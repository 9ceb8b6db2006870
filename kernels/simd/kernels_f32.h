// What a tier provides for float32 weights: products and depthwise convolution. Rules as in
// kernels.h.
//
// An output is bias, then one product after the other in the order of the weights, each added with
// one rounding where the tier has fused multiply-add: its bytes depend on the tier alone, never on
// its place in a tile.
#ifndef WHIT_KERNELS_SIMD_KERNELS_F32_H_
#define WHIT_KERNELS_SIMD_KERNELS_F32_H_

#include <cstdint>

namespace whit::simd {

/// Rows of floats times panels of panel16_f32 (docs/layout.md, 4):
/// out[i][n] = clamp(bias[n] + sum over runs r and k < run_length of the float at rows[i] +
/// row_shift + offsets[r] + 4 k times element (r, k) of channel n), for `count` rows and the panels
/// [panel_begin, panel_end). min and max of the clamp leave NaN alone.
struct ProductF32 {
  const uint8_t* const* rows = nullptr;  // [count]
  int64_t count = 0;
  int64_t row_shift = 0;             // bytes added to every row: first channel of the group
  const int32_t* offsets = nullptr;  // [runs], bytes
  int64_t runs = 0, run_length = 0;
  // Which runs of the panels these are, of `panel_runs` each; null: all of them in order.
  const int32_t* run_index = nullptr;
  int64_t panel_runs = 0;

  const float* weights = nullptr;  // panel 0 of the group
  int64_t n = 0;                   // channels of the group
  int64_t panel_begin = 0, panel_end = 0;

  const float* bias = nullptr;  // [n], null: 0
  // 16 entries of bias may be read at once from any multiple of 16 channels.
  bool whole_panels = true;
  float lo = 0, hi = 0;

  // A residual that joins after the clamp: out = clamp(clamp(sum) + addend). May be `out` itself.
  const float* addend = nullptr;  // null: none; at the first row's channel 0 of the group
  int64_t addend_stride = 0;      // between rows, elements
  float sum_lo = 0, sum_hi = 0;

  float* out = nullptr;  // row i at out + i * out_stride, channel 0 of the group first
  int64_t out_stride = 0;
};

/// Depthwise convolution of some output lines and channels of one image, weights dw16_f32.
struct DepthwiseF32 {
  const float* x = nullptr;  // the image's first pixel
  int64_t in_h = 0, in_w = 0, in_c = 0;
  int64_t kernel_h = 0, kernel_w = 0, stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
  int64_t pad_top = 0, pad_left = 0;
  int64_t multiplier = 1;  // output channel o reads input channel o / multiplier

  const float* weights = nullptr;
  const float* bias = nullptr;  // null: 0; 16 entries may be read from any multiple of 16
  float lo = 0, hi = 0;

  float* out = nullptr;               // the image's first output pixel
  int64_t out_w = 0, out_stride = 0;  // outputs of a line; elements between output pixels
  int64_t line_begin = 0, line_end = 0;
  int64_t channel_begin = 0, channel_end = 0;  // begin is a multiple of 16
};

/// out[i] = zero + rne(clamp(x[i] * inverse, lo, hi)), i < n; NaN becomes zero + lo. 64 bytes
/// behind x may be read, 15 behind out written. Zero and codes as the tier stores activations.
struct QuantizeF32 {
  const float* x = nullptr;
  int64_t n = 0;
  float inverse = 0, lo = 0, hi = 0;  // |lo|, |hi| <= 255, integers
  int32_t zero = 0;                   // as zero + lo and zero + hi in the range of a code
  uint8_t* out = nullptr;
};

// Winograd's F(2x2, 3x3). A matrix of 4 x 4 is 16 positions, `step` floats apart.

/// One panel of a 3x3 kernel, [9][cin][16], to 16 of [cin][16].
struct WinogradWeights {
  const float* panel = nullptr;
  int64_t cin = 0;
  float* u = nullptr;
  int64_t u_step = 0;
};

/// 4 x 4 pixels. Channels are read and written 16 at a time.
struct WinogradInput {
  const float* x = nullptr;
  int64_t line = 0, pixel = 0;  // floats between lines and pixels
  int64_t channels = 0;
  float* v = nullptr;
  int64_t v_step = 0;
};

/// Up to 2 x 2 outputs.
struct WinogradOutput {
  const float* m = nullptr;
  int64_t m_step = 0;
  int64_t channels = 0;
  const float* bias = nullptr;  // null: 0; 16 entries may be read from any multiple of 16
  float lo = 0, hi = 0;
  const float* addend = nullptr;  // as in ProductF32
  int64_t addend_line = 0, addend_pixel = 0;
  float sum_lo = 0, sum_hi = 0;
  float* out = nullptr;
  int64_t out_line = 0, out_pixel = 0;
  int lines = 2, pixels = 2;  // that exist
};

/// The functions of one tier.
struct F32Kernels {
  const char* tier = "";  // whose code this is: tiers may share a table
  void (*product)(const ProductF32&) = nullptr;
  void (*depthwise)(const DepthwiseF32&) = nullptr;
  /// Smallest and largest of n values and 0; NaN is left out.
  void (*range)(const float* x, int64_t n, float* lo, float* hi) = nullptr;
  void (*quantize)(const QuantizeF32&) = nullptr;
  void (*winograd_weights)(const WinogradWeights&) = nullptr;
  void (*winograd_input)(const WinogradInput&) = nullptr;
  void (*winograd_output)(const WinogradOutput&) = nullptr;
};

}  // namespace whit::simd

#endif  // WHIT_KERNELS_SIMD_KERNELS_F32_H_
