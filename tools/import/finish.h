// The end of every import: from the importer's graph to the bytes of a .whit file.
#ifndef WHIT_TOOLS_IMPORT_FINISH_H_
#define WHIT_TOOLS_IMPORT_FINISH_H_

#include <cstddef>
#include <string>
#include <vector>

#include "tools/import/refusals.h"
#include "tools/import/state.h"

namespace whit::tools {

/// Drops nodes that no output needs, asks the kernels whether they accept what is left, writes the
/// graph and proves that the schema reader opens it. `refusals` has what lowering could not do; it
/// and what the kernels refuse become one message. Consumes state.graph; sets
/// state.report.operators.
Result<std::vector<std::byte>> FinishGraph(ImportState& state, Refusals refusals);

/// Tool, source format and a digest of the source, as the model's provenance.
void AddProvenance(Graph& graph, const std::string& format, std::span<const uint8_t> source);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_FINISH_H_
