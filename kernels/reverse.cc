// Reverse: every listed axis runs backwards.
#include "kernels/copy_op.h"
#include "kernels/options.h"

namespace whit {

const char* const kTypesReverse = "any";

Status PrepareReverse(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_RETURN_IF_ERROR(ExpectSameElements(ctx, 0, 0));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::ReverseOptions>(ctx));
  const Shape& x = ctx.in[0].shape;
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(0, x));
  const size_t rank = static_cast<size_t>(x.rank());
  std::array<int64_t, kMaxRank> dims{};
  auto strides = RowMajorStrides(x);
  for (size_t a = 0; a < rank; ++a) dims[a] = x[static_cast<int>(a)];
  int64_t base = 0;
  for (size_t i = 0; options->axes() != nullptr && i < options->axes()->size(); ++i) {
    const size_t axis = options->axes()->Get(static_cast<flatbuffers::uoffset_t>(i));
    if (axis >= rank || strides[axis] < 0) {
      return ctx.Error(
          StatusCode::kInvalidModel,
          "axis " + std::to_string(axis) + " is repeated or beyond rank " + std::to_string(rank));
    }
    base += (dims[axis] - 1) * strides[axis];
    strides[axis] = -strides[axis];
  }
  SetStridedCopy(ctx, {dims.data(), rank}, {strides.data(), rank}, base, p);
  return OkStatus();
}

}  // namespace whit
