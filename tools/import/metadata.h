// What surrounds the graph in a .tflite: TFLite Metadata (names, labels, normalization),
// signatures, provenance.
#ifndef WHIT_TOOLS_IMPORT_METADATA_H_
#define WHIT_TOOLS_IMPORT_METADATA_H_

#include <span>

#include "tools/import/lowering.h"

namespace whit::tools {

/// Names of inputs and outputs from the signature; name, author, licence, labels and normalization
/// from the metadata. What cannot be read becomes a warning: a model works without.
Status ReadMetadata(TfliteState& state, std::span<const uint8_t> file);

/// What the signature calls an input of the main subgraph; empty where it has no name for it.
std::string SignatureNameOfInput(const TfliteState& state, int tensor);

/// The named file of a zip archive that is the tail of `file`; false where there is none.
bool ReadPackedFile(std::span<const uint8_t> file, const std::string& name, std::string* content);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_METADATA_H_
