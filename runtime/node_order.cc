#include "runtime/node_order.h"

#include <algorithm>

namespace whit {

namespace {

// Above this the greedy search (quadratic in the worst case) would be felt at start; file order is
// good enough there.
constexpr size_t kMaxNodesToOrder = 2000;
constexpr size_t kMaxInputsToOrder = 64;

bool TouchesVariable(const Graph& graph, const NodeDef& node) {
  if (node.type == OpType::kReadVariable || node.type == OpType::kAssignVariable) return true;
  return std::any_of(node.in.begin(), node.in.end(), [&](int t) {
    return t >= 0 && graph.tensors[static_cast<size_t>(t)].variable >= 0;
  });
}

bool OccupiesArena(const TensorDef& def) { return def.producer >= 0; }

// How often each tensor is still read; model outputs count once more and so never die.
std::vector<int> CountReaders(const Graph& graph, const std::vector<int>& nodes) {
  std::vector<int> readers(graph.tensors.size(), 0);
  for (int n : nodes) {
    for (int t : graph.nodes[static_cast<size_t>(n)].in) {
      if (t >= 0) ++readers[static_cast<size_t>(t)];
    }
  }
  for (const IoDef& io : graph.outputs) ++readers[static_cast<size_t>(io.tensor)];
  return readers;
}

// Bytes that running `node` adds to (or, negative, takes from) what stays alive after it.
int64_t Growth(const Graph& graph, const NodeDef& node, const std::vector<int>& readers) {
  int64_t growth = 0;
  for (int t : node.out) {
    if (t >= 0) growth += static_cast<int64_t>(graph.tensors[static_cast<size_t>(t)].bytes());
  }
  for (size_t i = 0; i < node.in.size(); ++i) {
    const int t = node.in[i];
    if (t < 0 || !OccupiesArena(graph.tensors[static_cast<size_t>(t)])) continue;
    if (std::find(node.in.begin(), node.in.begin() + static_cast<long>(i), t) !=
        node.in.begin() + static_cast<long>(i)) {
      continue;  // the same tensor twice
    }
    const auto uses = std::count(node.in.begin(), node.in.end(), t);
    if (readers[static_cast<size_t>(t)] == uses) {
      growth -= static_cast<int64_t>(graph.tensors[static_cast<size_t>(t)].bytes());
    }
  }
  return growth;
}

void MarkRun(const NodeDef& node, std::vector<int>* readers) {
  for (int t : node.in) {
    if (t >= 0) --(*readers)[static_cast<size_t>(t)];
  }
}

// Edges of the order: producers before readers, and variable nodes one after the other.
struct Dependencies {
  std::vector<int> waiting;                 // per node of the graph: predecessors not run yet
  std::vector<std::vector<int>> followers;  // per node of the graph
};

Dependencies FindDependencies(const Graph& graph, const std::vector<int>& nodes) {
  Dependencies d;
  d.waiting.assign(graph.nodes.size(), 0);
  d.followers.resize(graph.nodes.size());
  int last_variable_node = -1;
  for (int n : nodes) {
    const NodeDef& node = graph.nodes[static_cast<size_t>(n)];
    auto after = [&](int before) {
      d.followers[static_cast<size_t>(before)].push_back(n);
      ++d.waiting[static_cast<size_t>(n)];
    };
    for (int t : node.in) {
      if (t >= 0 && graph.tensors[static_cast<size_t>(t)].producer >= 0) {
        after(graph.tensors[static_cast<size_t>(t)].producer);
      }
    }
    if (TouchesVariable(graph, node)) {
      if (last_variable_node >= 0) after(last_variable_node);
      last_variable_node = n;
    }
  }
  return d;
}

}  // namespace

std::vector<int> LiveNodes(const Graph& graph) {
  std::vector<bool> wanted(graph.tensors.size(), false);
  for (const IoDef& io : graph.outputs) wanted[static_cast<size_t>(io.tensor)] = true;
  std::vector<int> live;
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    const NodeDef& node = graph.nodes[i];
    const bool needed =
        TouchesVariable(graph, node) || std::any_of(node.out.begin(), node.out.end(), [&](int t) {
          return t >= 0 && wanted[static_cast<size_t>(t)];
        });
    if (!needed) continue;
    live.push_back(static_cast<int>(i));
    for (int t : node.in) {
      if (t >= 0) wanted[static_cast<size_t>(t)] = true;
    }
  }
  std::reverse(live.begin(), live.end());
  return live;
}

uint64_t PeakBytes(const Graph& graph, const std::vector<int>& order) {
  std::vector<int> readers = CountReaders(graph, order);
  uint64_t alive = 0, peak = 0;
  for (int n : order) {
    const NodeDef& node = graph.nodes[static_cast<size_t>(n)];
    for (int t : node.out) {
      if (t >= 0) alive += graph.tensors[static_cast<size_t>(t)].bytes();
    }
    peak = std::max(peak, alive);
    MarkRun(node, &readers);
    std::vector<int> seen;
    for (int t : node.in) {
      if (t < 0 || readers[static_cast<size_t>(t)] != 0) continue;
      if (std::find(seen.begin(), seen.end(), t) != seen.end()) continue;
      seen.push_back(t);
      if (OccupiesArena(graph.tensors[static_cast<size_t>(t)])) {
        alive -= graph.tensors[static_cast<size_t>(t)].bytes();
      }
    }
    for (int t : node.out) {  // results nobody reads
      if (t >= 0 && readers[static_cast<size_t>(t)] == 0) {
        alive -= graph.tensors[static_cast<size_t>(t)].bytes();
      }
    }
  }
  return peak;
}

std::vector<int> OrderForMemory(const Graph& graph, const std::vector<int>& nodes) {
  const bool too_large =
      nodes.size() > kMaxNodesToOrder || std::any_of(nodes.begin(), nodes.end(), [&](int n) {
        return graph.nodes[static_cast<size_t>(n)].in.size() > kMaxInputsToOrder;
      });
  if (too_large) return nodes;
  Dependencies d = FindDependencies(graph, nodes);
  std::vector<int> readers = CountReaders(graph, nodes), ready, order;
  for (int n : nodes) {
    if (d.waiting[static_cast<size_t>(n)] == 0) ready.push_back(n);
  }
  while (!ready.empty()) {
    auto best = std::min_element(ready.begin(), ready.end(), [&](int a, int b) {
      const int64_t growth_a = Growth(graph, graph.nodes[static_cast<size_t>(a)], readers);
      const int64_t growth_b = Growth(graph, graph.nodes[static_cast<size_t>(b)], readers);
      return growth_a != growth_b ? growth_a < growth_b : a < b;
    });
    const int n = *best;
    ready.erase(best);
    order.push_back(n);
    MarkRun(graph.nodes[static_cast<size_t>(n)], &readers);
    for (int follower : d.followers[static_cast<size_t>(n)]) {
      if (--d.waiting[static_cast<size_t>(follower)] == 0) ready.push_back(follower);
    }
  }
  return PeakBytes(graph, order) < PeakBytes(graph, nodes) ? order : nodes;
}

}  // namespace whit
