#include "tools/import/weights/weights.h"

#include "tools/import/shown.h"
#include "tools/import/weights/formats.h"

namespace whit::tools {

namespace {

// Elements times their size stay below this: no product or sum of two of them overflows.
constexpr uint64_t kMaxTensorBytes = uint64_t{1} << 62;

Result<std::unique_ptr<WeightFile>> OpenSource(WeightSource source) {
  const std::span<const std::byte> bytes = source.file.bytes();
  const std::string path = source.path;
  std::string known;
  for (const WeightFormat& format : WeightFormats()) {
    if (format.claims(bytes)) {
      auto opened = format.open(std::move(source));
      if (!opened.ok()) return Status(opened.status()).WithContext(path);
      return opened;
    }
    known += std::string(known.empty() ? "" : ", ") + format.name;
  }
  return Status(StatusCode::kInvalidModel,
                path + ": the first bytes are of no format that is known (" + known + ")");
}

}  // namespace

int64_t TensorEntry::elements() const {
  int64_t product = 1;
  for (int64_t d : shape) product *= d;
  return product;
}

std::string TensorEntry::ShapeText() const {
  if (shape.empty()) return "1";
  std::string text;
  for (int64_t d : shape) text += (text.empty() ? "" : "x") + std::to_string(d);
  return text;
}

const TensorEntry* WeightFile::Find(const std::string& name) const {
  for (const TensorEntry& entry : tensors_) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

Result<std::span<const std::byte>> WeightFile::Read(size_t i,
                                                    std::vector<std::byte>* scratch) const {
  const TensorEntry& entry = tensors_[i];
  if (entry.refused.empty()) return ReadElements(i, scratch);
  return Status(StatusCode::kUnsupported, "'" + Shown(entry.name) + "': " + entry.refused);
}

std::span<const WeightFormat> WeightFormats() {
  // What has no magic number comes last.
  static constexpr WeightFormat kFormats[] = {
      {"TFLite", ClaimsTflite, OpenTfliteWeights},
      {"whit", ClaimsWhit, OpenWhitWeights},
      {"HDF5", ClaimsHdf5, OpenHdf5Weights},
      {"NumPy array", ClaimsNumpy, OpenNumpyWeights},
      {"zip of PyTorch, NumPy or Keras", ClaimsZip, OpenZipWeights},
      {"TensorFlow checkpoint", ClaimsTfCheckpoint, OpenTfCheckpoint},
      {"PyTorch legacy", ClaimsTorchLegacy, OpenTorchLegacy},
      {"safetensors", ClaimsSafetensors, OpenSafetensors},
      {"ONNX", ClaimsOnnx, OpenOnnxWeights},
  };
  return kFormats;
}

Result<std::unique_ptr<WeightFile>> OpenWeights(const std::string& given,
                                                const WeightLimits& limits) {
  const std::string path = TfCheckpointIndex(given);
  WHIT_ASSIGN_OR_RETURN(Mapping file, Mapping::MapFile(path));
  return OpenSource({path, std::move(file), limits});
}

Result<std::unique_ptr<WeightFile>> OpenWeightBytes(std::span<const std::byte> bytes,
                                                    const std::string& path,
                                                    const WeightLimits& limits) {
  return OpenSource({path, Mapping::Borrow(bytes), limits});
}

Result<std::vector<float>> ReadFloats(const WeightFile& file, size_t i) {
  const TensorEntry& entry = file.tensors()[i];
  std::vector<std::byte> scratch;
  WHIT_ASSIGN_OR_RETURN(const std::span<const std::byte> bytes, file.Read(i, &scratch));
  std::vector<float> values(static_cast<size_t>(entry.elements()));
  ToFloats(entry.type, bytes, values);
  return values;
}

Status CheckEntry(const TensorEntry& entry, size_t before, const WeightLimits& limits) {
  if (before >= limits.tensors) {
    return Status(StatusCode::kOverBudget,
                  "more than " + std::to_string(limits.tensors) + " tensors");
  }
  if (entry.name.size() > limits.name_bytes) {
    return Status(StatusCode::kOverBudget, "the name of tensor " + std::to_string(before) +
                                               " has " + std::to_string(entry.name.size()) +
                                               " bytes, at most " +
                                               std::to_string(limits.name_bytes) + " are taken");
  }
  // A 0 counts as 1, so that the product of the others is bounded too.
  uint64_t bytes = ElementSize(entry.type);
  for (int64_t d : entry.shape) {
    if (d < 0) {
      return Status(StatusCode::kInvalidModel,
                    "tensor '" + Shown(entry.name) + "' has a dimension of " + std::to_string(d));
    }
    const auto size = static_cast<uint64_t>(d == 0 ? 1 : d);
    if (size >= kMaxTensorBytes / bytes) {
      return Status(StatusCode::kOverBudget, "tensor '" + Shown(entry.name) + "' (" +
                                                 entry.ShapeText() + " " + ElementName(entry.type) +
                                                 ") has 2^62 bytes or more");
    }
    bytes *= size;
  }
  return OkStatus();
}

}  // namespace whit::tools
