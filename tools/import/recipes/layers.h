// Layers as PyTorch names their tensors, for recipes.
#ifndef WHIT_TOOLS_IMPORT_RECIPES_LAYERS_H_
#define WHIT_TOOLS_IMPORT_RECIPES_LAYERS_H_

#include <string>

#include "tools/import/graph_builder.h"
#include "tools/import/named_weights.h"

namespace whit::tools {

struct Layers {
  GraphBuilder& g;
  NamedWeights& weights;
  float epsilon = 1e-5f;  // of batch normalization

  struct ConvLayer {
    int64_t stride = 1;
    bool same = false;  // TensorFlow's SAME padding; else (kernel - 1) / 2 on every side
  };
  /// `name`.weight [O, I / groups, H, W] and, where the file has it, `name`.bias. Kernel, outputs
  /// and groups come from the shape. Depthwise layers give themselves away by I / groups == 1.
  Value Conv(Value x, const std::string& name, const ConvLayer& layer);
  Value Conv(Value x, const std::string& name) { return Conv(x, name, ConvLayer()); }
  /// `name`.weight, .bias, .running_mean, .running_var.
  Value BatchNorm(Value x, const std::string& name);
  Value ConvNorm(Value x, const std::string& conv, const std::string& norm,
                 const ConvLayer& layer) {
    return BatchNorm(Conv(x, conv, layer), norm);
  }
  /// `name`.weight [n, K] and, where the file has it, `name`.bias.
  Value Linear(Value x, const std::string& name);
  /// `name`.weight and .bias over the last axis.
  Value LayerNorm(Value x, const std::string& name, float layer_epsilon);
};

/// A float picture [1, size, size, channels] with the ImageNet statistics of torchvision, scaled to
/// pixels 0..255. Channels from the weights [O, channels, H, W] of the first layer.
Value PictureInput(GraphBuilder& g, NamedWeights& weights, const std::string& first_weights,
                   int64_t size);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_RECIPES_LAYERS_H_
