// Reading foreign models: .tflite in, .whit out. Importers run on a workstation; nothing here is
// linked into a device program. Any bytes are accepted as input: the result is a file that the
// schema reader opens, or a Status that names what is wrong.
#ifndef WHIT_TOOLS_IMPORT_IMPORT_H_
#define WHIT_TOOLS_IMPORT_IMPORT_H_

#include <cstddef>
#include <cstdint>
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
};

/// What happened, for people.
struct ImportReport {
  uint64_t source_operators = 0;
  uint64_t operators = 0;          // in the .whit file
  std::vector<std::string> notes;  // what was left out or changed, harmless
  std::vector<std::string>
      warnings;  // what may surprise: results can differ from the source's own runtime
};

/// Imports `in_path` and writes `out_path` (by temporary file and rename: a failed import leaves
/// nothing behind). kUnsupported: one message listing every operator and type that is not
/// implemented, with node names.
Status ImportTflite(const std::string& in_path, const std::string& out_path,
                    const ImportOptions& options = {}, ImportReport* report = nullptr);

/// The same from memory to memory.
Result<std::vector<std::byte>> ImportTfliteBytes(std::span<const uint8_t> tflite,
                                                 const ImportOptions& options = {},
                                                 ImportReport* report = nullptr);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_IMPORT_H_
