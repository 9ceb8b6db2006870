// The order in which nodes run. Any topological order computes the same bytes; a good one keeps
// fewer of them alive.
#ifndef WHIT_RUNTIME_NODE_ORDER_H_
#define WHIT_RUNTIME_NODE_ORDER_H_

#include <cstdint>
#include <vector>

#include "runtime/graph.h"

namespace whit {

/// Nodes that an output or a variable depends on, in file order.
std::vector<int> LiveNodes(const Graph& graph);

/// The given nodes in an order of low peak memory: greedily the ready node that adds the fewest
/// bytes, or the order given where that is no better. Nodes that touch variables keep their order
/// among themselves.
std::vector<int> OrderForMemory(const Graph& graph, const std::vector<int>& nodes);

/// Largest sum of bytes alive at once under `order`, one buffer a tensor.
uint64_t PeakBytes(const Graph& graph, const std::vector<int>& order);

}  // namespace whit

#endif  // WHIT_RUNTIME_NODE_ORDER_H_
