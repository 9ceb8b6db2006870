#include "tests/fuzz/structured.h"

#include <algorithm>
#include <utility>

#include "platform/crypto.h"
#include "schema/file_parts.h"
#include "tests/fuzz/scalar_sites.h"

namespace whit {
namespace {

class GraphMutator {
 public:
  GraphMutator(fbs::ModelT* model, std::mt19937_64* rng) : model_(*model), rng_(*rng) {}

  void Mutate() {
    if (model_.subgraphs.empty()) return;
    graph_ = model_.subgraphs[Below(model_.subgraphs.size())].get();
    switch (Below(17)) {
      case 0:
        return Drop(&graph_->operators);
      case 1:
        return Duplicate(&graph_->operators);
      case 2:
        return Swap(&graph_->operators);
      case 3:
        return Drop(&graph_->tensors);
      case 4:
        return Duplicate(&graph_->tensors);
      case 5:
        return Swap(&graph_->tensors);
      case 6:
        return MutateOperator();
      case 7:
        return MutateTensor();
      case 8:
        return SwapOptions();
      case 9:
        return MutateBlob();
      case 10:
        return MutateWeights();
      case 11:
        return MutateInterface();
      case 12:
        return MutateVariables();
      case 13:
      case 14:
      case 15:
        return InsertOperator();
      default:
        return MutateDims();
    }
  }

 private:
  size_t Below(size_t n) { return n == 0 ? 0 : static_cast<size_t>(rng_() % n); }
  template <typename T>
  T* Any(std::vector<std::unique_ptr<T>>* list) {
    return list->empty() ? nullptr : (*list)[Below(list->size())].get();
  }
  template <typename T>
  auto At(std::vector<T>* list, size_t i) {
    return list->begin() + static_cast<std::ptrdiff_t>(i);
  }

  template <typename T>
  void Drop(std::vector<T>* list) {
    if (!list->empty()) list->erase(At(list, Below(list->size())));
  }
  template <typename T>
  void Duplicate(std::vector<std::unique_ptr<T>>* list) {
    if (const T* from = Any(list); from != nullptr)
      list->insert(At(list, Below(list->size() + 1)), std::make_unique<T>(*from));
  }
  void Duplicate(std::vector<int32_t>* list) {
    if (!list->empty())
      list->insert(At(list, Below(list->size() + 1)), (*list)[Below(list->size())]);
  }
  template <typename T>
  void Swap(std::vector<T>* list) {
    if (!list->empty()) std::swap((*list)[Below(list->size())], (*list)[Below(list->size())]);
  }

  int32_t AnyTensor() {
    return static_cast<int32_t>(Below(graph_->tensors.size() + 1)) - 1;  // -1: absent
  }

  void MutateOperator() {
    fbs::OperatorT* op = Any(&graph_->operators);
    if (op == nullptr) return;
    std::vector<int32_t>& list = Below(3) == 0 ? op->outputs : op->inputs;
    switch (Below(4)) {
      case 0:
        return Drop(&list);
      case 1:
        list.insert(At(&list, Below(list.size() + 1)), AnyTensor());
        return;
      case 2:
        return Swap(&list);
      default:
        if (!list.empty()) list[Below(list.size())] = AnyTensor();
    }
  }

  // Options of any operator with the defaults of the schema: those of a table without fields.
  static fbs::OptionsUnion DefaultOptions(fbs::Options type) {
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(flatbuffers::Offset<flatbuffers::Table>(builder.EndTable(builder.StartTable())));
    fbs::OptionsUnion options;
    options.type = type;
    options.value = fbs::OptionsUnion::UnPack(
        flatbuffers::GetRoot<flatbuffers::Table>(builder.GetBufferPointer()), type, nullptr);
    return options;
  }

  // Any operator between a tensor and those that read it: models in use have few kinds of them.
  void InsertOperator() {
    if (graph_->operators.empty()) return;
    const size_t at = Below(graph_->operators.size());
    std::vector<int32_t>& inputs = graph_->operators[at]->inputs;
    if (inputs.empty() || inputs[0] < 0 ||
        static_cast<size_t>(inputs[0]) >= graph_->tensors.size()) {
      return;
    }
    auto result = std::make_unique<fbs::TensorT>(*graph_->tensors[static_cast<size_t>(inputs[0])]);
    result->blob = result->variable = -1;
    if (Below(4) == 0) Swap(&result->shape);
    if (Below(4) == 0) result->type = static_cast<fbs::DType>(Below(8));
    if (Below(8) == 0) Drop(&result->shape);
    auto op = std::make_unique<fbs::OperatorT>();
    op->name = "inserted";
    const size_t types = static_cast<size_t>(fbs::Options::MAX);
    op->options = DefaultOptions(static_cast<fbs::Options>(1 + Below(types)));
    op->inputs = {inputs[0]};
    for (size_t more = Below(3); more > 0; --more)
      op->inputs.push_back(Below(2) == 0 ? inputs[0] : AnyTensor());
    op->outputs = {static_cast<int32_t>(graph_->tensors.size())};
    inputs[0] = op->outputs[0];
    graph_->tensors.push_back(std::move(result));
    graph_->operators.insert(At(&graph_->operators, at), std::move(op));
  }

  void MutateTensor() {
    fbs::TensorT* t = Any(&graph_->tensors);
    const fbs::TensorT* other = Any(&graph_->tensors);
    if (t == nullptr) return;
    switch (Below(7)) {
      case 0:
        t->shape = other->shape;
        return;
      case 1:
        t->type = static_cast<fbs::DType>(Below(static_cast<size_t>(fbs::DType::MAX) + 1));
        return;
      case 2:
        t->quantization.reset(other->quantization == nullptr
                                  ? nullptr
                                  : new fbs::QuantizationT(*other->quantization));
        return;
      case 3:
        t->quantization.reset();
        return;
      case 4:  // one more axis, or one less; the elements may stay
        if (Below(2) == 0) {
          t->shape.insert(At(&t->shape, Below(t->shape.size() + 1)), 1);
        } else {
          Drop(&t->shape);
        }
        return;
      case 5:
        return PerAxis(t);
      default:
        t->blob = other->blob;
        if (Below(4) == 0) t->variable = static_cast<int32_t>(Below(model_.variables.size()));
    }
  }

  // Scales an axis, consistently.
  void PerAxis(fbs::TensorT* t) {
    if (t->quantization == nullptr || t->quantization->scale.empty() || t->shape.empty()) return;
    const size_t axis = Below(t->shape.size()), n = std::min<size_t>(t->shape[axis], 4096);
    t->quantization->axis = static_cast<int32_t>(axis);
    t->quantization->scale.resize(n, t->quantization->scale[0]);
    t->quantization->zero_point.resize(n, 0);
  }

  // An operator becomes another one, with options that are valid for that.
  void SwapOptions() {
    if (graph_->operators.empty()) return;
    fbs::OperatorT *a = Any(&graph_->operators), *b = Any(&graph_->operators);
    if (Below(2) == 0) {
      std::swap(a->options, b->options);
      return;
    }
    // Operators of one table: the numbers stay, their meaning does not.
    const fbs::Options old = a->options.type;
    for (int tries = 0; tries < 8; ++tries) {
      const auto type =
          static_cast<fbs::Options>(1 + Below(static_cast<size_t>(fbs::Options::MAX)));
      if (SameTable(old, type)) a->options.type = type;
    }
  }

  // The unions that share a table lie side by side in model.fbs.
  static bool SameTable(fbs::Options a, fbs::Options b) {
    using O = fbs::Options;
    static constexpr std::pair<O, O> kRanges[] = {{O::Conv2D, O::TransposeConv2D},
                                                  {O::Add, O::LogicalOr},
                                                  {O::Abs, O::LogicalNot},
                                                  {O::Table, O::Table16},
                                                  {O::Quantize, O::Dequantize},
                                                  {O::AveragePool2D, O::MaxPool2D},
                                                  {O::Mean, O::ReduceAll},
                                                  {O::ArgMax, O::ArgMin},
                                                  {O::Softmax, O::LogSoftmax},
                                                  {O::Concatenation, O::Split},
                                                  {O::SpaceToBatchNd, O::DepthToSpace},
                                                  {O::ResizeBilinear, O::ResizeNearest},
                                                  {O::ReadVariable, O::AssignVariable}};
    return std::ranges::any_of(kRanges, [&](const auto& r) {
      return a >= r.first && a <= r.second && b >= r.first && b <= r.second;
    });
  }

  void MutateBlob() {
    fbs::BlobT *a = Any(&model_.blobs), *b = Any(&model_.blobs);
    if (a == nullptr) return;
    switch (Below(4)) {
      case 0:
        std::swap(a->offset, b->offset);
        return;
      case 1:
        a->size = b->size;
        return;
      case 2:
        a->offset += 64 * (Below(5) - 2);
        return;
      default:
        return Duplicate(&model_.blobs);
    }
  }

  void MutateWeights() {
    fbs::WeightsT *a = Any(&model_.weights), *b = Any(&model_.weights);
    if (a == nullptr) return;
    switch (Below(5)) {
      case 0:
        std::swap(*a, *b);
        return;
      case 1:
        std::swap(a->runs, a->run_length);
        return;
      case 2:  // the same elements in other groups
        a->groups = static_cast<uint32_t>(1 + Below(4));
        return;
      case 3:
        a->layout = static_cast<fbs::Layout>(Below(static_cast<size_t>(fbs::Layout::MAX) + 1));
        return;
      default:
        if (!a->shape.empty()) std::swap(a->shape.front(), a->shape.back());
    }
  }

  void MutateInterface() {
    fbs::SignatureT* s = Any(&model_.signatures);
    if (s == nullptr) return;
    auto& list = Below(2) == 0 ? s->inputs : s->outputs;
    switch (Below(4)) {
      case 0:
        return Drop(&list);
      case 1:
        return Duplicate(&list);
      case 2:
        if (fbs::IoT* io = Any(&list); io != nullptr) {
          io->tensor = static_cast<uint32_t>(Below(graph_->tensors.size()));
          if (io->tensor < graph_->tensors.size()) io->type = graph_->tensors[io->tensor]->type;
        }
        return;
      default:
        if (fbs::IoT* io = Any(&list); io != nullptr) {
          io->type = io->type == fbs::DType::int8 ? fbs::DType::uint8 : fbs::DType::int8;
        }
    }
  }

  // A tensor's memory becomes a variable, as recurrent states are.
  void MutateVariables() {
    if (Below(2) == 0 && !model_.variables.empty())
      return Below(2) == 0 ? Drop(&model_.variables) : Duplicate(&model_.variables);
    fbs::TensorT* t = Any(&graph_->tensors);
    if (t == nullptr) return;
    auto v = std::make_unique<fbs::VariableT>();
    v->type = t->type;
    v->shape = t->shape;
    if (t->quantization != nullptr)
      v->quantization = std::make_unique<fbs::QuantizationT>(*t->quantization);
    v->init = t->blob;
    t->blob = -1;
    t->variable = static_cast<int32_t>(model_.variables.size());
    model_.variables.push_back(std::move(v));
  }

  // The first dimension of some tensors varies.
  void MutateDims() {
    const auto var = static_cast<int32_t>(model_.dims.size());
    const uint32_t max = static_cast<uint32_t>(1 + Below(4));
    model_.dims.push_back(std::make_unique<fbs::DimVarT>());
    model_.dims.back()->name = "dim" + std::to_string(var);
    model_.dims.back()->max = max;
    model_.dims.back()->value = static_cast<uint32_t>(1 + Below(max));
    const bool all = Below(2) == 0;
    for (auto& t : graph_->tensors) {
      if (t->shape.empty() || t->blob >= 0 || t->variable >= 0 || (!all && Below(3) != 0)) continue;
      t->shape[0] = max;
      t->dim_vars.assign(t->shape.size(), -1);
      t->dim_vars[0] = var;
    }
  }

  fbs::ModelT& model_;
  std::mt19937_64& rng_;
  fbs::SubgraphT* graph_ = nullptr;
};

flatbuffers::DetachedBuffer Pack(const fbs::ModelT& model) {
  flatbuffers::FlatBufferBuilder builder;
  builder.ForceDefaults(true);  // every number is there and can be changed
  fbs::FinishModelBuffer(builder, fbs::Model::Pack(builder, &model));
  return builder.Release();
}

// A record that fits the model it was made for, which the mutant may no longer be.
std::unique_ptr<fbs::GoldenT> AnyGolden(const ModelFile& file, std::mt19937_64* rng) {
  auto golden = std::make_unique<fbs::GoldenT>();
  golden->name = "mutant";
  size_t inputs = 0;
  for (const fbs::Io* io : *file.signature().inputs()) {
    const fbs::Tensor& t = *file.main_subgraph().tensors()->Get(io->tensor());
    size_t bytes = t.type() == fbs::DType::float32 || t.type() == fbs::DType::int32 ? 4 : 1;
    for (unsigned i = 0; t.shape() != nullptr && i < t.shape()->size(); ++i)
      bytes *= t.shape()->Get(i);
    inputs += bytes;
  }
  if (inputs <= (1u << 20)) golden->inputs.resize(inputs);
  golden->output_digests.resize(file.signature().outputs()->size() * kDigestBytes);
  const auto* operators = file.main_subgraph().operators();
  golden->operator_digests.resize((operators == nullptr ? 0 : operators->size()) * size_t{8});
  for (uint8_t& b : golden->operator_digests) b = static_cast<uint8_t>((*rng)());
  return golden;
}

}  // namespace

std::vector<std::byte> MutateStructure(const ModelFile& file, std::mt19937_64* rng) {
  fbs::ModelT model;
  file.graph().UnPackTo(&model);
  // Few changes: of many, one is always refused, and the others are not tried.
  const size_t changes = (*rng)() % 3, numbers = (*rng)() % 2 + (changes == 0 ? 1 : 0);
  for (size_t n = 0; n < changes; ++n) GraphMutator(&model, rng).Mutate();
  FileParts parts;
  parts.graph = Pack(model);
  MutateScalars({parts.graph.data(), parts.graph.size()}, numbers, rng);
  const uint64_t graph = parts.size;
  parts.Append(BytesOf(parts.graph));
  parts.EndSection(format::SectionId::kGraph, graph);
  if (!file.weights_section().empty()) {
    parts.PadTo(format::kWeightsAlignment);
    const uint64_t weights = parts.size;
    parts.Append(file.weights_section());
    parts.EndSection(format::SectionId::kWeights, weights);
  }
  fbs::TrustT trust;
  if (CryptoAvailable()) trust.tree = NewHashTree();
  if ((*rng)() % 8 == 0) trust.golden.push_back(AnyGolden(file, rng));
  (void)parts.Finish(&trust);
  return parts.Bytes();
}

}  // namespace whit
