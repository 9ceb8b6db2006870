// EfficientNet (Tan and Le 2019) and EfficientNet-Lite with the names of the PyTorch ports of
// TensorFlow's checkpoints: _conv_stem, _blocks.<i>, _conv_head, _fc. Lite models have no squeeze
// and excitation, and ReLU6 in place of swish. TensorFlow's padding and epsilon.
#include "tools/import/recipes/layers.h"
#include "tools/import/recipes/recipes.h"

namespace whit::tools {

namespace {

class EfficientNet {
 public:
  EfficientNet(GraphBuilder& g, NamedWeights& weights)
      : g_(g), weights_(weights), layers_{g, weights, kEpsilon} {
    swish_ = weights.Has("_blocks.0._se_reduce.weight");
  }

  Value Run(Value x) {
    x = Activate(Norm(x, "_conv_stem", "_bn0", 2));
    for (int i = 0; i == 0 || weights_.Has(Base(i) + "_project_conv.weight"); ++i)
      x = Block(x, Base(i), i);
    x = Activate(Norm(x, "_conv_head", "_bn1", 1));
    x = g_.At("_avg_pooling").GlobalAveragePool(x);
    return layers_.Linear(x, "_fc");
  }

 private:
  static constexpr float kEpsilon = 1e-3f;

  static std::string Base(int i) { return "_blocks." + std::to_string(i) + "."; }

  Value Norm(Value x, const std::string& conv, const std::string& norm, int64_t stride) {
    return layers_.ConvNorm(x, conv, norm, {.stride = stride, .same = true});
  }
  Value Activate(Value x) { return swish_ ? g_.Swish(x) : g_.Relu6(x); }

  Value Block(Value x, const std::string& base, int i) {
    const int64_t stride = StrideOf(base, i);
    Value y = x;
    if (weights_.Has(base + "_expand_conv.weight"))
      y = Activate(Norm(y, base + "_expand_conv", base + "_bn0", 1));
    y = Activate(Norm(y, base + "_depthwise_conv", base + "_bn1", stride));
    if (weights_.Has(base + "_se_reduce.weight")) y = Squeeze(y, base);
    y = Norm(y, base + "_project_conv", base + "_bn2", 1);
    const bool adds = stride == 1 && !g_.failed(x) && !g_.failed(y) && g_.shape(x) == g_.shape(y);
    return adds ? g_.At(base + "add").Add(x, y) : y;
  }

  Value Squeeze(Value y, const std::string& base) {
    Value s = g_.At(base + "_se").GlobalAveragePool(y, true);
    s = Activate(layers_.Conv(s, base + "_se_reduce"));
    s = layers_.Conv(s, base + "_se_expand");
    return g_.Mul(y, g_.Sigmoid(s));
  }

  // Seven stages, each of its own width; the first block of some halves the picture.
  int64_t StrideOf(const std::string& base, int i) {
    static constexpr int64_t kStrides[] = {1, 2, 2, 2, 1, 2, 1};
    const std::vector<int64_t> shape = weights_.ShapeOf(base + "_project_conv.weight");
    const int64_t width = shape.empty() ? width_ : shape[0];
    if (i > 0 && width == width_) return 1;
    width_ = width;
    ++stage_;
    return stage_ < std::ssize(kStrides) ? kStrides[stage_] : 1;
  }

  GraphBuilder& g_;
  NamedWeights& weights_;
  Layers layers_;
  bool swish_ = false;
  int64_t width_ = 0;
  int stage_ = -1;
};

}  // namespace

void BuildEfficientNet(GraphBuilder& g, NamedWeights& weights, const RecipeValues& values) {
  weights.FindPrefix("_conv_stem.weight");
  weights.IgnoreSuffix("num_batches_tracked");
  const Value x = PictureInput(g, weights, "_conv_stem.weight", values["size"]);
  g.Output("logits", EfficientNet(g, weights).Run(x));
}

}  // namespace whit::tools
