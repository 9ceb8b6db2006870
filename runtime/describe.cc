// Facts about models, plans and this build, for people and for `whit info|plan|ops`.
#include <algorithm>
#include <map>

#include "runtime/impl.h"
#include "schema/hash_tree.h"

namespace whit {

namespace {

std::string DescribePlace(const Place& place) {
  switch (place.kind) {
    case Place::Kind::kArena:
      return "@" + std::to_string(place.offset);
    case Place::Kind::kInput:
      return "@input" + std::to_string(place.index);
    case Place::Kind::kOutput:
      return "@output" + std::to_string(place.index) +
             (place.offset == 0 ? "" : "+" + std::to_string(place.offset));
    case Place::Kind::kConstant:
      return "@file";
    case Place::Kind::kVariable:
      return "@variable" + std::to_string(place.index);
    case Place::Kind::kNone:
      break;
  }
  return "";
}

std::vector<std::string> DescribeSlots(const Plan& plan, const std::vector<Slot>& slots) {
  std::vector<std::string> out;
  for (const Slot& slot : slots) {
    if (slot.tensor < 0) continue;
    const TensorDef& def = plan.tensors[static_cast<size_t>(slot.tensor)].def;
    out.push_back(def.name + " " + DTypeName(def.type) + def.shape.ToString() + " " +
                  DescribePlace(slot.place));
  }
  return out;
}

uint64_t CountParameters(const Graph& graph) {
  uint64_t n = 0;
  for (const PackedWeights& w : graph.weights) n += static_cast<uint64_t>(w.shape.elements());
  for (const TensorDef& t : graph.tensors) {
    if (t.constant != nullptr) n += static_cast<uint64_t>(t.shape.elements());
  }
  return n;
}

uintptr_t Address(const void* p) { return reinterpret_cast<uintptr_t>(p); }

}  // namespace

std::vector<PlanStep> DescribePlan(const Runner& runner) {
  const Plan& plan = runner.impl().plan;
  std::vector<PlanStep> out;
  for (const Step& step : plan.steps) {
    PlanStep s;
    s.node = step.name;
    s.op = step.op;
    s.implementation = step.prepared.implementation;
    s.tier = step.prepared.tier;
    s.why_not = step.why_not;
    s.inputs = DescribeSlots(plan, step.in);
    s.outputs = DescribeSlots(plan, step.out);
    s.scratch_bytes = step.prepared.scratch_per_thread;
    s.macs = step.prepared.macs;
    s.tasks = step.prepared.tasks;
    s.threads = step.threads;
    s.floats = !step.in.empty() && step.in[0].view.type == DType::kFloat32;
    out.push_back(std::move(s));
  }
  return out;
}

std::vector<OperatorInfo> Operators() {
  std::vector<OperatorInfo> out;
  for (const OpRow& row : OpTable().subspan(1)) {
    OperatorInfo info{row.name, row.family, row.types, {}};
    for (const Implementation& impl : AlternativesOf(row.type))
      info.implementations.push_back(impl.name);
    info.implementations.push_back("scalar");
    out.push_back(std::move(info));
  }
  return out;
}

ModelInfo Describe(const Model& model) {
  const ModelFile& file = *model.impl()->file;
  const Graph& graph = model.impl()->graph;
  const fbs::Model& m = file.graph();
  ModelInfo info;
  info.name = flatbuffers::GetString(m.name());
  info.version = flatbuffers::GetString(m.version());
  info.author = flatbuffers::GetString(m.author());
  info.licence = flatbuffers::GetString(m.licence());
  info.description = flatbuffers::GetString(m.description());
  info.file_bytes = file.file_bytes();
  info.weight_bytes = file.weights_section().size();
  info.parameters = CountParameters(graph);
  info.operators = graph.nodes.size();
  info.tensors = graph.tensors.size();
  info.has_hash_tree = file.has_hash_tree();
  info.has_signature = file.has_signature();
  if (info.has_signature) info.signer = ToHex(BytesOf(file.trust()->signature()->public_key()));
  if (file.trust() != nullptr && file.trust()->golden() != nullptr)
    info.golden_samples = file.trust()->golden()->size();
  std::map<std::string, uint64_t> counts;
  for (const NodeDef& node : graph.nodes) ++counts[RowOf(node.type).name];
  info.operator_counts.assign(counts.begin(), counts.end());
  std::stable_sort(info.operator_counts.begin(), info.operator_counts.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  for (unsigned i = 0; m.provenance() != nullptr && i < m.provenance()->size(); ++i) {
    info.provenance.emplace_back(flatbuffers::GetString(m.provenance()->Get(i)->key()),
                                 flatbuffers::GetString(m.provenance()->Get(i)->value()));
  }
  for (unsigned i = 0; m.dims() != nullptr && i < m.dims()->size(); ++i) {
    const fbs::DimVar& dim = *m.dims()->Get(i);
    info.dims.push_back({flatbuffers::GetString(dim.name()), dim.value(), dim.max()});
  }
  return info;
}

SealedUse UseOfSealed(const Model& model) {
  const SealedWeights* sealed = model.impl()->sealed.get();
  if (sealed == nullptr) return {};
  return {sealed->window_bytes(), sealed->most_plain_bytes(),
          sealed->opened_pages() * sealed->page_bytes()};
}

std::vector<AddressRange> WeightRanges(const Model& model) {
  std::vector<AddressRange> out;
  const Graph& graph = model.impl()->graph;
  auto add = [&](const void* data, size_t bytes) {
    if (data != nullptr) out.push_back({Address(data), Address(data) + bytes});
  };
  for (const PackedWeights& w : graph.weights) add(w.data, w.data_bytes);
  for (const BlobView& blob : graph.blobs) add(blob.data, blob.bytes);
  for (const TensorDef& t : graph.tensors) add(t.constant, t.bytes());
  return out;
}

AddressRange MappingRange(const Model& model) {
  const auto bytes = model.impl()->file->file();
  return {Address(bytes.data()), Address(bytes.data()) + bytes.size()};
}

}  // namespace whit
