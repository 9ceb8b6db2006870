// The layers of a file of weights: which of its tensors are kernel and bias of one product, and
// which are one batch normalization, by the names that frameworks give them.
#ifndef WHIT_TOOLS_IMPORT_WEIGHT_LAYERS_H_
#define WHIT_TOOLS_IMPORT_WEIGHT_LAYERS_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "tools/import/named_weights.h"

namespace whit::tools {

/// How the axes of a kernel lie. O: output channels, I: input channels (of one group), M: the
/// multiplier of a depthwise one.
enum class KernelOrder : uint8_t {
  kOutputFirst,  // PyTorch: [O,I], [O,I,W], [O,I,H,W]
  kOutputLast,   // Keras: [I,O], [W,I,O], [H,W,I,O]
  kDepthwise,    // Keras: [H,W,I,M]
};

/// Tensors are indices into the file, -1: none.
struct KernelLayer {
  std::string name;  // of the layer: "conv2d_1"; empty: the file numbers its layers
  int kernel = -1, bias = -1;
  KernelOrder order = KernelOrder::kOutputFirst;
};

/// y = (x - mean) / sqrt(variance + epsilon) * gamma + beta.
struct NormLayer {
  std::string name;
  int gamma = -1, beta = -1, mean = -1, variance = -1;
  double epsilon = 0;
};

struct WeightLayers {
  std::vector<KernelLayer> kernels;
  std::vector<NormLayer> norms;
};

/// The layers of which nobody has taken a tensor, in the order of the file. `epsilon`: of all
/// normalizations; without it, what a Keras file states for each, else the framework's default.
WeightLayers LayersOf(const NamedWeights& weights, std::optional<double> epsilon);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHT_LAYERS_H_
