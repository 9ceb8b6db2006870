#include "tools/import/lowering.h"

namespace whit::tools {

std::span<const LowerRow> VariableRows() { return {}; }

}  // namespace whit::tools
