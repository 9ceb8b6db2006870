// From the importer's graph to a .whit file.
#ifndef WHIT_TOOLS_IMPORT_EMIT_H_
#define WHIT_TOOLS_IMPORT_EMIT_H_

#include "schema/writer.h"
#include "tools/import/graph.h"

namespace whit::tools {

/// Removes nodes that no output and no variable needs.
void RemoveDeadNodes(Graph* graph);

/// Fills a writer with what is left: tensors, weights and blobs that nothing names stay behind.
void Emit(Graph graph, FileWriter* writer);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_EMIT_H_
