// Shapes, strides, dilations and padding of the convolutions: read from the option table and proved
// consistent.
#ifndef WHIT_KERNELS_CONV_GEOMETRY_H_
#define WHIT_KERNELS_CONV_GEOMETRY_H_

#include <cstdint>

#include "kernels/op.h"

namespace whit {
namespace fbs {
struct ConvOptions;
}

/// Input [batch, in_h, in_w, in_c], output [batch, out_h, out_w, out_c], NHWC. Tap (ky, kx) of
/// output (oy, ox) reads input (oy * stride_h - pad_top + ky * dilation_h, the same for x); of a
/// transposed convolution input (iy, ix) lands on (iy * stride_h - pad_top + ky, ...).
struct ConvGeometry {
  int64_t batch = 1, in_h = 1, in_w = 1, in_c = 1;
  int64_t out_h = 1, out_w = 1, out_c = 1;
  int64_t kernel_h = 1, kernel_w = 1;
  int64_t stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
  int64_t pad_top = 0, pad_left = 0;

  int64_t out_pixels() const { return batch * out_h * out_w; }
};

enum class ConvForm : uint8_t { kConv, kDepthwise, kTranspose };

/// Checks inputs, outputs and options against the logical shape of the weights ([O,H,W,I],
/// depthwise [H,W,C]) and against each other: strides and dilations > 0, the dilated filter inside
/// the padded input, the output's declared shape. The relation of input channels to the weights is
/// the caller's to check.
Result<ConvGeometry> ReadConvGeometry(const PrepareContext& ctx, const fbs::ConvOptions& options,
                                      const PackedWeights& weights, ConvForm form);

}  // namespace whit

#endif  // WHIT_KERNELS_CONV_GEOMETRY_H_
