// The inverse of emit.h: a .whit file as the graph that importers build, to be changed and written
// again.
#ifndef WHIT_TOOLS_IMPORT_LOAD_GRAPH_H_
#define WHIT_TOOLS_IMPORT_LOAD_GRAPH_H_

#include "schema/reader.h"
#include "tools/import/graph.h"

namespace whit::tools {

/// Signature 0 of the file: tensors and nodes in its order and by its indices, constants and blobs
/// copied, weights as the packed records that the nodes name. Emit gives the same model again.
/// All of the file is checked against its hash tree, if it has one: kIntegrity. kUnsupported for
/// models with named dimensions.
Result<Graph> LoadGraph(const ModelFile& file);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_LOAD_GRAPH_H_
