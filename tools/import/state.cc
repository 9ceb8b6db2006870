#include "tools/import/state.h"

namespace whit::tools {

void SetBudgets(ImportState& state, uint64_t source_bytes) {
  state.work = Budget("steps of constant arithmetic", 1'000'000'000 + 16 * source_bytes);
  state.memory = Budget("bytes of constants, weights and scales", (512 << 20) + 16 * source_bytes);
}

Status Growth::Charge(ImportState& state, std::span<const int> outputs) const {
  const Graph& graph = state.graph;
  uint64_t bytes = 0;
  const auto count_bytes = [&](const SharedBytes& b) {
    if (b != nullptr && b.use_count() == 1) bytes += b->size();
  };
  const auto count_tensor = [&](size_t t) {
    const GraphTensor& tensor = graph.tensors[t];
    count_bytes(tensor.constant);
    bytes += tensor.scale.size() * (sizeof(float) + sizeof(int32_t)) + tensor.name.size();
  };
  for (int t : outputs) {
    if (t >= 0) count_tensor(static_cast<size_t>(t));
  }
  for (size_t t = tensors_; t < graph.tensors.size(); ++t) count_tensor(t);
  for (size_t b = blobs_; b < graph.blobs.size(); ++b) count_bytes(graph.blobs[b]);
  WHIT_RETURN_IF_ERROR(state.memory.Charge(bytes));
  constexpr size_t kMax = 2 * 65'536;  // a .whit file has half of that; some fall away
  if (graph.tensors.size() <= kMax && graph.nodes.size() <= kMax) return OkStatus();
  return Status(StatusCode::kOverBudget,
                std::to_string(graph.tensors.size()) + " tensors and " +
                    std::to_string(graph.nodes.size()) +
                    " operators after lowering; a .whit file has 65536 of each at most");
}

}  // namespace whit::tools
