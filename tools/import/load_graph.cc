#include "tools/import/load_graph.h"

#include <memory>
#include <utility>

#include "schema/page_checker.h"

namespace whit::tools {

namespace {

Shape ShapeOf(const std::vector<uint32_t>& dims) {
  Shape shape = Shape::OfRank(static_cast<int>(dims.size()));
  for (size_t i = 0; i < dims.size(); ++i) shape[static_cast<int>(i)] = dims[i];
  return shape;
}

GraphTensor TensorOf(fbs::TensorT& t, const std::vector<SharedBytes>& blobs) {
  GraphTensor out;
  out.name = std::move(t.name);
  out.type = static_cast<DType>(t.type);
  out.shape = ShapeOf(t.shape);
  if (t.quantization != nullptr) {
    out.scale = std::move(t.quantization->scale);
    out.zero_point = std::move(t.quantization->zero_point);
    out.zero_point.resize(out.scale.size(), 0);
    out.axis = t.quantization->axis;
  }
  if (t.blob >= 0) out.constant = blobs[static_cast<size_t>(t.blob)];
  out.variable = t.variable;
  return out;
}

GraphNode NodeOf(fbs::OperatorT& op) {
  GraphNode node;
  node.type = static_cast<OpType>(op.options.type);
  node.name = std::move(op.name);
  node.options = std::move(op.options);
  node.inputs.assign(op.inputs.begin(), op.inputs.end());
  node.outputs.assign(op.outputs.begin(), op.outputs.end());
  if (!op.sources.empty()) node.source = op.sources[0];
  return node;
}

GraphIo IoOf(fbs::IoT& io, std::vector<GraphTensor>* tensors) {
  GraphIo out;
  out.name = std::move(io.name);
  out.tensor = static_cast<int>(io.tensor);
  if (io.normalization != nullptr) out.normalization = std::move(*io.normalization);
  out.labels = io.labels;
  GraphTensor& t = (*tensors)[io.tensor];
  t.shifted = t.type == DType::kInt8 && io.type == fbs::DType::uint8;
  return out;
}

}  // namespace

Result<Graph> LoadGraph(const ModelFile& file) {
  std::unique_ptr<fbs::ModelT> model(file.graph().UnPack());
  if (!model->dims.empty()) {
    return Status(StatusCode::kUnsupported,
                  "dimension '" + model->dims[0]->name + "' may vary, which is not kept here");
  }
  WHIT_ASSIGN_OR_RETURN(const std::unique_ptr<PageChecker> pages, PageChecker::Create(file));
  if (pages != nullptr) WHIT_RETURN_IF_ERROR(pages->CheckRange({0, pages->pages()}));
  Graph graph;
  for (size_t i = 0; i < file.blob_count(); ++i) {
    const auto bytes = file.blob(i);
    graph.blobs.push_back(std::make_shared<const Bytes>(bytes.begin(), bytes.end()));
  }
  for (auto& w : model->weights) graph.weights.push_back(std::move(*w));
  for (auto& v : model->variables) graph.variables.push_back(std::move(*v));
  for (auto& l : model->labels) graph.labels.push_back(std::move(*l));
  fbs::SignatureT& signature = *model->signatures[0];
  fbs::SubgraphT& subgraph = *model->subgraphs[signature.subgraph];
  for (auto& t : subgraph.tensors) graph.tensors.push_back(TensorOf(*t, graph.blobs));
  for (auto& op : subgraph.operators) graph.nodes.push_back(NodeOf(*op));
  for (auto& io : signature.inputs) graph.inputs.push_back(IoOf(*io, &graph.tensors));
  for (auto& io : signature.outputs) graph.outputs.push_back(IoOf(*io, &graph.tensors));
  graph.signature = signature.name;
  graph.name = model->name, graph.version = model->version, graph.author = model->author;
  graph.licence = model->licence, graph.description = model->description;
  for (auto& p : model->provenance) graph.provenance.emplace_back(p->key, p->value);
  return graph;
}

}  // namespace whit::tools
