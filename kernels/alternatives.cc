// Implementations tried before the reference, best first: an ordered table, printed by `whit ops`.
// The reference itself is the operator's row in ops.inc and stands last.
#include <array>
#include <vector>

#include "kernels/op.h"
#include "kernels/simd/column_depthwise.h"
#include "kernels/simd/matmul_f32.h"
#include "kernels/simd/panel_conv.h"
#include "kernels/simd/panel_f32.h"
#include "kernels/simd/phases_f32.h"
#include "kernels/simd/taps_f32.h"
#include "kernels/simd/vector_map.h"
#include "kernels/simd/vector_rows.h"
#include "kernels/simd/vector_transpose.h"
#include "kernels/simd/vector_window.h"
#include "kernels/simd/wide_product.h"
#include "kernels/simd/winograd_f32.h"

#if defined(WHIT_XNNPACK)
#include "kernels/xnnpack/xnnpack.h"
#endif

namespace whit {
namespace {

struct Row {
  OpType type;
  Implementation implementation;
};

constexpr Row kOurs[] = {
    {OpType::kConv2D, {"panel", &PreparePanelConv}},
    {OpType::kConv2D, {"winograd_f32", &PrepareWinogradF32}},
    {OpType::kConv2D, {"panel_f32", &PreparePanelF32}},
    {OpType::kDepthwiseConv2D, {"columns", &PrepareColumnDepthwise}},
    {OpType::kDepthwiseConv2D, {"taps_f32", &PrepareTapsF32}},
    {OpType::kFullyConnected, {"panel", &PreparePanelConv}},
    {OpType::kFullyConnected, {"panel_f32", &PreparePanelF32}},
    {OpType::kAdd, {"vector", &PrepareVectorBinary}},
    {OpType::kSub, {"vector", &PrepareVectorBinary}},
    {OpType::kMul, {"vector", &PrepareVectorBinary}},
    {OpType::kDiv, {"vector", &PrepareVectorBinary}},
    {OpType::kMaximum, {"vector", &PrepareVectorBinary}},
    {OpType::kMinimum, {"vector", &PrepareVectorBinary}},
    {OpType::kSquaredDifference, {"vector", &PrepareVectorBinary}},
    {OpType::kPRelu, {"vector", &PrepareVectorPRelu}},
    {OpType::kRelu, {"vector", &PrepareVectorUnary}},
    {OpType::kRelu6, {"vector", &PrepareVectorUnary}},
    {OpType::kReluN1To1, {"vector", &PrepareVectorUnary}},
    {OpType::kLeakyRelu, {"vector", &PrepareVectorUnary}},
    {OpType::kHardSwish, {"vector", &PrepareVectorUnary}},
    {OpType::kLogistic, {"vector", &PrepareVectorUnary}},
    {OpType::kTanh, {"vector", &PrepareVectorUnary}},
    {OpType::kExp, {"vector", &PrepareVectorUnary}},
    {OpType::kAbs, {"vector", &PrepareVectorUnary}},
    {OpType::kNeg, {"vector", &PrepareVectorUnary}},
    {OpType::kSquare, {"vector", &PrepareVectorUnary}},
    {OpType::kSqrt, {"vector", &PrepareVectorUnary}},
    {OpType::kRsqrt, {"vector", &PrepareVectorUnary}},
    {OpType::kGelu, {"vector", &PrepareVectorUnary}},
    {OpType::kElu, {"vector", &PrepareVectorUnary}},
    {OpType::kFloor, {"vector", &PrepareVectorUnary}},
    {OpType::kCeil, {"vector", &PrepareVectorUnary}},
    {OpType::kRound, {"vector", &PrepareVectorUnary}},
    {OpType::kTable, {"vector", &PrepareVectorTable}},
    {OpType::kTable16, {"vector", &PrepareVectorTable16}},
    {OpType::kCast, {"vector", &PrepareVectorCast}},
    {OpType::kQuantize, {"vector", &PrepareVectorQuantize}},
    {OpType::kDequantize, {"vector", &PrepareVectorDequantize}},
    {OpType::kAveragePool2D, {"vector", &PrepareVectorPool}},
    {OpType::kMaxPool2D, {"vector", &PrepareVectorPool}},
    {OpType::kMean, {"vector", &PrepareVectorReduce}},
    {OpType::kSum, {"vector", &PrepareVectorReduce}},
    {OpType::kReduceMax, {"vector", &PrepareVectorReduce}},
    {OpType::kReduceMin, {"vector", &PrepareVectorReduce}},
    {OpType::kL2Normalization, {"vector", &PrepareVectorL2Norm}},
    {OpType::kTranspose, {"vector", &PrepareVectorTranspose}},
    {OpType::kResizeBilinear, {"vector", &PrepareVectorResize}},
    {OpType::kSoftmax, {"vector", &PrepareVectorSoftmax}},
    {OpType::kArgMax, {"vector", &PrepareVectorArg}},
    {OpType::kArgMin, {"vector", &PrepareVectorArg}},
    {OpType::kConv2D, {"wide", &PrepareWideProduct}},
    {OpType::kFullyConnected, {"wide", &PrepareWideProduct}},
    {OpType::kTransposeConv2D, {"phases_f32", &PreparePhasesF32}},
    {OpType::kTransposeConv2D, {"wide", &PrepareWideProduct}},
    {OpType::kBatchMatMul, {"panel_f32", &PrepareMatMulF32}},
    {OpType::kBatchMatMul, {"wide", &PrepareWideBatchMatMul}},
    {OpType::kLstm, {"wide", &PrepareWideLstm}},
    {OpType::kSvdf, {"wide", &PrepareWideSvdf}},
};

using Table = std::array<std::vector<Implementation>, static_cast<size_t>(OpType::kCount)>;

Table MakeTable() {
  Table table;
  for (const Row& row : kOurs) {
    table[static_cast<size_t>(row.type)].push_back(row.implementation);
  }
#if defined(WHIT_XNNPACK)
  for (size_t type = 0; type < table.size(); ++type) {
    for (const Implementation& xnn : XnnpackAlternatives(static_cast<OpType>(type))) {
      table[type].push_back(xnn);
    }
  }
#endif
  return table;
}

}  // namespace

std::span<const Implementation> AlternativesOf(OpType type) {
  static const Table kTable = MakeTable();
  return kTable[static_cast<size_t>(type)];
}

}  // namespace whit
