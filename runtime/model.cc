#include <algorithm>
#include <utility>

#include "platform/mapping.h"
#include "runtime/check_pages.h"
#include "runtime/impl.h"
#include "runtime/plan.h"
#include "runtime/step_pages.h"
#include "schema/hash_tree.h"

namespace whit {

namespace {

MapMode MapModeOf(Residency residency) {
  switch (residency) {
    case Residency::kRead:
      return MapMode::kRead;
    case Residency::kLock:
      return MapMode::kLock;
    case Residency::kMap:
      break;
  }
  return MapMode::kMap;
}

std::vector<int64_t> DimsOf(const Shape& shape) {
  std::vector<int64_t> dims;
  for (int i = 0; i < shape.rank(); ++i) dims.push_back(shape[i]);
  return dims;
}

Normalization ReadNormalization(const fbs::Normalization* n) {
  Normalization out;
  if (n == nullptr) return out;
  if (n->mean() != nullptr) out.mean.assign(n->mean()->begin(), n->mean()->end());
  if (n->std() != nullptr) out.std.assign(n->std()->begin(), n->std()->end());
  out.resize = static_cast<Normalization::Resize>(n->resize());
  out.channels = static_cast<Normalization::Channels>(n->channels());
  return out;
}

std::vector<std::string> ReadLabels(const fbs::Model& model, int index) {
  std::vector<std::string> out;
  if (index < 0 || model.labels() == nullptr) return out;
  const auto* labels = model.labels()->Get(static_cast<unsigned>(index))->labels();
  for (unsigned i = 0; labels != nullptr && i < labels->size(); ++i)
    out.push_back(labels->Get(i)->str());
  return out;
}

void FillInterface(Model::Impl* impl) {
  const fbs::Signature& signature = impl->file->signature();
  const fbs::Model& model = impl->file->graph();
  for (size_t i = 0; i < impl->graph.inputs.size(); ++i) {
    impl->normalizations.push_back(
        ReadNormalization(signature.inputs()->Get(static_cast<unsigned>(i))->normalization()));
  }
  for (size_t i = 0; i < impl->graph.outputs.size(); ++i) {
    impl->labels.push_back(
        ReadLabels(model, signature.outputs()->Get(static_cast<unsigned>(i))->labels()));
  }
  impl->inputs = InterfaceViews(impl->graph, impl->graph.inputs, &impl->input_shapes);
  impl->outputs = InterfaceViews(impl->graph, impl->graph.outputs, &impl->output_shapes);
}

// That one of the required keys has signed. Whether the signature is true is for PageChecker to
// say.
Status CheckKey(const ModelFile& file, const OpenOptions& options) {
  if (options.required_keys.empty()) return OkStatus();
  if (options.integrity == Integrity::kOff) {
    return Status(StatusCode::kInvalidArgument,
                  "required_keys asks for a signature, and integrity off checks none");
  }
  if (!file.has_signature()) {
    return Status(StatusCode::kIntegrity,
                  "the file is not signed, but required_keys asks for a signature");
  }
  const std::span<const std::byte> signer = BytesOf(file.trust()->signature()->public_key());
  for (const std::string& text : options.required_keys) {
    PublicKey key;
    Status status = FromHex(text, key);
    if (!status.ok()) return std::move(status).WithContext("required_keys: '" + text + "'");
    if (std::ranges::equal(key, signer)) return OkStatus();
  }
  return Status(StatusCode::kIntegrity,
                "the file is signed by key " + ToHex(signer) + ", which is none of the " +
                    std::to_string(options.required_keys.size()) + " in required_keys");
}

// The key of a sealed file, from whoever has it.
Result<std::unique_ptr<SealedWeights>> Unseal(const ModelFile& file, const OpenOptions& options) {
  if (!CryptoAvailable()) {
    return Status(StatusCode::kUnsupported,
                  "the weights are sealed, and this build has no libsodium (WHIT_SODIUM=OFF)");
  }
  const auto* id = file.trust()->seal()->key_id();
  const std::string_view name = id == nullptr ? std::string_view() : id->string_view();
  SealKey key{};
  const std::span<uint8_t> raw(reinterpret_cast<uint8_t*>(key.data()), key.size());
  if (!options.key_callback(name, raw)) {
    WipeMemory(key);
    return Status(StatusCode::kInvalidArgument, "the weights are sealed under key '" +
                                                    std::string(name) +
                                                    "', and key_callback has no such key");
  }
  auto sealed = SealedWeights::Create(file, key, options.window_bytes);
  WipeMemory(key);
  return sealed;
}

Result<Model> OpenMapping(Mapping mapping, const OpenOptions& options, bool size_unknown) {
  ReadLimits limits;
  limits.max_graph_bytes = options.budgets.max_graph_bytes;
  limits.max_tensors = options.budgets.max_tensors;
  limits.max_operators = options.budgets.max_operators;
  limits.allow_trailing_bytes = size_unknown;
  limits.allow_sealed = options.key_callback != nullptr;
  auto impl = std::make_shared<Model::Impl>();
  impl->options = options;
  WHIT_ASSIGN_OR_RETURN(impl->file, ModelFile::Open(std::move(mapping), limits));
  WHIT_RETURN_IF_ERROR(CheckKey(*impl->file, options));
  if (options.integrity != Integrity::kOff) {
    WHIT_ASSIGN_OR_RETURN(impl->pages, PageChecker::Create(*impl->file));
    if (options.integrity == Integrity::kFull && impl->pages != nullptr)
      WHIT_RETURN_IF_ERROR(CheckAllPages(*impl->pages));
    if (impl->pages != nullptr)
      impl->scrubber = std::make_unique<Scrubber>(*impl->pages, options.log);
  }
  if (impl->file->sealed()) {
    WHIT_ASSIGN_OR_RETURN(impl->sealed, Unseal(*impl->file, options));
  }
  WHIT_ASSIGN_OR_RETURN(impl->graph, BuildGraph(*impl->file, {}));
  // The reference implementation of every operator checks its own types, shapes and parameters
  // here, once and for all.
  PlanOptions plan;
  plan.plain = true;
  plan.allow_xnnpack = false;
  plan.budgets = options.budgets;
  plan.budgets.max_arena_bytes = UINT64_MAX / 4;  // the plain memory layout is not what will run
  SealedWeights::Lease lease;
  if (impl->sealed != nullptr) {
    lease = impl->sealed->Lock();
    plan.open_blobs = OpenerOf(impl->sealed.get());
  }
  auto checked = BuildPlan(impl->graph, plan);
  if (!checked.ok()) return checked.status();
  FillInterface(impl.get());
  return Model(std::shared_ptr<const Model::Impl>(std::move(impl)));
}

}  // namespace

std::vector<TensorView> InterfaceViews(const Graph& graph, const std::vector<IoDef>& ios,
                                       std::vector<std::vector<int64_t>>* shapes) {
  std::vector<TensorView> views;
  for (const IoDef& io : ios)
    shapes->push_back(DimsOf(graph.tensors[static_cast<size_t>(io.tensor)].shape));
  for (size_t i = 0; i < ios.size(); ++i) {
    const TensorDef& def = graph.tensors[static_cast<size_t>(ios[i].tensor)];
    TensorView view;
    view.name = ios[i].name;
    view.type = static_cast<Type>(ios[i].type);
    view.shape = (*shapes)[i];
    if (def.scale.size() == 1) {
      view.scale = def.scale[0];
      view.zero_point =
          def.zero_point[0] + (def.biased() && ios[i].type == DType::kUint8 ? 128 : 0);
    }
    views.push_back(view);
  }
  return views;
}

const char* TypeName(Type type) { return DTypeName(static_cast<DType>(type)); }
size_t TypeSize(Type type) { return DTypeSize(static_cast<DType>(type)); }

Result<Model> Model::Open(const std::string& path, const OpenOptions& options, uint64_t offset,
                          uint64_t size) {
  auto mapping = Mapping::MapFile(path, MapModeOf(options.residency), offset, size);
  if (!mapping.ok()) return mapping.status();
  auto model = OpenMapping(std::move(mapping).value(), options, offset > 0 && size == 0);
  if (!model.ok()) return Status(model.status()).WithContext(path);
  return model;
}

Result<Model> Model::OpenFd(int fd, uint64_t offset, uint64_t size, const OpenOptions& options) {
  auto mapping = Mapping::MapFd(fd, MapModeOf(options.residency), offset, size);
  if (!mapping.ok()) return mapping.status();
  return OpenMapping(std::move(mapping).value(), options, offset > 0 && size == 0);
}

Result<Model> Model::OpenBytes(std::span<const std::byte> bytes, const OpenOptions& options) {
  return OpenMapping(Mapping::Borrow(bytes), options, false);
}

std::span<const TensorView> Model::inputs() const { return impl_->inputs; }
std::span<const TensorView> Model::outputs() const { return impl_->outputs; }
const Normalization& Model::input_normalization(size_t input) const {
  return impl_->normalizations[input];
}
std::span<const std::string> Model::labels(size_t output) const { return impl_->labels[output]; }

Result<ScrubReport> Model::Scrub(uint64_t max_pages) const {
  if (impl_->scrubber == nullptr) {
    return Status(StatusCode::kUnsupported,
                  "nothing to scrub against: the file has no hash tree, or it was opened with "
                  "integrity off; whit import writes files with one");
  }
  return impl_->scrubber->Scrub(max_pages);
}

ScrubReport Model::scrubbed() const {
  return impl_->scrubber == nullptr ? ScrubReport{} : impl_->scrubber->total();
}

std::string_view Model::name() const {
  const auto* name = impl_->file->graph().name();
  return name == nullptr ? std::string_view() : name->string_view();
}

}  // namespace whit
