#include "tools/import/emit.h"

#include <algorithm>
#include <map>

namespace whit::tools {

namespace {

std::unique_ptr<fbs::QuantizationT> QuantizationOf(const GraphTensor& t) {
  if (!t.quantized()) return nullptr;
  auto q = std::make_unique<fbs::QuantizationT>();
  q->scale = t.scale;
  q->zero_point = t.zero_point;
  q->axis = t.axis;
  return q;
}

// Gives old indices new ones in the order of their first use.
class Renumber {
 public:
  explicit Renumber(size_t count) : new_(count, -1) {}

  // The new index; calls add(old) when the old one is met for the first time.
  template <typename Add>
  int32_t operator()(int32_t old, Add add) {
    if (old < 0) return -1;
    int32_t& index = new_[static_cast<size_t>(old)];
    if (index < 0) {
      index = next_++;
      add(static_cast<size_t>(old));
    }
    return index;
  }

 private:
  std::vector<int32_t> new_;
  int32_t next_ = 0;
};

class Emitter {
 public:
  Emitter(Graph graph, FileWriter* writer)
      : graph_(std::move(graph)),
        writer_(*writer),
        tensor_index_(graph_.tensors.size()),
        weights_index_(graph_.weights.size()) {}

  void Run() {
    auto subgraph = std::make_unique<fbs::SubgraphT>();
    subgraph->name = "main";
    subgraph_ = subgraph.get();
    for (const GraphIo& io : graph_.inputs) Tensor(io.tensor);
    for (GraphNode& node : graph_.nodes) Node(node);
    auto signature = std::make_unique<fbs::SignatureT>();
    signature->name = graph_.signature;
    for (GraphIo& io : graph_.inputs) signature->inputs.push_back(Io(io));
    for (GraphIo& io : graph_.outputs) signature->outputs.push_back(Io(io));
    fbs::ModelT& model = writer_.graph;
    model.signatures.push_back(std::move(signature));
    model.subgraphs.push_back(std::move(subgraph));
    for (fbs::VariableT& v : graph_.variables) {
      if (v.init >= 0) v.init = Blob(v.init);
      model.variables.push_back(std::make_unique<fbs::VariableT>(v));
    }
    for (const fbs::LabelsT& l : graph_.labels)
      model.labels.push_back(std::make_unique<fbs::LabelsT>(l));
    model.name = graph_.name, model.version = graph_.version, model.author = graph_.author;
    model.licence = graph_.licence, model.description = graph_.description;
    for (const auto& [key, value] : graph_.provenance) {
      auto pair = std::make_unique<fbs::KeyValueT>();
      pair->key = key, pair->value = value;
      model.provenance.push_back(std::move(pair));
    }
  }

 private:
  int32_t Blob(int32_t old) {
    if (old < 0) return -1;
    return Written(graph_.blobs[static_cast<size_t>(old)]);
  }

  // The writer knows equal blobs by their bytes; what is shared is known here without reading it.
  int32_t Written(const SharedBytes& bytes) {
    const auto [at, fresh] = written_.try_emplace(bytes.get(), -1);
    if (fresh) at->second = writer_.AddBlob(*bytes);
    return at->second;
  }

  int32_t Weights(int32_t old) {
    return weights_index_(old, [&](size_t i) {
      fbs::WeightsT w = graph_.weights[i];
      for (int32_t* blob : {&w.data, &w.sums, &w.limits, &w.pair_flags}) *blob = Blob(*blob);
      writer_.graph.weights.push_back(std::make_unique<fbs::WeightsT>(std::move(w)));
    });
  }

  int32_t Tensor(int32_t old) {
    return tensor_index_(old, [&](size_t i) {
      const GraphTensor& t = graph_.tensors[i];
      auto out = std::make_unique<fbs::TensorT>();
      out->name = t.name;
      out->type = static_cast<fbs::DType>(t.type);
      for (int a = 0; a < t.shape.rank(); ++a)
        out->shape.push_back(static_cast<uint32_t>(t.shape[a]));
      out->quantization = QuantizationOf(t);
      if (t.is_const()) out->blob = Written(t.constant);
      out->variable = t.variable;
      subgraph_->tensors.push_back(std::move(out));
    });
  }

  void Node(GraphNode& node) {
    VisitReferences(
        node, [&](int32_t& blob) { blob = Blob(blob); }, [&](int32_t& w) { w = Weights(w); });
    auto op = std::make_unique<fbs::OperatorT>();
    op->name = std::move(node.name);
    op->options = std::move(node.options);
    for (int t : node.inputs) op->inputs.push_back(Tensor(t));
    for (int t : node.outputs) op->outputs.push_back(Tensor(t));
    op->sources = {node.source};
    subgraph_->operators.push_back(std::move(op));
  }

  std::unique_ptr<fbs::IoT> Io(GraphIo& io) {
    const GraphTensor& t = graph_.tensors[static_cast<size_t>(io.tensor)];
    auto out = std::make_unique<fbs::IoT>();
    out->name = io.name;
    out->tensor = static_cast<uint32_t>(Tensor(io.tensor));
    out->type = t.shifted ? fbs::DType::uint8 : static_cast<fbs::DType>(t.type);
    out->labels = io.labels;
    if (!io.normalization.mean.empty() || io.normalization.channels != fbs::ChannelOrder::rgb) {
      out->normalization = std::make_unique<fbs::NormalizationT>(io.normalization);
    }
    return out;
  }

  Graph graph_;
  FileWriter& writer_;
  Renumber tensor_index_, weights_index_;
  std::map<const Bytes*, int32_t> written_;
  fbs::SubgraphT* subgraph_ = nullptr;
};

}  // namespace

void RemoveDeadNodes(Graph* graph) {
  std::vector<bool> needed(graph->tensors.size());
  for (const GraphIo& io : graph->outputs) needed[static_cast<size_t>(io.tensor)] = true;
  std::vector<GraphNode> alive;
  for (size_t i = graph->nodes.size(); i-- > 0;) {
    GraphNode& node = graph->nodes[i];
    bool keep = node.type == OpType::kAssignVariable;
    for (int t : node.outputs) keep = keep || (t >= 0 && needed[static_cast<size_t>(t)]);
    if (!keep) continue;
    for (int t : node.inputs) {
      if (t >= 0) needed[static_cast<size_t>(t)] = true;
    }
    alive.push_back(std::move(node));
  }
  std::reverse(alive.begin(), alive.end());
  graph->nodes = std::move(alive);
}

void Emit(Graph graph, FileWriter* writer) { Emitter(std::move(graph), writer).Run(); }

}  // namespace whit::tools
