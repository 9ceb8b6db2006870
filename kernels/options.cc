#include "kernels/options.h"

#include <algorithm>

namespace whit {

namespace {

std::string Names(size_t i, size_t o) {
  return "input " + std::to_string(i) + " and output " + std::to_string(o);
}

std::string FirstOf(const Quant& q) {
  if (!q.present()) return "none";
  return "scale " + std::to_string(q.scale[0]) + " zero point " +
         (q.zero_point.empty() ? "none" : std::to_string(q.zero_point[0]));
}

}  // namespace

Status ExpectSameElements(const PrepareContext& ctx, size_t i, size_t o) {
  const View& in = ctx.in[i];
  const View& out = ctx.out[o];
  if (in.type != out.type) {
    return ctx.Error(StatusCode::kInvalidModel, Names(i, o) + " must have one type, are " +
                                                    DTypeName(in.type) + " and " +
                                                    DTypeName(out.type));
  }
  if (DTypeSize(in.type) == 1 && in.quant.present() != out.quant.present()) {
    return ctx.Error(StatusCode::kInvalidModel,
                     Names(i, o) + " must both be quantized or both be plain, the " +
                         (in.quant.present() ? "output" : "input") + " is plain");
  }
  return OkStatus();
}

Status ExpectSameQuantization(const PrepareContext& ctx, size_t i, size_t o) {
  WHIT_RETURN_IF_ERROR(ExpectSameElements(ctx, i, o));
  const Quant& a = ctx.in[i].quant;
  const Quant& b = ctx.out[o].quant;
  if (std::ranges::equal(a.scale, b.scale) && std::ranges::equal(a.zero_point, b.zero_point)) {
    return OkStatus();
  }
  return ctx.Error(
      StatusCode::kInvalidModel,
      Names(i, o) + " must have the same quantization, have " + FirstOf(a) + " and " + FirstOf(b));
}

}  // namespace whit
