// The initializers of an ONNX model as a file of weights.
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_ONNX_WEIGHTS_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_ONNX_WEIGHTS_H_

#include "tools/import/weights/weights.h"

namespace whit::tools {

bool ClaimsOnnx(std::span<const std::byte> file);
Result<std::unique_ptr<WeightFile>> OpenOnnxWeights(WeightSource source);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_ONNX_WEIGHTS_H_
