// Tile repeats every axis `multiples` times; BroadcastTo stretches axes of 1 to the output's shape.
#include "kernels/copy_op.h"
#include "kernels/options.h"

namespace whit {

const char* const kTypesTile = "any";
const char* const kTypesBroadcastTo = "any";

Status PrepareTile(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_RETURN_IF_ERROR(ExpectSameElements(ctx, 0, 0));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::TileOptions>(ctx));
  const Shape& x = ctx.in[0].shape;
  const size_t rank = static_cast<size_t>(x.rank());
  const size_t given = options->multiples() == nullptr ? 0 : options->multiples()->size();
  if (given != rank) {
    return ctx.Error(
        StatusCode::kInvalidModel,
        std::to_string(given) + " multiples, the input has rank " + std::to_string(rank));
  }
  // Axis a becomes two: the copy (stride 0) and the element.
  std::array<int64_t, kMaxWalkRank> dims{}, strides{};
  const auto source = RowMajorStrides(x);
  Shape want = x;
  for (size_t a = 0; a < rank; ++a) {
    const int axis = static_cast<int>(a);
    dims[2 * a] = options->multiples()->Get(static_cast<flatbuffers::uoffset_t>(a));
    dims[2 * a + 1] = x[axis];
    strides[2 * a + 1] = source[a];
    want[axis] = dims[2 * a] * x[axis];
  }
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(0, want));
  SetStridedCopy(ctx, {dims.data(), 2 * rank}, {strides.data(), 2 * rank}, 0, p);
  return OkStatus();
}

Status PrepareBroadcastTo(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_RETURN_IF_ERROR(ExpectSameElements(ctx, 0, 0));
  const Shape& x = ctx.in[0].shape;
  const Shape& y = ctx.out[0].shape;
  const int added = y.rank() - x.rank();
  std::array<int64_t, kMaxRank> dims{}, strides{};
  const auto source = RowMajorStrides(x);
  bool fits = added >= 0;
  for (int a = 0; fits && a < y.rank(); ++a) {
    const size_t at = static_cast<size_t>(a);
    dims[at] = y[a];
    if (a < added || x[a - added] == 1) continue;  // stride 0
    fits = x[a - added] == y[a];
    strides[at] = source[static_cast<size_t>(a - added)];
  }
  if (!fits) {
    return ctx.Error(StatusCode::kInvalidModel,
                     "shape " + x.ToString() + " does not broadcast to " + y.ToString());
  }
  const size_t rank = static_cast<size_t>(y.rank());
  SetStridedCopy(ctx, {dims.data(), rank}, {strides.data(), rank}, 0, p);
  return OkStatus();
}

}  // namespace whit
