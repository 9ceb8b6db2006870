#include "runtime/graph.h"

#include <algorithm>

namespace whit {

namespace {

BlobView BlobOf(const ModelFile& file, int index) {
  if (index < 0) return {};
  const auto bytes = file.blob(static_cast<size_t>(index));
  return {bytes.data(), bytes.size()};
}

void ReadQuantization(const fbs::Quantization* q, TensorDef* def) {
  if (q == nullptr || q->scale() == nullptr) return;
  def->scale.assign(q->scale()->begin(), q->scale()->end());
  if (q->zero_point() != nullptr)
    def->zero_point.assign(q->zero_point()->begin(), q->zero_point()->end());
  def->zero_point.resize(def->scale.size(), 0);
  def->axis = q->axis();
}

template <typename Dims>
Shape ReadShape(const Dims* dims) {
  if (dims == nullptr) return Shape();
  Shape shape = Shape::OfRank(static_cast<int>(dims->size()));
  for (int i = 0; i < shape.rank(); ++i) shape[i] = dims->Get(static_cast<unsigned>(i));
  return shape;
}

PackedWeights ReadWeights(const ModelFile& file, const fbs::Weights& w) {
  PackedWeights out;
  out.name = flatbuffers::GetString(w.name());
  out.layout = static_cast<PackedWeights::Layout>(w.layout());
  out.groups = w.groups();
  out.n = w.n();
  out.runs = w.runs();
  out.run_length = w.run_length();
  out.shape = ReadShape(w.shape());
  const BlobView data = BlobOf(file, w.data());
  out.data = data.data;
  out.data_bytes = data.bytes;
  out.sums = static_cast<const int32_t*>(BlobOf(file, w.sums()).data);
  out.limits = static_cast<const uint8_t*>(BlobOf(file, w.limits()).data);
  out.pair_flags = static_cast<const uint8_t*>(BlobOf(file, w.pair_flags()).data);
  if (w.scale() != nullptr) out.scale = {w.scale()->data(), w.scale()->size()};
  out.zero_point = w.zero_point();
  return out;
}

IoDef ReadIo(const fbs::Io& io) {
  return {flatbuffers::GetString(io.name()), static_cast<int>(io.tensor()),
          static_cast<DType>(io.type())};
}

// The value of each named dimension: Options::dims, else the file's default.
Result<std::vector<uint32_t>> ResolveDims(const fbs::Model& model, const DimValues& dims) {
  std::vector<uint32_t> values;
  std::vector<std::string> names;
  std::vector<uint32_t> bounds;
  for (size_t i = 0; model.dims() != nullptr && i < model.dims()->size(); ++i) {
    const fbs::DimVar* dim = model.dims()->Get(static_cast<unsigned>(i));
    names.push_back(flatbuffers::GetString(dim->name()));
    bounds.push_back(dim->max());
    values.push_back(dim->value());
  }
  for (const auto& [name, value] : dims) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      std::string known;
      for (size_t i = 0; i < names.size(); ++i) {
        known += (i > 0 ? ", '" : "'") + names[i] + "' (1.." + std::to_string(bounds[i]) + ")";
      }
      return Status(StatusCode::kInvalidArgument, "the model has no dimension named '" + name +
                                                      "'; it has " +
                                                      (known.empty() ? "none" : known));
    }
    const auto i = static_cast<size_t>(found - names.begin());
    if (value < 1 || value > bounds[i]) {
      return Status(StatusCode::kInvalidArgument,
                    "dimension '" + name + "' = " + std::to_string(value) + " is outside of 1.." +
                        std::to_string(bounds[i]));
    }
    values[i] = value;
  }
  return values;
}

Result<TensorDef> ReadTensor(const ModelFile& file, const fbs::Tensor& t,
                             const std::vector<uint32_t>& dim_values) {
  TensorDef def;
  def.name = flatbuffers::GetString(t.name());
  def.type = static_cast<DType>(t.type());
  def.shape = ReadShape(t.shape());
  if (t.dim_vars() != nullptr) {
    for (int i = 0; i < def.shape.rank() && static_cast<unsigned>(i) < t.dim_vars()->size(); ++i) {
      const int var = t.dim_vars()->Get(static_cast<unsigned>(i));
      if (var >= 0) def.shape[i] = dim_values[static_cast<size_t>(var)];
    }
  }
  ReadQuantization(t.quantization(), &def);
  def.constant = BlobOf(file, t.blob()).data;
  def.variable = t.variable();
  return def;
}

NodeDef ReadNode(const fbs::Operator& op, int index, std::vector<TensorDef>* tensors) {
  NodeDef node;
  node.op = &op;
  node.type = static_cast<OpType>(op.options_type());
  node.name = flatbuffers::GetString(op.name());
  if (op.inputs() != nullptr) node.in.assign(op.inputs()->begin(), op.inputs()->end());
  if (op.outputs() != nullptr) node.out.assign(op.outputs()->begin(), op.outputs()->end());
  for (int t : node.out) {
    if (t >= 0) (*tensors)[static_cast<size_t>(t)].producer = index;
  }
  return node;
}

TensorDef ReadVariable(const ModelFile& file, const fbs::Variable& v) {
  TensorDef def;
  def.name = flatbuffers::GetString(v.name());
  def.type = static_cast<DType>(v.type());
  def.shape = ReadShape(v.shape());
  ReadQuantization(v.quantization(), &def);
  def.constant = BlobOf(file, v.init()).data;
  return def;
}

}  // namespace

View ViewOf(const TensorDef& def) {
  View view;
  view.type = def.type;
  view.shape = def.shape;
  view.quant = {def.scale, def.zero_point, def.axis};
  view.data = const_cast<void*>(def.constant);  // constants are only ever inputs
  return view;
}

Result<Graph> BuildGraph(const ModelFile& file, const DimValues& dims) {
  const fbs::Model& model = file.graph();
  WHIT_ASSIGN_OR_RETURN(const std::vector<uint32_t> dim_values, ResolveDims(model, dims));
  const fbs::Subgraph& subgraph = file.main_subgraph();
  Graph graph;
  for (size_t i = 0; subgraph.tensors() != nullptr && i < subgraph.tensors()->size(); ++i) {
    WHIT_ASSIGN_OR_RETURN(
        TensorDef def,
        ReadTensor(file, *subgraph.tensors()->Get(static_cast<unsigned>(i)), dim_values));
    graph.tensors.push_back(std::move(def));
  }
  for (size_t i = 0; subgraph.operators() != nullptr && i < subgraph.operators()->size(); ++i) {
    graph.nodes.push_back(ReadNode(*subgraph.operators()->Get(static_cast<unsigned>(i)),
                                   static_cast<int>(i), &graph.tensors));
  }
  for (const fbs::Io* io : *file.signature().inputs()) graph.inputs.push_back(ReadIo(*io));
  for (const fbs::Io* io : *file.signature().outputs()) graph.outputs.push_back(ReadIo(*io));
  for (size_t i = 0; model.variables() != nullptr && i < model.variables()->size(); ++i) {
    graph.variables.push_back(
        ReadVariable(file, *model.variables()->Get(static_cast<unsigned>(i))));
  }
  for (size_t i = 0; model.weights() != nullptr && i < model.weights()->size(); ++i) {
    const fbs::Weights& w = *model.weights()->Get(static_cast<unsigned>(i));
    graph.weights.push_back(ReadWeights(file, w));
    std::vector<BlobView>& blobs = graph.weight_blobs.emplace_back();
    for (int blob : {w.data(), w.sums(), w.limits(), w.pair_flags()}) {
      if (blob >= 0) blobs.push_back(BlobOf(file, blob));
    }
  }
  for (size_t i = 0; i < file.blob_count(); ++i)
    graph.blobs.push_back(BlobOf(file, static_cast<int>(i)));
  return graph;
}

}  // namespace whit
