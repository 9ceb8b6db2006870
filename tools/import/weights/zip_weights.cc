// Archives: which framework's one is, by what lies in it.
#include "tools/import/weights/formats.h"
#include "tools/import/weights/zip_directory.h"

namespace whit::tools {

namespace {

// Something that ends so lies in the archives of one framework alone; the first row that fits
// counts. Keras keeps files of its layers beside the weights, arrays perhaps.
struct ArchiveKind {
  std::string_view ending;
  Result<std::unique_ptr<WeightFile>> (*open)(WeightSource source, ZipDirectory zip);
};
constexpr ArchiveKind kKinds[] = {
    {"model.weights.h5", OpenKerasZip},
    {".npy", OpenNumpyZip},
    {"data.pkl", OpenTorchZip},
};

}  // namespace

bool ClaimsZip(std::span<const std::byte> file) { return ZipDirectory::Claims(file); }

Result<std::unique_ptr<WeightFile>> OpenZipWeights(WeightSource source) {
  WHIT_ASSIGN_OR_RETURN(ZipDirectory zip, ZipDirectory::Read(source.file.bytes(), source.limits));
  std::string known;
  for (const ArchiveKind& kind : kKinds) {
    for (const ZipEntry& entry : zip.entries()) {
      if (entry.name.ends_with(kind.ending)) return kind.open(std::move(source), std::move(zip));
    }
    known += std::string(known.empty() ? "" : ", ") + "*" + std::string(kind.ending);
  }
  return Status(StatusCode::kInvalidModel, "a zip archive of " +
                                               std::to_string(zip.entries().size()) +
                                               " files, none of them with weights (" + known + ")");
}

}  // namespace whit::tools
