// Implementations tried before the reference, best first: an ordered table, printed by `whit ops`.
// The reference itself is the operator's row in ops.inc and stands last.
#include <array>
#include <vector>

#include "kernels/op.h"
#include "kernels/simd/column_depthwise.h"
#include "kernels/simd/panel_conv.h"
#include "kernels/simd/panel_f32.h"
#include "kernels/simd/taps_f32.h"

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
    {OpType::kConv2D, {"panel_f32", &PreparePanelF32}},
    {OpType::kDepthwiseConv2D, {"columns", &PrepareColumnDepthwise}},
    {OpType::kDepthwiseConv2D, {"taps_f32", &PrepareTapsF32}},
    {OpType::kFullyConnected, {"panel", &PreparePanelConv}},
    {OpType::kFullyConnected, {"panel_f32", &PreparePanelF32}},
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
