// MobileNetV2 (Sandler et al. 2018) with torchvision's names: features.0 is the first convolution,
// features.1 .. 17 the inverted residuals, features.18 the last convolution. Widths and expansions
// are read off the weights; where the picture is halved is the architecture's.
#include "tools/import/recipes/layers.h"
#include "tools/import/recipes/recipes.h"

namespace whit::tools {

namespace {

constexpr int kBlocks = 17;

int64_t StrideOf(int block) {
  return block == 2 || block == 4 || block == 7 || block == 14 ? 2 : 1;
}

// [expand 1x1,] depthwise 3x3, project 1x1, and the input added where the shapes allow it.
Value InvertedResidual(GraphBuilder& g, NamedWeights& weights, Layers& layers, Value x, int block) {
  const std::string base = "features." + std::to_string(block) + ".conv.";
  const bool expands = weights.Has(base + "1.0.weight");
  Value y = x;
  if (expands) y = g.Relu6(layers.ConvNorm(y, base + "0.0", base + "0.1", {}));
  const std::string depthwise = base + (expands ? "1" : "0");
  y = g.Relu6(layers.ConvNorm(y, depthwise + ".0", depthwise + ".1", {.stride = StrideOf(block)}));
  y = layers.ConvNorm(y, base + (expands ? "2" : "1"), base + (expands ? "3" : "2"), {});
  const bool adds = !g.failed(x) && !g.failed(y) && g.shape(x) == g.shape(y);
  return adds ? g.At(base + "add").Add(x, y) : y;
}

}  // namespace

void BuildMobileNetV2(GraphBuilder& g, NamedWeights& weights, const RecipeValues& values) {
  weights.FindPrefix("features.0.0.weight");
  weights.IgnoreSuffix("num_batches_tracked");
  Layers layers{g, weights};
  Value x = PictureInput(g, weights, "features.0.0.weight", values["size"]);
  x = g.Relu6(layers.ConvNorm(x, "features.0.0", "features.0.1", {.stride = 2}));
  for (int block = 1; block <= kBlocks; ++block) x = InvertedResidual(g, weights, layers, x, block);
  x = g.Relu6(layers.ConvNorm(x, "features.18.0", "features.18.1", {}));
  x = g.At("pool").GlobalAveragePool(x);
  g.Output("logits", layers.Linear(x, "classifier.1"));
}

}  // namespace whit::tools
