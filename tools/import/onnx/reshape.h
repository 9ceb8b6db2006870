// Reshape, Flatten, Squeeze and Unsqueeze of values in any order: which axes become which.
#ifndef WHIT_TOOLS_IMPORT_ONNX_RESHAPE_H_
#define WHIT_TOOLS_IMPORT_ONNX_RESHAPE_H_

#include "tools/import/onnx/op.h"

namespace whit::tools::onnx {

/// Axes [in_begin, in_end) become axes [out_begin, out_end), of as many elements; either may be no
/// axes at all.
struct AxisGroup {
  int in_begin = 0, in_end = 0, out_begin = 0, out_end = 0;
};

/// The finest groups that lead from one shape to another. REQUIRES equal products, no 0.
std::vector<AxisGroup> GroupAxes(const Ints& in, const Ints& out);

/// Operand i of `op` under the ONNX shape `dims` (resolved: no -1). Elements of a group keep their
/// order, groups lie as they did: [N,C,H,W] that lies as NHWC becomes [N,C,H*W] without a move.
Operand Reshaped(Op& op, size_t i, const Ints& dims);

}  // namespace whit::tools::onnx

#endif  // WHIT_TOOLS_IMPORT_ONNX_RESHAPE_H_
