#include "kernels/simd/joined_add.h"

#include "kernels/options.h"

namespace whit {

Status JoinFloatAdd(const PrepareContext& ctx, JoinedAddF32* add, Prepared* prepared) {
  if (ctx.joined_add == nullptr) return OkStatus();
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::BinaryOptions>(*ctx.joined_add));
  add->joins = prepared->joins_add = true;
  add->lo = options->lo(), add->hi = options->hi();
  prepared->in_place = !prepared->strided_out;
  prepared->in_place_input = static_cast<int>(ctx.in.size());
  return OkStatus();
}

}  // namespace whit
