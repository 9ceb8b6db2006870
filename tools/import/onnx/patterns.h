// Activations that exporters write as several nodes and whit has as one operator.
#ifndef WHIT_TOOLS_IMPORT_ONNX_PATTERNS_H_
#define WHIT_TOOLS_IMPORT_ONNX_PATTERNS_H_

#include "tools/import/onnx/op.h"

namespace whit::tools::onnx {

/// Where `op` is the heart of such an activation and nobody else reads what lies between: makes the
/// operator, binds the last node's result and is done with the nodes up to it: true. HardSigmoid of
/// slope 1/6 and offset 1/2 -> * x is HardSwish. (Gelu written with Erf is known to GraphBuilder.)
bool LowerPattern(Op& op);

}  // namespace whit::tools::onnx

#endif  // WHIT_TOOLS_IMPORT_ONNX_PATTERNS_H_
