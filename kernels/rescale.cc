#include "kernels/rescale.h"

#include <cmath>

namespace whit {

Result<Rescale> MakeRescale(const PrepareContext& ctx, const View& in, const View& out, float lo,
                            float hi) {
  Rescale rescale;
  if (!in.quant.present() && !out.quant.present()) {
    if (lo != -INFINITY || hi != INFINITY) {
      return ctx.Error(StatusCode::kUnsupported, "a fused activation on plain integers");
    }
    const ClampRange range = OutputClamp(ctx, out, lo, hi);
    rescale.out = {.lo = range.lo, .hi = range.hi, .zero_point = 0};
    return rescale;
  }
  WHIT_RETURN_IF_ERROR(ctx.ExpectPerTensorQuant("the input", in));
  WHIT_ASSIGN_OR_RETURN(rescale.out, MakeRequant(ctx, out, lo, hi));
  const ClampRange range = OutputClamp(ctx, in, -INFINITY, INFINITY);
  rescale.in_zero = in.quant.zero_point[0];
  if (rescale.in_zero < static_cast<int32_t>(range.lo) ||
      rescale.in_zero > static_cast<int32_t>(range.hi)) {
    return ctx.Error(StatusCode::kInvalidModel, "the input's zero point " +
                                                    std::to_string(rescale.in_zero) +
                                                    " is outside " + DTypeName(in.type));
  }
  rescale.ratio = static_cast<double>(in.quant.scale[0]) / static_cast<double>(out.quant.scale[0]);
  const float m = rescale.Multiplier(1);
  if (!(m > 0) || !std::isfinite(m)) {
    return ctx.Error(StatusCode::kInvalidModel,
                     "the ratio of the scales " + std::to_string(in.quant.scale[0]) + " and " +
                         std::to_string(out.quant.scale[0]) + " is no positive float");
  }
  return rescale;
}

}  // namespace whit
