#include "tools/import/lowering.h"

namespace whit::tools {

std::span<const LowerRow> RecurrentRows() { return {}; }

}  // namespace whit::tools
