// Transpose: out[i_0, i_1, ...] = x[j] with j[perm[a]] = i_a; axis a of the output is axis perm[a]
// of the input.
#include "kernels/copy_op.h"
#include "kernels/options.h"

namespace whit {

const char* const kTypesTranspose = "any";

Status PrepareTranspose(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_RETURN_IF_ERROR(ExpectSameElements(ctx, 0, 0));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::TransposeOptions>(ctx));
  const Shape& x = ctx.in[0].shape;
  const size_t rank = static_cast<size_t>(x.rank());
  const size_t given = options->perm() == nullptr ? 0 : options->perm()->size();
  if (given != rank) {
    return ctx.Error(StatusCode::kInvalidModel, "the permutation has " + std::to_string(given) +
                                                    " axes, the input " + std::to_string(rank));
  }
  Shape want = Shape::OfRank(x.rank());
  std::array<int64_t, kMaxRank> dims{}, strides{};
  const auto source = RowMajorStrides(x);
  unsigned seen = 0;
  for (size_t a = 0; a < rank; ++a) {
    const size_t from = options->perm()->Get(static_cast<flatbuffers::uoffset_t>(a));
    if (from >= rank || (seen >> from & 1u) != 0) {
      return ctx.Error(StatusCode::kInvalidModel,
                       "axis " + std::to_string(from) +
                           " of the permutation is repeated or beyond rank " +
                           std::to_string(rank));
    }
    seen |= 1u << from;
    dims[a] = want[static_cast<int>(a)] = x[static_cast<int>(from)];
    strides[a] = source[from];
  }
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(0, want));
  SetStridedCopy(ctx, {dims.data(), rank}, {strides.data(), rank}, 0, p);
  return OkStatus();
}

}  // namespace whit
