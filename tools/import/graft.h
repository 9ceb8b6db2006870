// Weights of layers onto the products of a graph whose constants have other names, another layout
// or batch normalizations multiplied into them.
#ifndef WHIT_TOOLS_IMPORT_GRAFT_H_
#define WHIT_TOOLS_IMPORT_GRAFT_H_

#include <array>
#include <cstdint>
#include <vector>

#include "tools/import/state.h"

namespace whit::tools {

enum class SiteKind : uint8_t {
  kProduct,    // weights [O,H,W,I], or [O,K] of a fully connected layer
  kDepthwise,  // weights [1,H,W,O]
  kAffine,     // weights are O factors: a normalization that is no part of a product
};

/// What a layer can be grafted onto. Tensors are indices into the graph, constant and float32.
struct GraftSite {
  int weights = -1;
  int bias = -1;  // [O], or -1
  SiteKind kind = SiteKind::kProduct;
  /// {H,W,C} of what was made flat to become the K values; zeros: nothing was. PyTorch counts them
  /// C, H, W.
  std::array<int64_t, 3> flattened = {0, 0, 0};
};

/// Gives sites the layers of state.options.weights that nobody has taken: weights' = kernel *
/// gamma / sqrt(variance + epsilon), bias' = (bias - mean) * gamma / sqrt(variance + epsilon) +
/// beta, the axes in the site's order. Which layer belongs to which site is told by, in this order,
/// - names: the constants of the site name the layer and the normalization, "net/conv2d/Conv2D";
/// - values: the site's own weights are those of that layer and normalization, so that only a graph
///   of the same training is told by them;
/// - shape: one site and one layer of that shape are left, and no normalization of its channels.
/// What none of them tells keeps its values, and the layer counts as extra. The account
/// (WeightMatches::grafted) has each with the largest difference to the values before.
Status GraftLayers(ImportState& state, const std::vector<GraftSite>& sites);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_GRAFT_H_
