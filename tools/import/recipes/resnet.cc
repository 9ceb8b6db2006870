// ResNets: "Deep Residual Learning for Image Recognition" (He et al. 2015). The stages, blocks and
// widths are read off the weights.
#include "tools/import/recipes/layers.h"
#include "tools/import/recipes/recipes.h"

namespace whit::tools {

namespace {

class ResNet {
 public:
  ResNet(GraphBuilder& g, NamedWeights& weights) : g_(g), weights_(weights), layers_{g, weights} {}

  // Blocks `layer<stage>.0`, `.1`, ... while the weights have them; the first one halves the
  // picture from the second stage on.
  Value Stage(Value x, int stage) {
    const std::string base = "layer" + std::to_string(stage) + ".";
    for (int i = 0; i == 0 || weights_.Has(base + std::to_string(i) + ".conv1.weight"); ++i) {
      x = Block(x, base + std::to_string(i) + ".", stage > 1 && i == 0 ? 2 : 1);
    }
    return x;
  }

  // Layers with weights on the longest way, the first and the last included.
  int64_t depth() const { return depth_; }

 private:
  Value Block(Value x, const std::string& base, int64_t stride) {
    // Three convolutions make a bottleneck, whose middle one has the stride.
    const bool bottleneck = weights_.Has(base + "conv3.weight");
    Value y = Step(x, base, 1, bottleneck ? 1 : stride);
    y = g_.Relu(y);
    y = Step(y, base, 2, bottleneck ? stride : 1);
    if (bottleneck) y = Step(g_.Relu(y), base, 3, 1);
    depth_ += bottleneck ? 3 : 2;
    const Value shortcut = Shortcut(x, y, base, stride);
    return g_.At(base + "add").Relu(g_.Add(y, shortcut));
  }

  Value Step(Value x, const std::string& base, int i, int64_t stride) {
    const std::string number = std::to_string(i);
    return layers_.ConvNorm(x, base + "conv" + number, base + "bn" + number, {.stride = stride});
  }

  // The input, brought to the block's shape: by a convolution where the weights have one, else by
  // every second pixel and channels of zeros on both sides (option A of the paper).
  Value Shortcut(Value x, Value y, const std::string& base, int64_t stride) {
    for (const char* name : {"downsample", "shortcut"}) {
      const std::string layer = base + name;
      if (weights_.Has(layer + ".0.weight"))
        return layers_.ConvNorm(x, layer + ".0", layer + ".1", {.stride = stride});
    }
    if (g_.failed(x) || g_.failed(y) || g_.shape(x) == g_.shape(y)) return x;
    g_.At(base + "shortcut");
    const Shape s = g_.shape(x);
    x = g_.Slice(x, {0, 0, 0, 0},
                 {s[0], (s[1] + stride - 1) / stride, (s[2] + stride - 1) / stride, s[3]},
                 {1, stride, stride, 1});
    const int64_t more = g_.shape(y)[3] - s[3];
    return g_.Pad(x, {0, 0, 0, more / 2}, {0, 0, 0, more - more / 2});
  }

  GraphBuilder& g_;
  NamedWeights& weights_;
  Layers layers_;
  int64_t depth_ = 2;
};

void CheckDepth(GraphBuilder& g, const ResNet& net, const RecipeValues& values) {
  if (values.number == 0 || values.number == net.depth()) return;
  g.At("the recipe")
      .Invalid("the weights are those of " + std::to_string(net.depth()) + " layers, not " +
               std::to_string(values.number));
}

}  // namespace

void BuildCifarResNet(GraphBuilder& g, NamedWeights& weights, const RecipeValues& values) {
  weights.FindPrefix("conv1.weight");
  weights.IgnoreSuffix("num_batches_tracked");
  Layers layers{g, weights};
  ResNet net(g, weights);
  Value x = PictureInput(g, weights, "conv1.weight", values["size"]);
  x = g.Relu(layers.ConvNorm(x, "conv1", "bn1", {}));
  for (int stage : {1, 2, 3}) x = net.Stage(x, stage);
  CheckDepth(g, net, values);
  x = g.At("pool").GlobalAveragePool(x);
  g.Output("logits", layers.Linear(x, weights.Has("fc.weight") ? "fc" : "linear"));
}

void BuildResNet(GraphBuilder& g, NamedWeights& weights, const RecipeValues& values) {
  weights.FindPrefix("conv1.weight");
  weights.IgnoreSuffix("num_batches_tracked");
  Layers layers{g, weights};
  ResNet net(g, weights);
  Value x = PictureInput(g, weights, "conv1.weight", values["size"]);
  x = g.Relu(layers.ConvNorm(x, "conv1", "bn1", {.stride = 2}));
  x = g.At("maxpool").MaxPool(
      x, {.kernel = {3, 3}, .stride = {2, 2}, .before = {1, 1}, .after = {1, 1}});
  for (int stage : {1, 2, 3, 4}) x = net.Stage(x, stage);
  CheckDepth(g, net, values);
  x = g.At("avgpool").GlobalAveragePool(x);
  g.Output("logits", layers.Linear(x, "fc"));
}

}  // namespace whit::tools
