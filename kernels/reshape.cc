// Reshape: the same bytes under another shape. The runtime lets the output share the input's
// memory; where it cannot (a model input that is also an output), the kernel copies.
#include "kernels/copy_op.h"
#include "kernels/options.h"

namespace whit {

const char* const kTypesReshape = "any";

Status PrepareReshape(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_RETURN_IF_ERROR(ExpectSameElements(ctx, 0, 0));
  if (ctx.in[0].elements() != ctx.out[0].elements()) {
    return ctx.Error(StatusCode::kInvalidModel, "input " + ctx.in[0].shape.ToString() + " has " +
                                                    std::to_string(ctx.in[0].elements()) +
                                                    " elements, output " +
                                                    ctx.out[0].shape.ToString() + " has " +
                                                    std::to_string(ctx.out[0].elements()));
  }
  SetPlainCopy(ctx, p);
  p->alias = true;
  p->macs = 0;
  return OkStatus();
}

}  // namespace whit
