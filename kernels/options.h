// How a kernel reads its option table and what the operators that only move elements check about
// types.
#ifndef WHIT_KERNELS_OPTIONS_H_
#define WHIT_KERNELS_OPTIONS_H_

#include "kernels/op.h"
#include "schema/model_generated.h"

namespace whit {

/// The option table of ctx.op as `T`. The FlatBuffers verifier proved that it is the table that
/// ctx.type names in fbs::Options (T must be that one), but lets it be absent.
template <typename T>
Result<const T*> OptionsOf(const PrepareContext& ctx) {
  const auto* options = ctx.op == nullptr ? nullptr : static_cast<const T*>(ctx.op->options());
  if (options == nullptr) return ctx.Error(StatusCode::kInvalidModel, "has no option table");
  return options;
}

/// Output `o` holds elements of input `i` unchanged: same type, and both or neither quantized (only
/// quantized 8-bit tensors are stored shifted).
Status ExpectSameElements(const PrepareContext& ctx, size_t i, size_t o);

/// ExpectSameElements, and equal scales and zero points.
Status ExpectSameQuantization(const PrepareContext& ctx, size_t i, size_t o);

}  // namespace whit

#endif  // WHIT_KERNELS_OPTIONS_H_
