#include "tools/import/lowering.h"

namespace whit::tools {

std::span<const LowerRow> DetectionRows() { return {}; }

}  // namespace whit::tools
