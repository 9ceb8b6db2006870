// What becomes of a float operator when its operands become codes.
#ifndef WHIT_TOOLS_QUANTIZE_NODE_KIND_H_
#define WHIT_TOOLS_QUANTIZE_NODE_KIND_H_

#include "tools/import/graph.h"

namespace whit::tools {

enum class NodeKind : uint8_t {
  kFloat,    // no integer form: stays
  kProduct,  // weights by int8, bias int32
  kFree,     // operands and result have scales of their own
  kTied,     // moves or selects codes: operands and result share one scale
  kTable,    // a function of one code
};

NodeKind KindOf(OpType type);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_QUANTIZE_NODE_KIND_H_
