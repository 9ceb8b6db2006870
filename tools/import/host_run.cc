#include "tools/import/host_run.h"

#include <algorithm>

namespace whit::tools {

namespace {

constexpr uint64_t kMaxFoldedTotal = 256ull << 20;  // bytes of all folded constants of one import
constexpr int64_t kMaxFoldMacs = 1'000'000'000;     // about a second of reference kernels

// Kernels add offsets to addresses, so bytes that are none have one too.
std::byte* AddressOf(std::byte* data) {
  alignas(std::max_align_t) static std::byte nothing;
  return data == nullptr ? &nothing : data;
}

// Elements that a run touches at least, products or not.
uint64_t WorkOf(const Graph& graph, const GraphNode& node, int64_t macs) {
  uint64_t elements = 0;
  for (const auto* list : {&node.inputs, &node.outputs}) {
    for (int i : *list) {
      if (i >= 0)
        elements += static_cast<uint64_t>(graph.tensors[static_cast<size_t>(i)].shape.elements());
    }
  }
  return std::max(elements, static_cast<uint64_t>(std::max<int64_t>(macs, 0)));
}

// Everything a PrepareContext borrows, for one node.
class HostContext {
 public:
  HostContext(const Graph& graph, GraphNode node) {
    BorrowStorage(graph, node);
    for (int i : node.inputs) {
      in_.push_back(i < 0 ? View{} : ViewOf(graph.tensors[static_cast<size_t>(i)]));
      present_.push_back(i >= 0);
      in_variable_.push_back(
          i < 0 ? -1 : BorrowVariable(graph, graph.tensors[static_cast<size_t>(i)].variable));
    }
    Serialize(node);
    for (int i : node.outputs) out_.push_back(ViewOf(graph.tensors[static_cast<size_t>(i)]));
    present_flags_ = std::make_unique<bool[]>(std::max<size_t>(present_.size(), 1));
    std::copy(present_.begin(), present_.end(), present_flags_.get());
    context_.op = flatbuffers::GetRoot<fbs::Operator>(builder_.GetBufferPointer());
    context_.type = node.type;
    context_.in = in_;
    context_.present_in = {present_flags_.get(), present_.size()};
    context_.out = out_;
    context_.weights = weights_;
    context_.blobs = blobs_;
    context_.variables = variables_;
    context_.in_variable = in_variable_;
    context_.allow_xnnpack = false;
  }

  const PrepareContext& context() const { return context_; }
  std::span<View> in() { return in_; }
  std::span<View> out() { return out_; }

 private:
  // Views of the blobs, weights and variables that the node names, renumbered to these alone: the
  // work does not grow with the graph.
  void BorrowStorage(const Graph& graph, GraphNode& node) {
    const auto blob = [&](int32_t& i) {
      if (i < 0) return;
      const SharedBytes& b = graph.blobs[static_cast<size_t>(i)];
      i = static_cast<int32_t>(blobs_.size());
      blobs_.push_back({b->data(), b->size()});
    };
    const auto weights = [&](int32_t& i) {
      if (i < 0) return;
      const fbs::WeightsT& w = graph.weights[static_cast<size_t>(i)];
      i = static_cast<int32_t>(weights_.size());
      weights_.push_back(Packed(graph, w));
    };
    VisitReferences(node, blob, weights);
    if (node.type == OpType::kReadVariable || node.type == OpType::kAssignVariable) {
      auto* o = NodeOptions<fbs::VariableOptionsT>(node);
      o->variable = BorrowVariable(graph, o->variable);
    }
  }

  int BorrowVariable(const Graph& graph, int variable) {
    if (variable < 0) return -1;
    const auto known = std::find(borrowed_.begin(), borrowed_.end(), variable);
    if (known != borrowed_.end()) return static_cast<int>(known - borrowed_.begin());
    borrowed_.push_back(variable);
    variables_.push_back(ViewOf(graph.variables[static_cast<size_t>(variable)]));
    return static_cast<int>(variables_.size()) - 1;
  }

  void Serialize(const GraphNode& node) {
    fbs::OperatorT op;
    op.name = node.name;
    op.options = node.options;
    op.inputs.assign(node.inputs.begin(), node.inputs.end());
    op.outputs.assign(node.outputs.begin(), node.outputs.end());
    builder_.Finish(fbs::Operator::Pack(builder_, &op));
  }

  static View ViewOf(const GraphTensor& t) {
    View v;
    v.type = t.type;
    v.shape = t.shape;
    v.quant = {t.scale, t.zero_point, t.axis};
    // Kernels only read inputs; the view has one pointer type for both directions.
    if (t.is_const()) v.data = AddressOf(const_cast<std::byte*>(t.constant->data()));
    return v;
  }

  static View ViewOf(const fbs::VariableT& variable) {
    View v;
    v.type = static_cast<DType>(variable.type);
    v.shape = Shape::OfRank(static_cast<int>(variable.shape.size()));
    for (size_t i = 0; i < variable.shape.size(); ++i)
      v.shape[static_cast<int>(i)] = variable.shape[i];
    if (variable.quantization != nullptr) {
      v.quant = {variable.quantization->scale, variable.quantization->zero_point, -1};
    }
    return v;
  }

  static PackedWeights Packed(const Graph& graph, const fbs::WeightsT& w) {
    PackedWeights p;
    p.name = w.name;
    p.layout = static_cast<PackedWeights::Layout>(w.layout);
    p.groups = w.groups, p.n = w.n, p.runs = w.runs, p.run_length = w.run_length;
    p.shape = Shape::OfRank(static_cast<int>(w.shape.size()));
    for (size_t i = 0; i < w.shape.size(); ++i) p.shape[static_cast<int>(i)] = w.shape[i];
    const auto blob = [&](int i) {
      if (i < 0) return BlobView{};
      const SharedBytes& b = graph.blobs[static_cast<size_t>(i)];
      return BlobView{b->data(), b->size()};
    };
    p.data = blob(w.data).data;
    p.data_bytes = blob(w.data).bytes;
    p.sums = static_cast<const int32_t*>(blob(w.sums).data);
    p.limits = static_cast<const uint8_t*>(blob(w.limits).data);
    p.pair_flags = static_cast<const uint8_t*>(blob(w.pair_flags).data);
    p.scale = w.scale;
    p.zero_point = w.zero_point;
    return p;
  }

  flatbuffers::FlatBufferBuilder builder_;
  std::vector<View> in_, out_, variables_;
  std::vector<bool> present_;
  std::vector<int> in_variable_;
  std::vector<int> borrowed_;  // the variables' indices in the graph, in the order of variables_
  std::unique_ptr<bool[]> present_flags_;
  std::vector<PackedWeights> weights_;
  std::vector<BlobView> blobs_;
  PrepareContext context_;
};

bool Foldable(const ImportState& state, const GraphNode& node, std::string* why_not) {
  switch (node.type) {
    case OpType::kReadVariable:
    case OpType::kAssignVariable:
    case OpType::kLstm:
    case OpType::kSvdf:
      *why_not = "it has a state";
      return false;
    default:
      break;
  }
  for (int i : node.inputs) {
    if (i >= 0 && !state.graph.tensors[static_cast<size_t>(i)].is_const()) {
      *why_not = "an input is computed at run time";
      return false;
    }
  }
  uint64_t bytes = 0;
  for (int o : node.outputs) bytes += state.graph.tensors[static_cast<size_t>(o)].bytes();
  if (bytes > state.options.max_fold_bytes || state.folded_bytes + bytes > kMaxFoldedTotal) {
    *why_not = "the result has " + std::to_string(bytes) + " bytes";
    return false;
  }
  return true;
}

}  // namespace

Result<bool> TryFold(ImportState& state, const GraphNode& node, std::string* why_not) {
  if (!Foldable(state, node, why_not)) return false;
  HostContext host(state.graph, node);
  Prepared prepared;
  const Status ready = RowOf(node.type).prepare(host.context(), &prepared);
  if (!ready.ok() || prepared.macs > kMaxFoldMacs) {
    *why_not = ready.ok() ? "it is too much work" : ready.message();
    return false;  // CheckNode reports what prepare refused, if the node is still alive then
  }
  if (!state.work.Charge(WorkOf(state.graph, node, prepared.macs)).ok()) {
    *why_not = "all folding together is too much work";
    return false;
  }
  std::vector<std::shared_ptr<Bytes>> results;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    results.push_back(std::make_shared<Bytes>(host.out()[i].bytes()));
    host.out()[i].data = AddressOf(results.back()->data());
    state.folded_bytes += results.back()->size();
  }
  if (prepared.alias) {
    *results[0] = *state.graph.tensors[static_cast<size_t>(node.inputs[0])].constant;
  } else {
    std::vector<std::max_align_t> scratch(prepared.scratch_per_thread / sizeof(std::max_align_t) +
                                          8);
    auto address = reinterpret_cast<uintptr_t>(scratch.data());
    RunContext run;
    run.params = prepared.params.get();
    run.in = host.in();
    run.out = host.out();
    run.tasks = {0, prepared.tasks};
    run.scratch = reinterpret_cast<uint8_t*>((address + 63) / 64 * 64);
    if (prepared.run(run) != KernelCode::kOk) {
      *why_not = "its constant operands make it fail";
      return false;  // a run will end with a Status that names the node
    }
  }
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    state.graph.tensors[static_cast<size_t>(node.outputs[i])].constant = results[i];
  }
  return true;
}

Status CheckNode(const Graph& graph, const GraphNode& node) {
  HostContext host(graph, node);
  Prepared prepared;
  return RowOf(node.type).prepare(host.context(), &prepared);
}

}  // namespace whit::tools
