// Keras 3's .keras: a zip of config.json, metadata.json and model.weights.h5. Keras stores the
// weights as they are, so that they are read where they lie; those that another program has
// deflated are unpacked as a whole. The texts are the metadata, the configuration under the name
// that Keras 2 gives it in its .h5.
#include "tools/import/weights/entry_names.h"
#include "tools/import/weights/formats.h"
#include "tools/import/weights/zip_directory.h"

namespace whit::tools {

namespace {

constexpr const char kWeights[] = "model.weights.h5";
// Of a model with thousands of layers a few: 16 MiB of JSON is nobody's.
constexpr uint64_t kMostText = uint64_t{16} << 20;

class KerasWeights : public WeightFile {
 public:
  Status Open(WeightSource source, const ZipDirectory& zip) {
    mapping_ = std::move(source.file);
    const ZipEntry* weights = zip.Find(kWeights);
    if (weights == nullptr) {
      return Status(StatusCode::kInvalidModel, std::string("a zip archive with ") + kWeights +
                                                   " in a folder; Keras has it outside of any");
    }
    const uint64_t most = source.limits.unpacked_bytes;
    if (weights->deflated && weights->size > most) {
      return Status(StatusCode::kOverBudget,
                    std::string(kWeights) + " is deflated and has " +
                        std::to_string(weights->size) + " bytes, at most " + std::to_string(most) +
                        " are unpacked; store it in the archive without compression (zip -0)");
    }
    WHIT_ASSIGN_OR_RETURN(const auto bytes, ZipContent(*weights, &unpacked_));
    if (!ClaimsHdf5(bytes)) {
      return Status(StatusCode::kInvalidModel, std::string(kWeights) + " is no HDF5 file");
    }
    auto opened = OpenHdf5Weights({kWeights, Mapping::Borrow(bytes), source.limits});
    if (!opened.ok()) return Status(opened.status()).WithContext(kWeights);
    inner_ = std::move(opened).value();
    format_ = "Keras zip";
    tensors_ = inner_->tensors();
    WHIT_RETURN_IF_ERROR(AddText(zip, "metadata.json", "metadata"));
    WHIT_RETURN_IF_ERROR(AddText(zip, "config.json", "model_config"));
    metadata_.insert(metadata_.end(), inner_->metadata().begin(), inner_->metadata().end());
    return OkStatus();
  }

  Result<std::span<const std::byte>> ReadElements(size_t i,
                                                  std::vector<std::byte>* scratch) const override {
    return inner_->Read(i, scratch);
  }

 private:
  Status AddText(const ZipDirectory& zip, const char* name, const char* key) {
    const ZipEntry* entry = zip.Find(name);
    if (entry == nullptr) return OkStatus();
    if (entry->size > kMostText) {
      return Status(StatusCode::kOverBudget, std::string(name) + " has " +
                                                 std::to_string(entry->size) + " bytes, at most " +
                                                 std::to_string(kMostText) + " are read");
    }
    std::vector<std::byte> scratch;
    WHIT_ASSIGN_OR_RETURN(const auto text, ZipContent(*entry, &scratch));
    metadata_.emplace_back(key, ToUtf8({reinterpret_cast<const char*>(text.data()), text.size()}));
    return OkStatus();
  }

  std::vector<std::byte> unpacked_;  // the weights, where they are deflated
  std::unique_ptr<WeightFile> inner_;
};

}  // namespace

Result<std::unique_ptr<WeightFile>> OpenKerasZip(WeightSource source, ZipDirectory zip) {
  auto file = std::make_unique<KerasWeights>();
  WHIT_RETURN_IF_ERROR(file->Open(std::move(source), zip));
  return std::unique_ptr<WeightFile>(std::move(file));
}

}  // namespace whit::tools
