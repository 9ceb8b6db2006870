// Products whose weights are packed at the end of an import, so that scales, shifts and clamps that
// follow them become part of them first.
#ifndef WHIT_TOOLS_IMPORT_PRODUCT_H_
#define WHIT_TOOLS_IMPORT_PRODUCT_H_

#include <utility>

#include "tools/import/scope.h"

namespace whit::tools {

/// Packs the weights and the bias of a node that has `product`.
Status PackProduct(ImportState& state, GraphNode& node);

/// Appends x * weights -> out with `options` (ConvOptionsT or FullyConnectedOptionsT) that lack
/// weights, bias and multiplier. Packs at once where x is constant, so that the product folds.
Status EmitProduct(Scope& l, GraphNode node, PendingProduct product);

template <typename Options>
Status EmitProduct(Scope& l, OpType type, Options options, PendingProduct product, int x, int out) {
  GraphNode node;
  node.type = type;
  node.options = MakeOptions(type, std::move(options));
  node.inputs = {x};
  node.outputs = {out};
  return EmitProduct(l, std::move(node), std::move(product));
}

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_PRODUCT_H_
