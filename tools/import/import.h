// Reading foreign models: .tflite or .onnx in, .whit out. Importers run on a workstation; nothing
// here is linked into a device program. Any bytes are accepted as input: the result is a file that
// the schema reader opens, or a Status that names what is wrong.
#ifndef WHIT_TOOLS_IMPORT_IMPORT_H_
#define WHIT_TOOLS_IMPORT_IMPORT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "platform/status.h"

namespace whit::tools {

class NamedWeights;

struct ImportOptions {
  std::string name;  // model name; empty: the file's metadata, else the path's stem
  uint64_t max_fold_bytes = 16 * 1024 * 1024;  // largest constant that folding may create
  /// Shapes of inputs by name, for models that leave dimensions open; the others keep the file's.
  std::vector<std::pair<std::string, std::vector<int64_t>>> shapes;
  /// Constants of these names take their place (NamedWeights::Replacement); not owned, may be null.
  NamedWeights* weights = nullptr;
  /// Of the normalizations among them, where no file says; without it the framework's default.
  std::optional<double> epsilon;
  /// Sizes of dimensions that an ONNX model leaves open, by the names it has for them.
  std::vector<std::pair<std::string, int64_t>> dims;
  /// ONNX images are NCHW at the model's inputs and outputs too; true: NHWC there as inside, so
  /// that nothing is turned at run time. Of inputs and outputs with four axes.
  bool channels_last = false;
  /// Where files that the model names lie (ONNX external data); empty: such models are refused.
  std::string folder;
};

/// What happened, for people.
struct ImportReport {
  uint64_t source_operators = 0;
  uint64_t operators = 0;          // in the .whit file
  std::vector<std::string> notes;  // what was left out or changed, harmless
  std::vector<std::string>
      warnings;  // what may surprise: results can differ from the source's own runtime
};

/// A .tflite. kUnsupported: one message listing every operator and type that is not implemented,
/// with node names; so of all formats.
Result<std::vector<std::byte>> ImportTfliteBytes(std::span<const uint8_t> tflite,
                                                 const ImportOptions& options = {},
                                                 ImportReport* report = nullptr);

/// An ONNX model, operator sets 6 to 28. Whatever does not depend on the input's values is computed
/// here: shape arithmetic, constants, branches of If.
Result<std::vector<std::byte>> ImportOnnxBytes(std::span<const uint8_t> onnx,
                                               const ImportOptions& options = {},
                                               ImportReport* report = nullptr);

/// Whether the bytes are of a format that ImportModelBytes knows, by what they begin with.
bool LooksLikeModel(std::span<const uint8_t> file);

/// A model of any format that is known: the content decides, never the name. kInvalidModel where it
/// is none of them.
Result<std::vector<std::byte>> ImportModelBytes(std::span<const uint8_t> file,
                                                const ImportOptions& options = {},
                                                ImportReport* report = nullptr);
/// The same from file to file (by temporary file and rename: a failed import leaves nothing
/// behind). Files that the model names are looked for beside it.
Status ImportModel(const std::string& in_path, const std::string& out_path,
                   const ImportOptions& options = {}, ImportReport* report = nullptr);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_IMPORT_H_
