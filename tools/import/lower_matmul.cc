// FULLY_CONNECTED and BATCH_MATMUL: a constant right side becomes packed weights, any other a
// BatchMatMul.
#include <algorithm>

#include "tools/import/lowering.h"
#include "tools/import/packing.h"

namespace whit::tools {

namespace {

// x[..., K] * weights[n][K] + bias -> out[..., n]. `source` describes the weights; shapes are set.
Status EmitFullyConnected(Lowering& l, int x, const WeightArray& source, int bias, int out,
                          tflite::ActivationFunctionType activation) {
  WHIT_ASSIGN_OR_RETURN(const ProductKind kind,
                        KindOf(l, l.tensor(x), *source.tensor, l.tensor(out)));
  WHIT_ASSIGN_OR_RETURN(const Clamp clamp, l.Activation(activation, l.tensor(out)));
  fbs::FullyConnectedOptionsT o;
  WHIT_ASSIGN_OR_RETURN(o.weights, AddWeights(l, source));
  WHIT_ASSIGN_OR_RETURN(const ProductBlobs blobs, AddProductBlobs(l, kind, l.tensor(x), o.weights,
                                                                  bias, l.tensor(out), true));
  o.bias = blobs.bias, o.multiplier = blobs.multiplier;
  o.lo = clamp.lo, o.hi = clamp.hi;
  return l.Emit(OpType::kFullyConnected, std::move(o), {x}, {out});
}

// Weights computed at run time: a product of two activations, and a sum for a float bias.
Status LowerDynamicWeights(Lowering& l, int x, tflite::ActivationFunctionType activation) {
  WHIT_ASSIGN_OR_RETURN(const Clamp clamp, l.Activation(activation, l.output(0)));
  const bool bias = l.has(2);
  if (bias && !l.output(0).is_float()) {
    return l.Unsupported("integer weights computed at run time together with a bias");
  }
  fbs::BatchMatMulOptionsT o;
  o.adj_y = true;
  if (!bias) {
    o.lo = clamp.lo, o.hi = clamp.hi;
    return l.Emit(OpType::kBatchMatMul, std::move(o), {x, l.in(1)}, {l.out(0)});
  }
  WHIT_ASSIGN_OR_RETURN(const int product, l.Temp(l.out(0), l.output(0).shape));
  WHIT_RETURN_IF_ERROR(l.Emit(OpType::kBatchMatMul, std::move(o), {x, l.in(1)}, {product}));
  fbs::BinaryOptionsT sum;
  sum.lo = clamp.lo, sum.hi = clamp.hi;
  return l.Emit(OpType::kAdd, std::move(sum), {product, l.in(2)}, {l.out(0)});
}

Status LowerFullyConnected(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(2, 3, 1));
  const auto opt = l.Options(&tflite::Operator::builtin_options_as_FullyConnectedOptions);
  if (opt.weights_format != tflite::FullyConnectedOptionsWeightsFormat::DEFAULT) {
    return l.Unsupported("shuffled weights");
  }
  const Shape ws = l.input(1).shape;  // [n, K]
  if (ws.rank() != 2 || ws[0] < 1 || ws[1] < 1) {
    return l.Invalid("weights must have 2 axes, have shape " + ws.ToString());
  }
  const Shape in = l.input(0).shape;
  const int64_t k = ws[1];
  if (in.elements() % k != 0 || in.elements() == 0) {
    return l.Invalid("an input of shape " + in.ToString() + " is not made of rows of " +
                     std::to_string(k));
  }
  Shape rows = in;  // as the product reads it: [..., K]
  if (!opt.keep_num_dims && in.rank() != 2) rows = Shape{in.elements() / k, k};
  if (!opt.keep_num_dims && in.rank() == 2 && in[1] != k) rows = Shape{in.elements() / k, k};
  if (rows.rank() < 1 || rows.back() != k) {
    return l.Invalid("the last axis of " + in.ToString() + " must be " + std::to_string(k));
  }
  Shape result = rows;
  result[rows.rank() - 1] = ws[0];
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), result));
  WHIT_ASSIGN_OR_RETURN(const int x, l.Reshaped(l.in(0), rows));
  if (!l.input(1).is_const()) return LowerDynamicWeights(l, x, opt.fused_activation_function);

  WeightArray source;
  source.tensor = &l.input(1);
  source.values = *l.input(1).constant;
  source.n = ws[0], source.groups = 1, source.runs = 1, source.run_length = k;
  source.shape = {ws[0], k};
  return EmitFullyConnected(l, x, source, l.has(2) ? l.in(2) : -1, l.out(0),
                            opt.fused_activation_function);
}

Status LowerBatchMatMul(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(2, 2, 1));
  const auto opt = l.Options(&tflite::Operator::builtin_options_as_BatchMatMulOptions);
  const Shape x = l.input(0).shape, y = l.input(1).shape;
  WHIT_ASSIGN_OR_RETURN(const Shape out, ProductShape(l, x, y, opt.adj_x, opt.adj_y));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), out));
  const bool one_matrix = y.Product(0, y.rank() - 2) == 1 && y.rank() <= x.rank();
  if (!l.input(1).is_const() || l.input(0).is_const() || !one_matrix || opt.adj_x ||
      y.elements() == 0) {
    fbs::BatchMatMulOptionsT o;
    o.adj_x = opt.adj_x, o.adj_y = opt.adj_y;
    return l.Emit(OpType::kBatchMatMul, std::move(o), {l.in(0), l.in(1)}, {l.out(0)});
  }
  const int64_t rows = y[y.rank() - 2], cols = y.back();
  WeightArray source;
  source.tensor = &l.input(1);
  Bytes transposed;
  if (opt.adj_y) {
    source.values = *l.input(1).constant;
  } else {
    WHIT_ASSIGN_OR_RETURN(transposed, TransposedMatrix(l, *l.input(1).constant, rows, cols,
                                                       DTypeSize(l.input(1).type)));
    source.values = transposed;
    source.transposed = true;
  }
  source.n = opt.adj_y ? rows : cols;
  source.groups = 1, source.runs = 1;
  source.run_length = opt.adj_y ? cols : rows;
  source.shape = {source.n, source.run_length};
  return EmitFullyConnected(l, l.in(0), source, -1, l.out(0), tflite::ActivationFunctionType::NONE);
}

}  // namespace

std::span<const LowerRow> MatmulRows() {
  static constexpr LowerRow kRows[] = {
      {BuiltinOperator::FULLY_CONNECTED, LowerFullyConnected},
      {BuiltinOperator::BATCH_MATMUL, LowerBatchMatMul},
  };
  return kRows;
}

}  // namespace whit::tools
