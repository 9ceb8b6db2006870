#include "tools/quantize/node_kind.h"

#include "kernels/tables.h"

namespace whit::tools {

NodeKind KindOf(OpType type) {
  switch (type) {
    case OpType::kConv2D:
    case OpType::kDepthwiseConv2D:
    case OpType::kTransposeConv2D:
    case OpType::kFullyConnected:
      return NodeKind::kProduct;
    case OpType::kAdd:
    case OpType::kSub:
    case OpType::kMul:
    case OpType::kMean:
    case OpType::kSoftmax:
    case OpType::kLogSoftmax:
      return NodeKind::kFree;
    case OpType::kMaximum:
    case OpType::kMinimum:
    case OpType::kAveragePool2D:
    case OpType::kMaxPool2D:
    case OpType::kReduceMax:
    case OpType::kReduceMin:
    case OpType::kReshape:
    case OpType::kTranspose:
    case OpType::kPad:
    case OpType::kConcatenation:
    case OpType::kSplit:
    case OpType::kSlice:
    case OpType::kTile:
    case OpType::kBroadcastTo:
    case OpType::kSpaceToBatchNd:
    case OpType::kBatchToSpaceNd:
    case OpType::kSpaceToDepth:
    case OpType::kDepthToSpace:
    case OpType::kReverse:
    case OpType::kResizeBilinear:
    case OpType::kResizeNearest:
      return NodeKind::kTied;
    default:
      return FunctionOf(type, 1, false) ? NodeKind::kTable : NodeKind::kFloat;
  }
}

}  // namespace whit::tools
