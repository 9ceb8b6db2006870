// The tensors of a .whit: packed weights in their logical order, constants and initial values of
// variables as they lie. Biases are left out: they are folded with zero points for one operator
// (docs/layout.md, 6), so they are no tensors of the model any more.
#include <algorithm>
#include <cstring>

#include "schema/page_checker.h"
#include "schema/reader.h"
#include "tools/import/unpacking.h"
#include "tools/import/weights/entry_names.h"
#include "tools/import/weights/formats.h"

namespace whit::tools {

namespace {

ElementType TypeOf(DType type) {
  switch (type) {
    case DType::kFloat32:
      return ElementType::kFloat32;
    case DType::kInt8:
      return ElementType::kInt8;
    case DType::kUint8:
      return ElementType::kUint8;
    case DType::kInt16:
      return ElementType::kInt16;
    case DType::kInt32:
      return ElementType::kInt32;
    case DType::kInt64:
      return ElementType::kInt64;
    case DType::kBool:
      return ElementType::kBool;
    case DType::kFloat16:
      return ElementType::kFloat16;
  }
  return ElementType::kUint8;
}

std::string_view Text(const flatbuffers::String* s) {
  return s == nullptr ? std::string_view() : s->string_view();
}

AffineCodes CodesOf(const fbs::Quantization* q) {
  AffineCodes codes;
  if (q == nullptr || q->scale() == nullptr || q->scale()->size() == 0) return codes;
  codes.scale.assign(q->scale()->begin(), q->scale()->end());
  codes.zero_point.assign(q->zero_point()->begin(), q->zero_point()->end());
  codes.axis = q->axis();
  return codes;
}

class WhitWeights : public WeightFile {
 public:
  Status Open(WeightSource source) {
    limits_ = source.limits;
    ReadLimits limits;
    limits.max_graph_bytes = std::min(limits.max_graph_bytes, limits_.header_bytes);
    WHIT_ASSIGN_OR_RETURN(file_, ModelFile::Open(std::move(source.file), limits));
    WHIT_ASSIGN_OR_RETURN(pages_, PageChecker::Create(*file_));
    format_ = "whit";
    const fbs::Model& graph = file_->graph();
    for (const auto& [key, text] : {std::pair{"name", graph.name()},
                                    {"version", graph.version()},
                                    {"author", graph.author()},
                                    {"licence", graph.licence()},
                                    {"description", graph.description()}}) {
      if (!Text(text).empty()) metadata_.emplace_back(key, ToUtf8(Text(text)));
    }
    for (uint32_t i = 0; graph.provenance() != nullptr && i < graph.provenance()->size(); ++i) {
      const fbs::KeyValue& pair = *graph.provenance()->Get(i);
      metadata_.emplace_back(ToUtf8(Text(pair.key())), ToUtf8(Text(pair.value())));
    }
    WHIT_RETURN_IF_ERROR(AddPacked());
    WHIT_RETURN_IF_ERROR(AddConstants());
    return AddVariables();
  }

  Result<std::span<const std::byte>> ReadElements(size_t i,
                                                  std::vector<std::byte>* scratch) const override {
    const bool packed = i < packed_;
    const fbs::Weights* record =
        packed ? file_->graph().weights()->Get(static_cast<uint32_t>(i)) : nullptr;
    const std::span<const std::byte> blob =
        file_->blob(packed ? static_cast<size_t>(record->data()) : blobs_[i - packed_]);
    if (pages_ != nullptr) WHIT_RETURN_IF_ERROR(pages_->CheckBytes(blob));
    if (!packed) return blob;
    *scratch = UnpackWeights(*file_, *record);
    return std::span<const std::byte>(*scratch);
  }

 private:
  Status Add(TensorEntry entry, std::string_view name, const std::string& fallback) {
    entry.name = names_.Take(name, fallback);
    WHIT_RETURN_IF_ERROR(CheckEntry(entry, tensors_.size(), limits_));
    if (entry.bytes() > limits_.tensor_bytes) {
      entry.refused = std::to_string(entry.bytes()) + " bytes, at most " +
                      std::to_string(limits_.tensor_bytes) + " are read";
    }
    tensors_.push_back(std::move(entry));
    return OkStatus();
  }

  Status AddPacked() {
    const auto* weights = file_->graph().weights();
    packed_ = weights == nullptr ? 0 : weights->size();
    for (uint32_t i = 0; i < packed_; ++i) {
      const fbs::Weights& record = *weights->Get(i);
      const std::string label = "weights " + std::to_string(i);
      auto form = LogicalFormOf(record);
      if (!form.ok()) return Status(form.status()).WithContext(label);
      TensorEntry entry;
      entry.type = TypeOf(form->type);
      entry.shape = std::move(form->shape);
      entry.codes.zero_point.assign(form->scale.size(), form->zero_point);
      entry.codes.axis = form->scale.size() > 1 ? form->channel_axis : -1;
      entry.channel_axis = entry.shape.empty() ? -1 : form->channel_axis;
      entry.codes.scale = std::move(form->scale);
      WHIT_RETURN_IF_ERROR(Add(std::move(entry), Text(record.name()), label));
    }
    return OkStatus();
  }

  // A constant tensor, or a variable with its initial value.
  template <typename T>
  Status AddPlain(const T& tensor, int32_t blob, const std::string& fallback) {
    TensorEntry entry;
    entry.type = TypeOf(static_cast<DType>(tensor.type()));
    if (tensor.shape() != nullptr)
      entry.shape.assign(tensor.shape()->begin(), tensor.shape()->end());
    entry.codes = CodesOf(tensor.quantization());
    WHIT_RETURN_IF_ERROR(Add(std::move(entry), Text(tensor.name()), fallback));
    blobs_.push_back(static_cast<size_t>(blob));
    return OkStatus();
  }

  Status AddConstants() {
    const auto& graphs = *file_->graph().subgraphs();
    for (uint32_t g = 0; g < graphs.size(); ++g) {
      const auto* tensors = graphs.Get(g)->tensors();
      for (uint32_t i = 0; tensors != nullptr && i < tensors->size(); ++i) {
        const fbs::Tensor& t = *tensors->Get(i);
        if (t.blob() >= 0)
          WHIT_RETURN_IF_ERROR(AddPlain(t, t.blob(), "constant " + std::to_string(i)));
      }
    }
    return OkStatus();
  }

  Status AddVariables() {
    const auto* variables = file_->graph().variables();
    for (uint32_t i = 0; variables != nullptr && i < variables->size(); ++i) {
      const fbs::Variable& v = *variables->Get(i);
      if (v.init() >= 0)
        WHIT_RETURN_IF_ERROR(AddPlain(v, v.init(), "variable " + std::to_string(i)));
    }
    return OkStatus();
  }

  WeightLimits limits_;
  std::shared_ptr<const ModelFile> file_;
  std::unique_ptr<PageChecker> pages_;  // null: no hash tree
  EntryNames names_;
  uint32_t packed_ = 0;        // entries before this one are weight records
  std::vector<size_t> blobs_;  // of the entries behind them
};

}  // namespace

bool ClaimsWhit(std::span<const std::byte> file) {
  return file.size() >= sizeof(format::kMagic) &&
         std::memcmp(file.data(), format::kMagic, sizeof(format::kMagic)) == 0;
}

Result<std::unique_ptr<WeightFile>> OpenWhitWeights(WeightSource source) {
  auto file = std::make_unique<WhitWeights>();
  WHIT_RETURN_IF_ERROR(file->Open(std::move(source)));
  return std::unique_ptr<WeightFile>(std::move(file));
}

}  // namespace whit::tools
