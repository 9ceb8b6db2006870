#include "kernels/op.h"

namespace whit {

std::span<const OpRow> OpTable() {
  static const OpRow kRows[] = {
      {OpType::kNone, "Move", "none", nullptr, ""},
#define WHIT_OP(file, Name, family) {OpType::k##Name, #Name, #family, &Prepare##Name, kTypes##Name},
#include "kernels/ops.inc"
#undef WHIT_OP
  };
  return kRows;
}

const OpRow& RowOf(OpType type) { return OpTable()[static_cast<size_t>(type)]; }

}  // namespace whit
