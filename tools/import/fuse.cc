#include "tools/import/fuse.h"

#include <algorithm>
#include <cmath>

#include "tools/import/clamp.h"
#include "tools/import/emit.h"
#include "tools/import/product.h"

namespace whit::tools {

namespace {

// How many nodes and outputs read each tensor.
std::vector<int> CountReaders(const Graph& graph) {
  std::vector<int> readers(graph.tensors.size());
  for (const GraphNode& node : graph.nodes) {
    for (int t : node.inputs) {
      if (t >= 0) ++readers[static_cast<size_t>(t)];
    }
  }
  for (const GraphIo& io : graph.outputs) ++readers[static_cast<size_t>(io.tensor)];
  return readers;
}

class Fuser {
 public:
  explicit Fuser(ImportState& state)
      : state_(state), graph_(state.graph), readers_(CountReaders(state.graph)) {
    state_.producer.assign(graph_.tensors.size(), -1);
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      for (int t : graph_.nodes[i].outputs) {
        if (t >= 0) state_.producer[static_cast<size_t>(t)] = static_cast<int>(i);
      }
    }
  }

  Status Run() {
    for (GraphNode& node : graph_.nodes) {
      WHIT_ASSIGN_OR_RETURN(const bool gone, FoldScale(node));
      if (gone || FoldClamp(node)) node.type = OpType::kNone;
    }
    std::erase_if(graph_.nodes, [](const GraphNode& n) { return n.type == OpType::kNone; });
    return OkStatus();
  }

 private:
  GraphTensor& tensor(int i) { return graph_.tensors[static_cast<size_t>(i)]; }

  // The producer of `t`, if nobody but one node reads `t`.
  GraphNode* OnlyMaker(int t) {
    const int producer = state_.producer[static_cast<size_t>(t)];
    if (producer < 0 || readers_[static_cast<size_t>(t)] != 1) return nullptr;
    return &graph_.nodes[static_cast<size_t>(producer)];
  }

  // ---- clamps ----

  struct RealClamp {
    int x = -1;
    float lo = -kInf, hi = kInf;
  };

  // A node that is a clamp of its input and nothing else; x is -1 where it is not.
  RealClamp ClampOfNode(GraphNode& node) {
    switch (node.type) {
      case OpType::kRelu:
        return {node.inputs[0], 0, kInf};
      case OpType::kRelu6:
        return {node.inputs[0], 0, 6};
      case OpType::kReluN1To1:
        return {node.inputs[0], -1, 1};
      case OpType::kMaximum:
      case OpType::kMinimum: {
        const GraphTensor& bound = tensor(node.inputs[1]);
        const bool scalar = bound.is_const() && bound.is_float() && bound.shape.elements() == 1 &&
                            tensor(node.inputs[0]).shape == tensor(node.outputs[0]).shape;
        if (!scalar || !(bound.values<float>()[0] == bound.values<float>()[0])) return {};
        const float v = bound.values<float>()[0];
        if (node.type == OpType::kMaximum) return {node.inputs[0], v, kInf};
        return {node.inputs[0], -kInf, v};
      }
      default:
        return {};
    }
  }

  bool FoldClamp(GraphNode& node) {
    if (node.type == OpType::kQuantize) {
      const GraphTensor& in = tensor(node.inputs[0]);
      const GraphTensor& out = tensor(node.outputs[0]);
      const auto& o = *NodeOptions<fbs::QuantizeOptionsT>(node);
      if (in.type != out.type || in.is_float() || !in.SameQuant(out)) return false;
      return OnlyMaker(node.inputs[0]) != nullptr &&
             FuseStoredClamp(state_, node.inputs[0], node.outputs[0], {o.lo, o.hi});
    }
    const RealClamp clamp = ClampOfNode(node);
    return clamp.x >= 0 && OnlyMaker(clamp.x) != nullptr &&
           FuseClamp(state_, clamp.x, node.outputs[0], clamp.lo, clamp.hi);
  }

  // ---- scales and shifts ----

  // The float product whose result `t` is, if what follows may become part of it.
  GraphNode* OpenProduct(int t) {
    GraphNode* maker = OnlyMaker(t);
    if (maker == nullptr || maker->product == nullptr) return nullptr;
    const GraphTensor& weights = tensor(maker->product->weights);
    if (!weights.is_float() || !tensor(t).is_float() || !IsOpen(*maker)) return nullptr;
    const int bias = maker->product->bias;
    return bias < 0 || tensor(bias).is_const() ? maker : nullptr;
  }

  static bool IsOpen(GraphNode& node) {
    if (node.type == OpType::kFullyConnected) {
      const auto& o = *NodeOptions<fbs::FullyConnectedOptionsT>(node);
      return o.lo == -kInf && o.hi == kInf;
    }
    const auto& o = *NodeOptions<fbs::ConvOptionsT>(node);
    return o.lo == -kInf && o.hi == kInf;
  }

  // The constant as one value a channel of `like`, or nothing.
  std::vector<float> PerChannel(const GraphTensor& c, const GraphTensor& like) {
    if (!c.is_const() || !c.is_float() || c.shape.rank() > like.shape.rank()) return {};
    const auto n = static_cast<size_t>(like.shape.back());
    const auto values = c.values<float>();
    if (values.size() == 1) return std::vector<float>(n, values[0]);
    if (values.size() != n || c.shape.back() != like.shape.back()) return {};
    return {values.begin(), values.end()};
  }

  // Mul, Div, Add or Sub of a product and a constant along its channels. True: it is done.
  Result<bool> FoldScale(GraphNode& node) {
    const bool scales = node.type == OpType::kMul || node.type == OpType::kDiv;
    const bool shifts = node.type == OpType::kAdd || node.type == OpType::kSub;
    if (!scales && !shifts) return false;
    const bool commutes = node.type == OpType::kMul || node.type == OpType::kAdd;
    for (size_t side : {0, 1}) {
      if (side == 1 && !commutes) break;
      const int in = node.inputs[side];
      GraphNode* product = OpenProduct(in);
      if (product == nullptr) continue;
      std::vector<float> by = PerChannel(tensor(node.inputs[1 - side]), tensor(in));
      const bool divides = node.type == OpType::kDiv;
      const auto unfit = [divides](float v) { return !std::isfinite(v) || (divides && v == 0); };
      if (by.empty() || std::any_of(by.begin(), by.end(), unfit)) continue;
      if (node.type == OpType::kSub) {
        for (float& v : by) v = -v;
      }
      if (scales) {
        WHIT_RETURN_IF_ERROR(Scale(*product->product, by, divides));
      } else {
        Shift(*product->product, by, product->name);
      }
      const auto& o = *NodeOptions<fbs::BinaryOptionsT>(node);
      product->outputs[0] = node.outputs[0];
      state_.producer[static_cast<size_t>(node.outputs[0])] =
          state_.producer[static_cast<size_t>(in)];
      return FuseStoredClamp(state_, node.outputs[0], node.outputs[0], {o.lo, o.hi});
    }
    return false;
  }

  // Multiplies weights and bias, or divides them.
  Status Scale(PendingProduct& p, const std::vector<float>& by, bool divide) {
    const auto apply = [divide](float v, float factor) { return divide ? v / factor : v * factor; };
    std::vector<float> w(tensor(p.weights).values<float>().begin(),
                         tensor(p.weights).values<float>().end());
    WHIT_RETURN_IF_ERROR(state_.work.Charge(w.size()));
    WHIT_RETURN_IF_ERROR(state_.memory.Charge(w.size() * sizeof(float)));
    const auto n = static_cast<size_t>(p.n);
    const size_t row = w.size() / n;
    for (size_t i = 0; i < w.size(); ++i) w[i] = apply(w[i], p.depthwise ? by[i % n] : by[i / row]);
    p.weights = Replaced(p.weights, w);
    if (p.bias < 0) return OkStatus();
    std::vector<float> b(tensor(p.bias).values<float>().begin(),
                         tensor(p.bias).values<float>().end());
    for (size_t i = 0; i < b.size(); ++i) b[i] = apply(b[i], by[i]);
    p.bias = Replaced(p.bias, b);
    return OkStatus();
  }

  void Shift(PendingProduct& p, std::vector<float> by, const std::string& name) {
    if (p.bias >= 0) {
      const auto b = tensor(p.bias).values<float>();
      for (size_t i = 0; i < by.size(); ++i) by[i] += b[i];
      p.bias = Replaced(p.bias, by);
      return;
    }
    GraphTensor bias;
    bias.name = name + "/bias";
    bias.shape = Shape{static_cast<int64_t>(by.size())};
    p.bias = Add(std::move(bias), by);
  }

  // A constant like `old` with other values. The old one stays: others may read it.
  int Replaced(int old, const std::vector<float>& values) { return Add(tensor(old), values); }

  int Add(GraphTensor like, const std::vector<float>& values) {
    const auto bytes = std::as_bytes(std::span(values));
    like.constant = std::make_shared<const Bytes>(bytes.begin(), bytes.end());
    state_.producer.push_back(-1);
    readers_.push_back(0);
    return graph_.AddTensor(std::move(like));
  }

  ImportState& state_;
  Graph& graph_;
  std::vector<int> readers_;
};

}  // namespace

Status FuseGraph(ImportState& state, Refusals* refusals) {
  RemoveDeadNodes(&state.graph);
  WHIT_RETURN_IF_ERROR(Fuser(state).Run());
  for (GraphNode& node : state.graph.nodes) {
    if (node.product != nullptr) WHIT_RETURN_IF_ERROR(refusals->Collect(PackProduct(state, node)));
  }
  return OkStatus();
}

}  // namespace whit::tools
