// TransposeConv2D: x[N,H,W,C] with panel16 weights [O,KH,KW,C], every tap a run -> [N,OH,OW,O].
// Input pixel (iy, ix) and tap (ky, kx) land on output (iy * stride_h - pad_top + ky, ix * stride_w
// - pad_left + kx) if that exists; an output pixel is the bias and the sum of what lands on it. The
// stored bias is not folded (docs/arithmetic.md, 3).
#include "kernels/conv_geometry.h"
#include "kernels/options.h"
#include "kernels/row_product.h"

namespace whit {

const char* const kTypesTransposeConv2D = "int8 uint8 int16 float32 float32xint8";

Status PrepareTransposeConv2D(const PrepareContext& ctx, Prepared* p) {
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::ConvOptions>(ctx));
  WHIT_ASSIGN_OR_RETURN(const PackedWeights* w, ctx.Weights(options->weights()));
  RowProduct product;
  product.transposed = true;
  WHIT_ASSIGN_OR_RETURN(product.g, ReadConvGeometry(ctx, *options, *w, ConvForm::kTranspose));
  WHIT_RETURN_IF_ERROR(
      CheckWeights(ctx, *w, PackedWeights::Layout::kPanel16I8, PackedWeights::Layout::kPanel16F32));
  const ConvGeometry& g = product.g;
  if (w->groups != 1 || w->shape[0] != w->n || w->shape[3] != g.in_c || w->run_length != g.in_c ||
      w->runs != g.kernel_h * g.kernel_w) {
    return ctx.Error(StatusCode::kInvalidModel,
                     "weights '" + w->name + "' of shape " + w->shape.ToString() + ", " +
                         std::to_string(w->groups) + " groups, " + std::to_string(w->runs) +
                         " runs of " + std::to_string(w->run_length) +
                         " do not hold every tap of " + std::to_string(g.in_c) +
                         " input channels as a run");
  }
  WHIT_ASSIGN_OR_RETURN(const ProductKind kind, KindOf(ctx, *w));
  WHIT_ASSIGN_OR_RETURN(product.in, ReadInputCode(ctx, 0));
  WHIT_ASSIGN_OR_RETURN(product.out,
                        ReadChannelOutput(ctx, kind, *w, options->bias(), options->multiplier(),
                                          options->lo(), options->hi()));
  return PrepareRowProduct(ctx, *w, product, p);
}

}  // namespace whit
