// OneHot: a new axis of `depth` elements, `on` where its position is the index, `off` elsewhere
// (everywhere for an index outside the depth).
#include <cstring>

#include "kernels/options.h"

namespace whit {

const char* const kTypesOneHot = "any";

namespace {

struct OneHotParams {
  int64_t depth = 0;
  int64_t inner = 1;  // indices behind the new axis
  size_t element_bytes = 1;
};

// A task is one index over the axes in front of the new one.
template <typename Index>
KernelCode RunOneHot(const RunContext& ctx) {
  const auto& params = ctx.As<OneHotParams>();
  const size_t bytes = params.element_bytes;
  const auto* on = ctx.in[1].as<uint8_t>();
  const auto* off = ctx.in[2].as<uint8_t>();
  for (int64_t task = ctx.tasks.begin; task < ctx.tasks.end; ++task) {
    const auto* index = ctx.in[0].as<Index>() + task * params.inner;
    auto* to =
        ctx.out[0].mut<uint8_t>() + static_cast<size_t>(task * params.depth * params.inner) * bytes;
    for (int64_t d = 0; d < params.depth; ++d) {
      for (int64_t i = 0; i < params.inner; ++i, to += bytes) {
        std::memcpy(to, index[i] == d ? on : off, bytes);
      }
    }
  }
  return KernelCode::kOk;
}

}  // namespace

Status PrepareOneHot(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(3, 3));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  const View& indices = ctx.in[0];
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("the indices", indices.type, {DType::kInt32, DType::kInt64}));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::OneHotOptions>(ctx));
  for (size_t i : {1, 2}) {
    WHIT_RETURN_IF_ERROR(ExpectSameQuantization(ctx, i, 0));
    if (ctx.in[i].elements() != 1) {
      return ctx.Error(StatusCode::kInvalidModel, "input " + std::to_string(i) +
                                                      " must be one value, has shape " +
                                                      ctx.in[i].shape.ToString());
    }
  }
  const int rank = indices.shape.rank();
  if (options->axis() > static_cast<uint32_t>(rank) || rank + 1 > kMaxRank) {
    return ctx.Error(StatusCode::kInvalidModel, "axis " + std::to_string(options->axis()) +
                                                    " with indices " + indices.shape.ToString());
  }
  const int axis = static_cast<int>(options->axis());
  Shape want = Shape::OfRank(rank + 1);
  for (int a = 0; a <= rank; ++a) {
    want[a] = a == axis ? options->depth() : indices.shape[a < axis ? a : a - 1];
  }
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(0, want));
  p->tasks = want.elements() == 0 ? 0 : indices.shape.Product(0, axis);
  p->macs = want.elements();
  p->run = indices.type == DType::kInt64 ? &RunOneHot<int64_t> : &RunOneHot<int32_t>;
  p->SetParams(OneHotParams{options->depth(), indices.shape.Product(axis, rank),
                            DTypeSize(ctx.out[0].type)});
  return OkStatus();
}

}  // namespace whit
