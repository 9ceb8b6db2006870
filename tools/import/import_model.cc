// A model of any format: the content decides.
#include <filesystem>

#include "platform/mapping.h"
#include "tools/import/import.h"
#include "tools/import/onnx/model_proto.h"

namespace whit::tools {

namespace {

// The file identifier of a FlatBuffer lies behind its first offset.
bool LooksLikeTflite(std::span<const uint8_t> file) {
  constexpr uint8_t kIdentifier[] = {'T', 'F', 'L', '3'};
  return file.size() >= 8 && std::equal(kIdentifier, kIdentifier + 4, file.data() + 4);
}

}  // namespace

bool LooksLikeModel(std::span<const uint8_t> file) {
  return LooksLikeTflite(file) || onnx::LooksLikeOnnx(std::as_bytes(file));
}

Result<std::vector<std::byte>> ImportModelBytes(std::span<const uint8_t> file,
                                                const ImportOptions& options,
                                                ImportReport* report) {
  const bool tflite = LooksLikeTflite(file);
  if (!tflite && onnx::LooksLikeOnnx(std::as_bytes(file)))
    return ImportOnnxBytes(file, options, report);
  auto bytes = ImportTfliteBytes(file, options, report);
  if (bytes.ok() || tflite) return bytes;
  return Status(StatusCode::kInvalidModel,
                "neither a .tflite (" + bytes.status().message() + ") nor an ONNX model");
}

Status ImportModel(const std::string& in_path, const std::string& out_path,
                   const ImportOptions& options, ImportReport* report) {
  WHIT_ASSIGN_OR_RETURN(const Mapping file, Mapping::MapFile(in_path, MapMode::kRead));
  ImportOptions placed = options;
  const std::filesystem::path path(in_path);
  if (placed.name.empty()) placed.name = path.stem().string();
  if (placed.folder.empty()) placed.folder = path.parent_path() / ".";
  auto bytes = ImportModelBytes({reinterpret_cast<const uint8_t*>(file.data()), file.size()},
                                placed, report);
  if (!bytes.ok()) return Status(bytes.status()).WithContext(in_path);
  const std::span<const std::byte> chunk(*bytes);
  return WriteFileAtomically(out_path, {&chunk, 1});
}

}  // namespace whit::tools
