// The order of nodes on random graphs: topological, complete, variables in file order, never worse
// than the file.
#include "runtime/node_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace whit {
namespace {

int AddTensor(Graph* g, int64_t bytes, int producer) {
  TensorDef t;
  t.type = DType::kInt8;
  t.shape = Shape{bytes};
  t.producer = producer;
  g->tensors.push_back(std::move(t));
  return static_cast<int>(g->tensors.size()) - 1;
}

int AddNode(Graph* g, std::vector<int> in, std::vector<int64_t> out_bytes,
            OpType type = OpType::kAdd) {
  NodeDef node;
  node.type = type;
  node.in = std::move(in);
  const int index = static_cast<int>(g->nodes.size());
  for (int64_t bytes : out_bytes) node.out.push_back(AddTensor(g, bytes, index));
  g->nodes.push_back(std::move(node));
  return index;
}

Graph RandomGraph(std::mt19937* rng) {
  const auto random = [&](int lo, int hi) {
    return std::uniform_int_distribution<int>(lo, hi)(*rng);
  };
  Graph g;
  for (int i = random(1, 3); i > 0; --i)
    g.inputs.push_back({"in", AddTensor(&g, random(1, 50), -1), DType::kInt8});
  const int state = AddTensor(&g, 7, -1);
  g.tensors[static_cast<size_t>(state)].variable = 0;
  for (int n = random(1, 14); n > 0; --n) {
    std::vector<int> in;
    for (int i = random(1, 3); i > 0; --i) {
      int t = random(-1, static_cast<int>(g.tensors.size()) - 1);  // -1: absent
      if (t == state && random(0, 2) != 0) t = -1;
      in.push_back(t);
    }
    std::vector<int64_t> out;
    for (int i = random(1, 2); i > 0; --i) out.push_back(random(1, 100));
    AddNode(&g, in, out, random(0, 9) == 0 ? OpType::kReadVariable : OpType::kAdd);
  }
  for (int i = random(1, 2); i > 0; --i) {
    g.outputs.push_back({"out", random(0, static_cast<int>(g.tensors.size()) - 1), DType::kInt8});
  }
  return g;
}

bool TouchesVariable(const Graph& g, int n) {
  const NodeDef& node = g.nodes[static_cast<size_t>(n)];
  return node.type == OpType::kReadVariable || node.type == OpType::kAssignVariable ||
         std::any_of(node.in.begin(), node.in.end(), [&](int t) {
           return t >= 0 && g.tensors[static_cast<size_t>(t)].variable >= 0;
         });
}

// Nodes from which an output or a variable node can be reached, by the definition.
std::set<int> Needed(const Graph& g) {
  std::set<int> needed;
  const auto want = [&](auto&& self, int tensor) -> void {
    const int n = tensor < 0 ? -1 : g.tensors[static_cast<size_t>(tensor)].producer;
    if (n < 0 || !needed.insert(n).second) return;
    for (int t : g.nodes[static_cast<size_t>(n)].in) self(self, t);
  };
  for (const IoDef& io : g.outputs) want(want, io.tensor);
  for (int n = 0; n < static_cast<int>(g.nodes.size()); ++n) {
    if (!TouchesVariable(g, n)) continue;
    needed.insert(n);
    for (int t : g.nodes[static_cast<size_t>(n)].in) want(want, t);
  }
  return needed;
}

// The peak by simulation: a tensor is alive from its node to its last reader, outputs for ever.
uint64_t Peak(const Graph& g, const std::vector<int>& order) {
  uint64_t peak = 0;
  for (size_t now = 0; now < order.size(); ++now) {
    uint64_t alive = 0;
    for (size_t t = 0; t < g.tensors.size(); ++t) {
      const auto made = std::find(order.begin(), order.end(), g.tensors[t].producer);
      if (made == order.end() || made - order.begin() > static_cast<long>(now)) continue;
      bool needed = made - order.begin() == static_cast<long>(now);
      for (const IoDef& io : g.outputs) needed |= io.tensor == static_cast<int>(t);
      for (size_t later = now; later < order.size(); ++later) {
        const NodeDef& reader = g.nodes[static_cast<size_t>(order[later])];
        needed |=
            std::find(reader.in.begin(), reader.in.end(), static_cast<int>(t)) != reader.in.end();
      }
      if (needed) alive += g.tensors[t].bytes();
    }
    peak = std::max(peak, alive);
  }
  return peak;
}

void ExpectTopological(const Graph& g, const std::vector<int>& order) {
  std::set<int> done;
  int last_variable_node = -1;
  for (int n : order) {
    for (int t : g.nodes[static_cast<size_t>(n)].in) {
      const int before = t < 0 ? -1 : g.tensors[static_cast<size_t>(t)].producer;
      EXPECT_TRUE(before < 0 || done.count(before) == 1)
          << "node " << n << " runs before " << before;
    }
    if (TouchesVariable(g, n)) {
      EXPECT_LT(last_variable_node, n) << "variable nodes left file order";
      last_variable_node = n;
    }
    EXPECT_TRUE(done.insert(n).second) << "node " << n << " runs twice";
  }
}

TEST(NodeOrderTest, RandomGraphs) {
  std::mt19937 rng(5);
  int better = 0, dead = 0;
  for (int i = 0; i < 1500; ++i) {
    SCOPED_TRACE("graph " + std::to_string(i));
    const Graph g = RandomGraph(&rng);
    const std::vector<int> live = LiveNodes(g);
    const std::set<int> needed = Needed(g);
    EXPECT_EQ(live, std::vector<int>(needed.begin(), needed.end()));
    dead += g.nodes.size() != live.size();

    const std::vector<int> order = OrderForMemory(g, live);
    EXPECT_EQ(std::set<int>(order.begin(), order.end()), needed);
    ExpectTopological(g, order);
    EXPECT_EQ(PeakBytes(g, order), Peak(g, order));
    EXPECT_EQ(PeakBytes(g, live), Peak(g, live));
    EXPECT_LE(PeakBytes(g, order), PeakBytes(g, live));
    better += PeakBytes(g, order) < PeakBytes(g, live);
    if (HasFailure()) return;
  }
  EXPECT_GT(better, 50);  // else the graphs, or the search, are too simple to say anything
  EXPECT_GT(dead, 50);
}

// Three wide tensors, each reduced at once when run in the better order.
TEST(NodeOrderTest, ReducesBeforeItWidensAgain) {
  Graph g;
  const int x = AddTensor(&g, 1, -1);
  g.inputs.push_back({"x", x, DType::kInt8});
  std::vector<int> wide, narrow;
  for (int i = 0; i < 3; ++i) wide.push_back(AddNode(&g, {x}, {1000}));
  for (int n : wide)
    narrow.push_back(
        g.nodes[static_cast<size_t>(AddNode(&g, {g.nodes[static_cast<size_t>(n)].out[0]}, {1}))]
            .out[0]);
  const int sum = AddNode(&g, narrow, {1});
  g.outputs.push_back({"y", g.nodes[static_cast<size_t>(sum)].out[0], DType::kInt8});
  const std::vector<int> live = LiveNodes(g), order = OrderForMemory(g, live);
  EXPECT_EQ(PeakBytes(g, live), 3001u);
  EXPECT_EQ(PeakBytes(g, order), 1003u);
}

}  // namespace
}  // namespace whit
