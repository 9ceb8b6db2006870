// FullyConnected: x[..., K] with panel16 weights [O,K] -> [..., O]: every row of the input for
// itself. One run of K. Arithmetic: docs/arithmetic.md, 3.
#include "kernels/options.h"
#include "kernels/row_product.h"

namespace whit {

const char* const kTypesFullyConnected = "int8 uint8 int16 float32 float32xint8";

Status PrepareFullyConnected(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::FullyConnectedOptions>(ctx));
  WHIT_ASSIGN_OR_RETURN(const PackedWeights* weights, ctx.Weights(options->weights()));
  WHIT_RETURN_IF_ERROR(CheckWeights(ctx, *weights, PackedWeights::Layout::kPanel16I8,
                                    PackedWeights::Layout::kPanel16F32));
  const Shape& x = ctx.in[0].shape;
  if (x.rank() < 1 || x.back() != weights->run_length || weights->runs != 1 ||
      weights->groups != 1) {
    return ctx.Error(StatusCode::kInvalidModel,
                     "input " + x.ToString() + " does not end in the " +
                         std::to_string(weights->k()) + " values of one run of weights '" +
                         weights->name + "' (" + std::to_string(weights->groups) + " groups, " +
                         std::to_string(weights->runs) + " runs)");
  }
  Shape y = x;
  y[y.rank() - 1] = weights->n;
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(0, y));

  RowProduct product;
  product.g.in_w = product.g.out_w = x.Product(0, x.rank() - 1);
  product.g.in_c = weights->run_length;
  product.g.out_c = weights->n;
  product.quantize_pixels = true;
  WHIT_ASSIGN_OR_RETURN(const ProductKind kind, KindOf(ctx, *weights));
  WHIT_ASSIGN_OR_RETURN(product.in, ReadInputCode(ctx, 0));
  WHIT_ASSIGN_OR_RETURN(
      product.out, ReadChannelOutput(ctx, kind, *weights, options->bias(), options->multiplier(),
                                     options->lo(), options->hi()));
  return PrepareRowProduct(ctx, *weights, product, p);
}

}  // namespace whit
