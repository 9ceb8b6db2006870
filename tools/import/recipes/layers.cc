#include "tools/import/recipes/layers.h"

#include <algorithm>

namespace whit::tools {

Value Layers::Conv(Value x, const std::string& name, const ConvLayer& layer) {
  g.At(name);
  const std::vector<int64_t> given = weights.ShapeOf(name + ".weight");
  const int64_t channels = g.shape(x).rank() == 4 ? g.shape(x)[3] : 0;
  // Channels of one group; what does not divide the input's is named as a mismatch.
  const int64_t part =
      given.size() == 4 && given[1] > 0 && channels % given[1] == 0 ? given[1] : channels;
  const Value w = weights.Take(g, name + ".weight", {-1, g.failed(x) ? -1 : part, -1, -1});
  const Value bias = weights.Has(name + ".bias")
                         ? weights.Take(g, name + ".bias", {given.empty() ? -1 : given[0]})
                         : Value();
  if (g.failed(x) || g.failed(w) || g.failed(bias)) return g.Failed();
  ConvArgs args;
  args.order = WeightOrder::kOIHW;
  args.groups = part > 0 ? channels / part : 1;
  Window2D& window = args.window;
  window.kernel = {given[2], given[3]};
  window.stride = {layer.stride, layer.stride};
  if (layer.same) {
    window = SamePadding(window, {g.shape(x)[1], g.shape(x)[2]});
  } else {
    for (size_t i : {0, 1}) window.before[i] = window.after[i] = (window.kernel[i] - 1) / 2;
  }
  return g.Conv2D(x, w, bias, args);
}

Value Layers::BatchNorm(Value x, const std::string& name) {
  g.At(name);
  const int64_t n = g.failed(x) ? -1 : g.shape(x).back();
  BatchNormArgs args;
  args.gamma = weights.Take(g, name + ".weight", {n});
  args.beta = weights.Take(g, name + ".bias", {n});
  args.mean = weights.Take(g, name + ".running_mean", {n});
  args.variance = weights.Take(g, name + ".running_var", {n});
  args.epsilon = epsilon;
  return g.BatchNorm(x, args);
}

Value Layers::Linear(Value x, const std::string& name) {
  g.At(name);
  const int64_t k = g.failed(x) ? -1 : g.shape(x).back();
  const Value w = weights.Take(g, name + ".weight", {-1, k});
  const std::vector<int64_t> shape = weights.ShapeOf(name + ".weight");
  const Value bias = weights.Has(name + ".bias")
                         ? weights.Take(g, name + ".bias", {shape.empty() ? -1 : shape[0]})
                         : Value();
  return g.Linear(x, w, bias);
}

Value Layers::LayerNorm(Value x, const std::string& name, float layer_epsilon) {
  g.At(name);
  const int64_t n = g.failed(x) ? -1 : g.shape(x).back();
  const Value gamma = weights.Take(g, name + ".weight", {n});
  const Value beta = weights.Take(g, name + ".bias", {n});
  return g.LayerNorm(x, 1, gamma, beta, layer_epsilon);
}

Value PictureInput(GraphBuilder& g, NamedWeights& weights, const std::string& first_weights,
                   int64_t size) {
  const std::vector<int64_t> shape = weights.ShapeOf(first_weights);
  const int64_t channels = shape.size() == 4 ? shape[1] : 3;
  const Value x = g.Input("image", DType::kFloat32, Shape{1, size, size, channels});
  if (channels == 3 && !g.failed(x)) {
    g.SetNormalization(x, {255 * 0.485f, 255 * 0.456f, 255 * 0.406f},
                       {255 * 0.229f, 255 * 0.224f, 255 * 0.225f});
  }
  return x;
}

}  // namespace whit::tools
