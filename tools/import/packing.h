// From constant tensors to packed weights, folded biases and multipliers (docs/layout.md,
// docs/arithmetic.md 3).
#ifndef WHIT_TOOLS_IMPORT_PACKING_H_
#define WHIT_TOOLS_IMPORT_PACKING_H_

#include "kernels/pack.h"
#include "tools/import/scope.h"

namespace whit::tools {

/// How an operator's arithmetic is chosen from its operand types.
enum class ProductKind { kInt8, kInt16, kFloat, kHybrid };

/// The kind of x * w, or kUnsupported naming both types. Checks the quantization that the kind
/// needs: of x, and of `out`.
Result<ProductKind> KindOf(Scope& l, const GraphTensor& x, const GraphTensor& w,
                           const GraphTensor& out);

/// A logical weight array to be packed.
struct WeightArray {
  const GraphTensor* tensor =
      nullptr;  // constant; data in the order of docs/layout.md unless `values` says otherwise
  std::span<const std::byte> values;  // in order [n][K], or [taps][n] for depthwise
  bool depthwise = false;
  bool transposed = false;  // `values` is the tensor's data with its two axes exchanged
  int64_t n = 0, groups = 1, runs = 1, run_length = 0;
  std::vector<int64_t> shape;  // logical, for Weights.shape
};

/// Packs the array, or finds it packed already; checks scales and zero points. Index into
/// Graph::weights.
Result<int> AddWeights(Scope& l, const WeightArray& source);

/// Blobs of an operator beside its weights.
struct ProductBlobs {
  int bias = -1, multiplier = -1;
};

/// Bias (tensor index or -1) and multipliers of x * weights -> out. `fold` subtracts the input zero
/// point (false for transposed convolution). Refuses accumulators that could overflow.
Result<ProductBlobs> AddProductBlobs(Scope& l, ProductKind kind, const GraphTensor& x, int weights,
                                     int bias, const GraphTensor& out, bool fold);

/// [rows][cols] elements of `size` bytes, transposed.
Result<Bytes> TransposedMatrix(Scope& l, std::span<const std::byte> values, int64_t rows,
                               int64_t cols, size_t size);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_PACKING_H_
