// Where a model comes from, as its file tells it: `whit info --provenance`.
#ifndef WHIT_TOOLS_WHIT_PROVENANCE_H_
#define WHIT_TOOLS_WHIT_PROVENANCE_H_

#include <string>

#include "runtime/whit.h"
#include "tools/whit/command.h"

namespace whit::tools {

/// The entries in the order in which import and quantize recorded them, what names this very file
/// (its SHA-256, the root of its hash tree), and who vouches for all of it.
Status PrintProvenance(const Model& model, const std::string& file, bool as_json);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_WHIT_PROVENANCE_H_
