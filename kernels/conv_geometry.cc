#include "kernels/conv_geometry.h"

#include "schema/model_generated.h"

namespace whit {
namespace {

/// One spatial axis.
struct Axis {
  const char* name;
  int64_t in, out, kernel, stride, dilation, before, after;  // out: as declared
};

/// Output size along an axis; nothing here overflows: every number is below 2^32, the kernel times
/// the dilation below 2^63.
Result<int64_t> OutputSize(const PrepareContext& ctx, const Axis& a, ConvForm form) {
  if (a.kernel < 1 || a.kernel > INT32_MAX) {
    return ctx.Error(StatusCode::kInvalidModel,
                     "filter of " + std::to_string(a.kernel) + " along " + a.name);
  }
  if (a.stride < 1 || a.dilation < 1) {
    return ctx.Error(StatusCode::kInvalidModel, std::string("stride and dilation along ") + a.name +
                                                    " must be at least 1, are " +
                                                    std::to_string(a.stride) + " and " +
                                                    std::to_string(a.dilation));
  }
  if (form == ConvForm::kTranspose) {
    if (a.dilation != 1) {
      return ctx.Error(StatusCode::kUnsupported,
                       "dilation " + std::to_string(a.dilation) + " of a transposed convolution");
    }
    // The full output less what is cut off. A stride above the kernel leaves up to stride - 1 rows
    // between landings; behind the last one the output may keep some of them, which hold the bias.
    const int64_t full = a.in == 0 ? 0 : (a.in - 1) * a.stride + a.kernel;
    const int64_t size = full - a.before - a.after;
    const bool longer = a.after == 0 && a.out > size && a.out - size < a.stride;
    if (size >= 0 && (a.out == size || longer)) return a.out;
    return ctx.Error(StatusCode::kInvalidModel,
                     "full output of " + std::to_string(full) + " along " + a.name + " less " +
                         std::to_string(a.before) + " and " + std::to_string(a.after) +
                         " does not give the declared " + std::to_string(a.out));
  }
  const int64_t extent = (a.kernel - 1) * a.dilation + 1;
  const int64_t padded = a.in + a.before + a.after;
  if (extent > padded) {
    return ctx.Error(StatusCode::kInvalidModel,
                     std::string("filter of ") + std::to_string(extent) + " along " + a.name +
                         " does not fit the padded input of " + std::to_string(padded));
  }
  return (padded - extent) / a.stride + 1;
}

}  // namespace

Result<ConvGeometry> ReadConvGeometry(const PrepareContext& ctx, const fbs::ConvOptions& options,
                                      const PackedWeights& weights, ConvForm form) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  const Shape& x = ctx.in[0].shape;
  const Shape& y = ctx.out[0].shape;
  const bool depthwise = form == ConvForm::kDepthwise;
  if (x.rank() != 4 || y.rank() != 4 || weights.shape.rank() != (depthwise ? 3 : 4)) {
    return ctx.Error(StatusCode::kInvalidModel, "input " + x.ToString() + ", output " +
                                                    y.ToString() + ", weights " +
                                                    weights.shape.ToString() + ": wrong rank");
  }
  const int first = depthwise ? 0 : 1;  // the weights' axis of the kernel's height
  ConvGeometry g;
  g.batch = x[0], g.in_h = x[1], g.in_w = x[2], g.in_c = x[3];
  g.kernel_h = weights.shape[first], g.kernel_w = weights.shape[first + 1];
  g.out_c = weights.n;
  g.stride_h = options.stride_h(), g.stride_w = options.stride_w();
  g.dilation_h = options.dilation_h(), g.dilation_w = options.dilation_w();
  g.pad_top = options.pad_top(), g.pad_left = options.pad_left();
  WHIT_ASSIGN_OR_RETURN(g.out_h, OutputSize(ctx,
                                            {"height", g.in_h, y[1], g.kernel_h, g.stride_h,
                                             g.dilation_h, g.pad_top, options.pad_bottom()},
                                            form));
  WHIT_ASSIGN_OR_RETURN(g.out_w, OutputSize(ctx,
                                            {"width", g.in_w, y[2], g.kernel_w, g.stride_w,
                                             g.dilation_w, g.pad_left, options.pad_right()},
                                            form));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(0, Shape{g.batch, g.out_h, g.out_w, g.out_c}));
  return g;
}

}  // namespace whit
