#include "kernels/simd/wide_product.h"

#include "kernels/batch_matmul.h"
#include "kernels/recurrent.h"
#include "kernels/row_product.h"
#include "kernels/simd/tiers.h"

namespace whit {
namespace {

/// The tier's inner loop, or null and a reason.
WideProductFn WideOf(const PrepareContext& ctx, std::string* why_not) {
  if (ctx.tier == nullptr || ctx.tier->kernels == nullptr) {
    *why_not = "no SIMD tier";
    return nullptr;
  }
  if (ctx.tier->kernels->wide_product == nullptr) *why_not = "the portable code is as fast here";
  return ctx.tier->kernels->wide_product;
}

/// What a plan shows. 16-bit products run at half the rate; each of `outputs` also takes as long as
/// about 16 products, and each of `gathered` elements as long as two.
void Describe(const PrepareContext& ctx, double outputs, double gathered, Prepared* prepared) {
  prepared->implementation = "wide";
  prepared->tier = ctx.tier->name;
  prepared->cost_ns =
      2 * (static_cast<double>(prepared->macs) + 16 * outputs + 2 * gathered) / ctx.tier->int8_rate;
}

}  // namespace

Status PrepareWideProduct(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                          std::string* why_not) {
  *accepted = false;
  Prepared reference;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, &reference));
  RowProduct p = *static_cast<const RowProduct*>(reference.params.get());
  if (p.out.kind == ProductKind::kFloat) {
    *why_not = "serves int8 weights";
    return OkStatus();
  }
  p.wide = WideOf(ctx, why_not);
  if (p.wide == nullptr) return OkStatus();
  *prepared = reference;
  Describe(ctx, static_cast<double>(p.rows) * static_cast<double>(p.dims.n),
           static_cast<double>(p.rows) * static_cast<double>(p.row_elems), prepared);
  prepared->SetParams(p);
  *accepted = true;
  return OkStatus();
}

Status PrepareWideBatchMatMul(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                              std::string* why_not) {
  *accepted = false;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, prepared));
  if (DTypeSize(ctx.in[0].type) != 1) {
    *why_not = "serves 8-bit operands";
    return OkStatus();
  }
  const WideProductFn wide = WideOf(ctx, why_not);
  if (wide == nullptr) return OkStatus();
  WHIT_RETURN_IF_ERROR(PrepareBatchMatMulOn(ctx, wide, prepared));
  Describe(ctx, static_cast<double>(ctx.out[0].shape.elements()),
           static_cast<double>(ctx.in[1].shape.elements()), prepared);
  *accepted = true;
  return OkStatus();
}

Status PrepareWideLstm(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                       std::string* why_not) {
  *accepted = false;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, prepared));
  if (WideOf(ctx, why_not) == nullptr) return OkStatus();
  WHIT_RETURN_IF_ERROR(PrepareLstmOn(ctx, ctx.tier, prepared));
  Describe(ctx, 8 * static_cast<double>(ctx.out[0].shape.elements()), 0, prepared);
  *accepted = true;
  return OkStatus();
}

Status PrepareWideSvdf(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                       std::string* why_not) {
  *accepted = false;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, prepared));
  if (WideOf(ctx, why_not) == nullptr) return OkStatus();
  WHIT_RETURN_IF_ERROR(PrepareSvdfOn(ctx, ctx.tier, prepared));
  Describe(ctx, static_cast<double>(ctx.out[0].shape.elements()), 0, prepared);
  *accepted = true;
  return OkStatus();
}

}  // namespace whit
