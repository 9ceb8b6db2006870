#include "tools/import/dilation.h"

#include "tools/import/lowering.h"

namespace whit::tools {

namespace {

// The node that makes `tensor`, if it is a SpaceToBatchNd over height and width.
GraphNode* ToBatchOf(Lowering& l, int tensor) {
  const int producer = l.state().producer[static_cast<size_t>(tensor)];
  if (producer < 0) return nullptr;
  GraphNode& node = l.graph().nodes[static_cast<size_t>(producer)];
  if (node.type != OpType::kSpaceToBatchNd) return nullptr;
  return NodeOptions<fbs::BlockOptionsT>(node)->block.size() == 2 ? &node : nullptr;
}

// Whether an operator of the source reads `tensor` as its first input.
bool Reads(const tflite::Operator& op, int tensor) {
  return op.inputs() != nullptr && op.inputs()->size() == 3 && op.inputs()->Get(0) == tensor;
}

// The BATCH_TO_SPACE_ND that alone reads `tensor`: its block and crops.
struct ToSpace {
  std::vector<int64_t> block;
  Amounts crops;
};
std::optional<ToSpace> ToSpaceOf(Lowering& l, int tensor) {
  TfliteState& s = l.state();
  const auto source = static_cast<size_t>(tensor);
  if (source >= s.readers.size() || s.readers[source] != 1) return std::nullopt;
  for (uint32_t i = 0; i < s.main->operators()->size(); ++i) {
    const tflite::Operator& op = *s.main->operators()->Get(i);
    if (!Reads(op, tensor)) continue;
    if (OperatorName(s, op) != "BATCH_TO_SPACE_ND") return std::nullopt;
    Lowering next(s, op, i, BuiltinOperator::BATCH_TO_SPACE_ND);
    if (!next.has(1) || !next.has(2)) return std::nullopt;
    auto block = next.Ints(1, "the block");
    auto crops = ReadAmounts(next, 2, 2, "the crops");
    if (!block.ok() || !crops.ok()) return std::nullopt;  // what is wrong is said in its turn
    return ToSpace{std::move(*block), std::move(*crops)};
  }
  return std::nullopt;
}

}  // namespace

std::optional<SpreadConv> FindSpreadConv(Lowering& l) {
  GraphNode* to_batch = ToBatchOf(l, l.in(0));
  if (to_batch == nullptr) return std::nullopt;
  const std::optional<ToSpace> to_space = ToSpaceOf(l, l.out(0));
  const auto& blocks = *NodeOptions<fbs::BlockOptionsT>(*to_batch);
  if (!to_space || to_space->block.size() != 2) return std::nullopt;
  SpreadConv spread;
  spread.x = to_batch->inputs[0];
  for (size_t axis : {0, 1}) {
    if (to_space->block[axis] != blocks.block[axis]) return std::nullopt;
    spread.dilation[axis] = blocks.block[axis];
    spread.before[axis] = int64_t{blocks.before[axis]} - to_space->crops.before[axis];
    spread.after[axis] = int64_t{blocks.after[axis]} - to_space->crops.after[axis];
    if (spread.before[axis] < 0 || spread.after[axis] < 0) return std::nullopt;
  }
  return spread;
}

}  // namespace whit::tools
