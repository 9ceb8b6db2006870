#include "tools/import/product.h"

#include "tools/import/packing.h"

namespace whit::tools {

namespace {

// ConvOptionsT and FullyConnectedOptionsT name their storage alike.
template <typename Options>
void SetStorage(GraphNode& node, int weights, const ProductBlobs& blobs) {
  auto* o = NodeOptions<Options>(node);
  o->weights = weights, o->bias = blobs.bias, o->multiplier = blobs.multiplier;
}

}  // namespace

Status PackProduct(ImportState& state, GraphNode& node) {
  const PendingProduct& p = *node.product;
  Scope l(state, p.label, node.name, node.source);
  const GraphTensor& x = l.tensor(p.x);
  const GraphTensor& out = l.tensor(node.outputs[0]);
  WeightArray source;
  source.tensor = &l.tensor(p.weights);
  source.values = *source.tensor->constant;
  source.depthwise = p.depthwise;
  source.n = p.n, source.groups = p.groups, source.runs = p.runs;
  source.run_length = p.run_length;
  source.shape = p.shape;
  WHIT_ASSIGN_OR_RETURN(const ProductKind kind, KindOf(l, x, *source.tensor, out));
  WHIT_ASSIGN_OR_RETURN(const int weights, AddWeights(l, source));
  WHIT_ASSIGN_OR_RETURN(const ProductBlobs blobs,
                        AddProductBlobs(l, kind, x, weights, p.bias, out, p.fold));
  if (node.type == OpType::kFullyConnected) {
    SetStorage<fbs::FullyConnectedOptionsT>(node, weights, blobs);
  } else {
    SetStorage<fbs::ConvOptionsT>(node, weights, blobs);
  }
  node.product = nullptr;
  return OkStatus();
}

Status EmitProduct(Scope& l, GraphNode node, PendingProduct product) {
  const bool constant = l.tensor(node.inputs[0]).is_const();
  product.label = l.label();
  node.name = l.name();
  node.product = std::make_shared<PendingProduct>(std::move(product));
  if (constant) WHIT_RETURN_IF_ERROR(PackProduct(l.state(), node));
  return l.EmitNode(std::move(node));
}

}  // namespace whit::tools
