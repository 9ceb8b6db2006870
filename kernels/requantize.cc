#include "kernels/requantize.h"

#include <cmath>

namespace whit {

Result<Requant> MakeRequant(const PrepareContext& ctx, const View& out, float lo, float hi) {
  WHIT_RETURN_IF_ERROR(
      ctx.ExpectType("the output", out.type, {DType::kInt8, DType::kUint8, DType::kInt16}));
  WHIT_RETURN_IF_ERROR(ctx.ExpectPerTensorQuant("the output", out));
  const ClampRange type = OutputClamp(ctx, out, -INFINITY, INFINITY);
  const ClampRange range = OutputClamp(ctx, out, lo, hi);
  const int32_t zero_point = out.quant.zero_point[0];
  if (zero_point < static_cast<int32_t>(type.lo) || zero_point > static_cast<int32_t>(type.hi)) {
    return ctx.Error(StatusCode::kInvalidModel, "the output's zero point " +
                                                    std::to_string(zero_point) + " is outside " +
                                                    DTypeName(out.type));
  }
  // Written so that NaN fails; an empty intersection with the type fails too.
  const bool whole = range.lo == std::floor(range.lo) && range.hi == std::floor(range.hi);
  if (!whole || !(range.lo <= range.hi) || !(range.lo >= type.lo) || !(range.hi <= type.hi)) {
    return ctx.Error(StatusCode::kInvalidModel,
                     "clamp [" + std::to_string(lo) + ", " + std::to_string(hi) +
                         "] holds no range of integers of type " + DTypeName(out.type));
  }
  Requant r;
  r.zero_point = zero_point;
  r.lo = static_cast<float>(static_cast<int32_t>(range.lo) - zero_point);
  r.hi = static_cast<float>(static_cast<int32_t>(range.hi) - zero_point);
  return r;
}

}  // namespace whit
