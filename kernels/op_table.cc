#include "kernels/op.h"

namespace whit {

// Declared here so that one row in ops.inc is all an operator needs; defined in kernels/<file>.cc.
#define WHIT_OP(file, Name, family)                            \
  Status Prepare##Name(const PrepareContext& ctx, Prepared* p); \
  extern const char* const kTypes##Name;
#include "kernels/ops.inc"
#undef WHIT_OP

std::span<const OpRow> OpTable() {
  static const OpRow kRows[] = {
      {OpType::kNone, "None", "none", nullptr, ""},
#define WHIT_OP(file, Name, family) \
  {OpType::k##Name, #Name, #family, &Prepare##Name, kTypes##Name},
#include "kernels/ops.inc"
#undef WHIT_OP
  };
  return kRows;
}

const OpRow& RowOf(OpType type) { return OpTable()[static_cast<size_t>(type)]; }

}  // namespace whit
