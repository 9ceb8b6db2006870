// The pass over a finished graph that joins operators: what a framework writes as a convolution, a
// normalization and an activation is one operator here.
#ifndef WHIT_TOOLS_IMPORT_FUSE_H_
#define WHIT_TOOLS_IMPORT_FUSE_H_

#include "tools/import/refusals.h"
#include "tools/import/state.h"

namespace whit::tools {

/// Drops dead nodes, folds constant scales and shifts into the float products before them, lets
/// operators clamp their own results, and packs what is left to pack. Only where nobody else reads
/// what lies between, so nothing is computed twice. kUnsupported goes to `refusals`.
Status FuseGraph(ImportState& state, Refusals* refusals);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_FUSE_H_
