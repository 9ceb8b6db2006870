// Running our own kernels over host buffers at import: constant folding, and the check that every
// node of the finished graph is one that the kernels accept.
#ifndef WHIT_TOOLS_IMPORT_HOST_RUN_H_
#define WHIT_TOOLS_IMPORT_HOST_RUN_H_

#include <string>

#include "tools/import/state.h"

namespace whit::tools {

/// Computes `node` at once if all its inputs are constants and the result is small enough: its
/// outputs become constants and true is returned. False: the node must be kept (`why_not` says
/// why). An error is a defect of the model (an index out of range in constant data).
Result<bool> TryFold(ImportState& state, const GraphNode& node, std::string* why_not);

/// Asks the operator's own prepare whether it accepts the node: types, shapes, quantization, packed
/// weights.
Status CheckNode(const Graph& graph, const GraphNode& node);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_HOST_RUN_H_
