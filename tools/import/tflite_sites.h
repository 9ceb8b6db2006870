// The products of a .tflite that layers of other files can be grafted onto.
#ifndef WHIT_TOOLS_IMPORT_TFLITE_SITES_H_
#define WHIT_TOOLS_IMPORT_TFLITE_SITES_H_

#include <vector>

#include "tools/import/graft.h"
#include "tools/import/lowering.h"

namespace whit::tools {

/// CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED of the main subgraph with constant float32
/// weights and a constant bias or none, and a MUL by constants of one a channel with the ADD behind
/// it; in order, each constant once. REQUIRES that tensors are loaded and operators checked
/// (source.h).
std::vector<GraftSite> TfliteSites(const TfliteState& state);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_TFLITE_SITES_H_
