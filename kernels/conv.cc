// Conv2D: x[N,H,W,C] with panel16 weights [O,KH,KW,C/groups] -> [N,OH,OW,O]. Arithmetic:
// docs/arithmetic.md, 3.
#include "kernels/conv_geometry.h"
#include "kernels/options.h"
#include "kernels/pack.h"
#include "kernels/row_product.h"

namespace whit {
namespace {

/// The weights' K is what this convolution reads: input channels over groups, and runs that are
/// kernel rows or taps. Runs of taps serve every dilation; a kernel row is one run only where
/// ConvRuns says so.
Status CheckRuns(const PrepareContext& ctx, const PackedWeights& w, const ConvGeometry& g) {
  const int64_t cin = w.shape[3];
  if (g.in_c % w.groups != 0 || cin != g.in_c / w.groups) {
    return ctx.Error(StatusCode::kInvalidModel, "weights read " + std::to_string(cin) +
                                                    " channels in " + std::to_string(w.groups) +
                                                    " groups, the input has " +
                                                    std::to_string(g.in_c));
  }
  const Runs rows = ConvRuns(g.kernel_h, g.kernel_w, cin, w.groups, g.dilation_w);
  const bool by_rows = w.runs == rows.runs && w.run_length == rows.run_length;
  const bool by_taps = w.runs == g.kernel_h * g.kernel_w && w.run_length == cin;
  if (w.shape[0] == w.n && (by_rows || by_taps)) return OkStatus();
  return ctx.Error(StatusCode::kInvalidModel,
                   "weights '" + w.name + "' of shape " + w.shape.ToString() + " are packed for " +
                       std::to_string(w.n) + " channels of " + std::to_string(w.runs) +
                       " runs of " + std::to_string(w.run_length));
}

}  // namespace

const char* const kTypesConv2D = "int8 uint8 int16 float32 float32xint8";

Status PrepareConv2D(const PrepareContext& ctx, Prepared* p) {
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::ConvOptions>(ctx));
  WHIT_ASSIGN_OR_RETURN(const PackedWeights* weights, ctx.Weights(options->weights()));
  RowProduct product;
  WHIT_ASSIGN_OR_RETURN(product.g, ReadConvGeometry(ctx, *options, *weights, ConvForm::kConv));
  WHIT_RETURN_IF_ERROR(CheckWeights(ctx, *weights, PackedWeights::Layout::kPanel16I8,
                                    PackedWeights::Layout::kPanel16F32));
  WHIT_RETURN_IF_ERROR(CheckRuns(ctx, *weights, product.g));
  WHIT_ASSIGN_OR_RETURN(const ProductKind kind, KindOf(ctx, *weights));
  WHIT_ASSIGN_OR_RETURN(product.in, ReadInputCode(ctx, 0));
  WHIT_ASSIGN_OR_RETURN(
      product.out, ReadChannelOutput(ctx, kind, *weights, options->bias(), options->multiplier(),
                                     options->lo(), options->hi()));
  const ConvGeometry& g = product.g;
  product.quantize_pixels = g.kernel_h == 1 && g.kernel_w == 1 && g.stride_h == 1 &&
                            g.stride_w == 1 && g.in_h == g.out_h && g.in_w == g.out_w &&
                            weights->groups == 1;
  return PrepareRowProduct(ctx, *weights, product, p);
}

}  // namespace whit
