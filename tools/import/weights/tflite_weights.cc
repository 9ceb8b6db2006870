// The constant tensors of a .tflite, of all its subgraphs, as the file has them: uint8 stays uint8.
#include <cmath>

#include "tools/import/source.h"
#include "tools/import/weights/entry_names.h"
#include "tools/import/weights/formats.h"

namespace whit::tools {

namespace {

bool TypeOf(tflite::TensorType type, ElementType* out) {
  switch (type) {
    case tflite::TensorType::FLOAT32:
      return *out = ElementType::kFloat32, true;
    case tflite::TensorType::FLOAT16:
      return *out = ElementType::kFloat16, true;
    case tflite::TensorType::INT32:
      return *out = ElementType::kInt32, true;
    case tflite::TensorType::UINT8:
      return *out = ElementType::kUint8, true;
    case tflite::TensorType::INT64:
      return *out = ElementType::kInt64, true;
    case tflite::TensorType::BOOL:
      return *out = ElementType::kBool, true;
    case tflite::TensorType::INT16:
      return *out = ElementType::kInt16, true;
    case tflite::TensorType::COMPLEX64:
      return *out = ElementType::kComplex64, true;
    case tflite::TensorType::INT8:
    case tflite::TensorType::INT4:
      return *out = ElementType::kInt8, true;
    case tflite::TensorType::FLOAT64:
      return *out = ElementType::kFloat64, true;
    case tflite::TensorType::COMPLEX128:
      return *out = ElementType::kComplex128, true;
    case tflite::TensorType::UINT64:
      return *out = ElementType::kUint64, true;
    case tflite::TensorType::UINT32:
      return *out = ElementType::kUint32, true;
    case tflite::TensorType::UINT16:
      return *out = ElementType::kUint16, true;
    case tflite::TensorType::BFLOAT16:
      return *out = ElementType::kBfloat16, true;
    case tflite::TensorType::FLOAT8_E4M3FN:
      return *out = ElementType::kFloat8E4M3, true;
    case tflite::TensorType::FLOAT8_E5M2:
      return *out = ElementType::kFloat8E5M2, true;
    default:
      return false;
  }
}

std::string TypeName(tflite::TensorType type) {
  const char* name = tflite::EnumNameTensorType(type);
  return *name != 0 ? name : "type " + std::to_string(static_cast<int>(type));
}

template <typename T>
uint32_t SizeOf(const flatbuffers::Vector<T>* v) {
  return v == nullptr ? 0 : v->size();
}

// The axis that `scales` are along: the one that the file names, else the only one of that size
// (some converters name another), else -1.
int AxisOf(const std::vector<int64_t>& shape, int named, uint32_t scales) {
  const auto has = [&](size_t axis) { return shape[axis] == static_cast<int64_t>(scales); };
  if (named >= 0 && static_cast<size_t>(named) < shape.size() && has(static_cast<size_t>(named)))
    return named;
  int found = -1;
  for (size_t a = 0; a < shape.size(); ++a) {
    if (!has(a)) continue;
    if (found >= 0) return -1;
    found = static_cast<int>(a);
  }
  return found;
}

// Fills entry->codes, or entry->refused where the codes say nothing that can be used.
void ReadCodes(const tflite::QuantizationParameters* q, TensorEntry* entry) {
  if (q == nullptr) return;
  if (q->details_type() != tflite::QuantizationDetails::NONE) {
    const char* kind = tflite::EnumNameQuantizationDetails(q->details_type());
    entry->refused = std::string("quantization by ") + (*kind != 0 ? kind : "unknown details");
    return;
  }
  const uint32_t scales = SizeOf(q->scale()), zeros = SizeOf(q->zero_point());
  // Converters write a scale of 0 for "not quantized", and ranges of floats without a scale.
  if (scales == 0 || IsFloating(entry->type) || (scales == 1 && q->scale()->Get(0) == 0)) return;
  const int axis = scales == 1 ? -1 : AxisOf(entry->shape, q->quantized_dimension(), scales);
  if ((scales > 1 && axis < 0) || (zeros > 1 && zeros != scales)) {
    entry->refused = std::to_string(scales) + " scales and " + std::to_string(zeros) +
                     " zero points do not belong to the shape " + entry->ShapeText();
    return;
  }
  for (uint32_t i = 0; i < scales; ++i) {
    const float scale = q->scale()->Get(i);
    if (!(scale > 0) || !std::isfinite(scale)) {
      entry->refused = "scale " + std::to_string(i) + " is " + std::to_string(scale) +
                       ", must be finite and positive";
      entry->codes = AffineCodes();
      return;
    }
    entry->codes.scale.push_back(scale);
    entry->codes.zero_point.push_back(zeros == 0 ? 0
                                                 : LongAt(*q->zero_point(), zeros == 1 ? 0 : i));
  }
  entry->codes.axis = axis;
}

// Two elements a byte, the low half first.
void SplitInt4(std::span<const std::byte> packed, size_t elements, std::vector<std::byte>* out) {
  out->resize(elements);
  for (size_t i = 0; i < elements; ++i) {
    const auto half = std::to_integer<uint8_t>(packed[i / 2]) >> (i % 2 * 4) & 15u;
    (*out)[i] = static_cast<std::byte>(half < 8 ? half : half + 0xf0u);
  }
}

class TfliteWeights : public WeightFile {
 public:
  Status Open(WeightSource source) {
    limits_ = source.limits;
    mapping_ = std::move(source.file);
    TfliteState state;
    state.file = {reinterpret_cast<const uint8_t*>(mapping_.data()), mapping_.size()};
    SetTfliteBudgets(state);
    WHIT_ASSIGN_OR_RETURN(state.model, VerifyTflite(state));
    format_ = "TFLite";
    if (state.model->description() != nullptr) {
      metadata_.emplace_back("description", ToUtf8(NameOf(state.model->description())));
    }
    for (uint32_t g = 0; g < state.model->subgraphs()->size(); ++g) {
      const auto* tensors = state.model->subgraphs()->Get(g)->tensors();
      for (uint32_t i = 0; i < SizeOf(tensors); ++i)
        WHIT_RETURN_IF_ERROR(Add(state, *tensors->Get(i), i));
    }
    return OkStatus();
  }

  Result<std::span<const std::byte>> ReadElements(size_t i,
                                                  std::vector<std::byte>* scratch) const override {
    const TensorEntry& entry = tensors_[i];
    if (!data_[i].int4) return data_[i].bytes;
    SplitInt4(data_[i].bytes, static_cast<size_t>(entry.elements()), scratch);
    return std::span<const std::byte>(*scratch);
  }

 private:
  struct Data {
    std::span<const std::byte> bytes;
    bool int4;  // two elements a byte
  };

  // Lists the tensor if it is a constant.
  Status Add(TfliteState& state, const tflite::Tensor& t, uint32_t index) {
    WHIT_ASSIGN_OR_RETURN(const auto bytes, BufferBytes(*state.model, state.file, t.buffer()));
    if (t.is_variable() || (bytes.empty() && t.external_buffer() == 0)) return OkStatus();
    // What the entry is made of may be shared by any number of tables.
    const auto* q = t.quantization();
    WHIT_RETURN_IF_ERROR(state.vectors.Charge(uint64_t{SizeOf(t.shape())} +
                                              (q == nullptr ? 0 : SizeOf(q->scale())) +
                                              (t.name() == nullptr ? 0 : t.name()->size())));
    TensorEntry entry;
    entry.name = names_.Take(NameOf(t.name()), "tensor " + std::to_string(index));
    const bool int4 = t.type() == tflite::TensorType::INT4;
    if (!TypeOf(t.type(), &entry.type)) {
      entry.refused = TypeName(t.type()) + " elements";
      entry.type = ElementType::kUint8;
    }
    if (t.shape() != nullptr) entry.shape.assign(t.shape()->begin(), t.shape()->end());
    WHIT_RETURN_IF_ERROR(CheckEntry(entry, tensors_.size(), limits_));
    if (entry.refused.empty()) ReadCodes(q, &entry);
    if (t.sparsity() != nullptr) entry.refused = "sparse data";
    if (t.external_buffer() != 0) entry.refused = "data in another file";
    const uint64_t needed = int4 ? (entry.bytes() + 1) / 2 : entry.bytes();
    if (entry.refused.empty() && bytes.size() != needed) {
      entry.refused = entry.ShapeText() + " needs " + std::to_string(needed) +
                      " bytes, its buffer has " + std::to_string(bytes.size());
    }
    tensors_.push_back(std::move(entry));
    data_.push_back({bytes, int4});
    return OkStatus();
  }

  WeightLimits limits_;
  EntryNames names_;
  std::vector<Data> data_;  // of each entry
};

}  // namespace

bool ClaimsTflite(std::span<const std::byte> file) {
  constexpr size_t kIdentifierEnd = 8;
  return file.size() >= kIdentifierEnd && tflite::ModelBufferHasIdentifier(file.data());
}

Result<std::unique_ptr<WeightFile>> OpenTfliteWeights(WeightSource source) {
  auto file = std::make_unique<TfliteWeights>();
  WHIT_RETURN_IF_ERROR(file->Open(std::move(source)));
  return std::unique_ptr<WeightFile>(std::move(file));
}

}  // namespace whit::tools
