// Gather takes whole sub-arrays along one axis, GatherNd along the leading axes together. Indices
// are data: one outside its axis ends the run.
#include <algorithm>
#include <cstring>

#include "kernels/copy_short.h"
#include "kernels/options.h"
#include "kernels/strides.h"

namespace whit {

const char* const kTypesGather = "any";
const char* const kTypesGatherNd = "any";

namespace {

struct GatherParams {
  int64_t outer = 1;       // axes of x between the batch axes and `axis`
  int64_t dim = 0;         // of the axis
  int64_t indices = 1;     // of one batch
  size_t inner_bytes = 0;  // axes of x behind the axis
  uint8_t flip = 0;        // 0x80: x is canonical int8, the output holds int8 + 128
};

struct GatherNdParams {
  size_t depth = 0;                                 // indices of a tuple
  std::array<int64_t, kMaxRank> dims{}, strides{};  // of x, in copies of inner_bytes
  size_t inner_bytes = 0;
};

// A task is one copied sub-array: [batch][outer][index].
template <typename Index>
KernelCode RunGather(const RunContext& ctx) {
  const auto& params = ctx.As<GatherParams>();
  const size_t bytes = params.inner_bytes;
  auto* to = ctx.out[0].mut<uint8_t>() + static_cast<size_t>(ctx.tasks.begin) * bytes;
  for (int64_t task = ctx.tasks.begin; task < ctx.tasks.end;) {
    const int64_t block = task / params.indices;  // batch and outer
    const int64_t end = std::min(ctx.tasks.end, (block + 1) * params.indices);
    const auto* index =
        ctx.in[1].as<Index>() + block / params.outer * params.indices + task % params.indices;
    const auto* x = ctx.in[0].as<uint8_t>() + static_cast<size_t>(block * params.dim) * bytes;
    for (; task < end; ++task, ++index, to += bytes) {
      if (*index < 0 || *index >= params.dim) return KernelCode::kIndexOutOfRange;
      const uint8_t* from = x + static_cast<size_t>(*index) * bytes;
      if (params.flip == 0) {
        CopyShort(to, from, bytes);
      } else {
        for (size_t i = 0; i < bytes; ++i) to[i] = from[i] ^ params.flip;
      }
    }
  }
  return KernelCode::kOk;
}

template <typename Index>
KernelCode RunGatherNd(const RunContext& ctx) {
  const auto& params = ctx.As<GatherNdParams>();
  const auto* x = ctx.in[0].as<uint8_t>();
  for (int64_t task = ctx.tasks.begin; task < ctx.tasks.end; ++task) {
    const auto* tuple = ctx.in[1].as<Index>() + static_cast<size_t>(task) * params.depth;
    int64_t at = 0;
    for (size_t a = 0; a < params.depth; ++a) {
      const int64_t index = tuple[a];
      if (index < 0 || index >= params.dims[a]) return KernelCode::kIndexOutOfRange;
      at += index * params.strides[a];
    }
    std::memcpy(ctx.out[0].mut<uint8_t>() + static_cast<size_t>(task) * params.inner_bytes,
                x + static_cast<size_t>(at) * params.inner_bytes, params.inner_bytes);
  }
  return KernelCode::kOk;
}

// A constant table as the file has it, gathered into shifted storage: the rows are shifted on the
// way.
bool IsCanonicalTable(const PrepareContext& ctx) {
  const View &x = ctx.in[0], &y = ctx.out[0];
  return ctx.act_bias == 128 && x.type == DType::kInt8 && y.type == DType::kUint8 &&
         x.quant.present() && y.quant.present();
}

Status CheckGatherTensors(const PrepareContext& ctx, bool canonical_table) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(2, 2));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  if (!canonical_table) WHIT_RETURN_IF_ERROR(ExpectSameElements(ctx, 0, 0));
  return ctx.ExpectType("the indices", ctx.in[1].type, {DType::kInt32, DType::kInt64});
}

// Appends axes [from, to) of `tail`; false when the rank would pass the limit.
bool Append(const Shape& tail, int from, int to, Shape* shape) {
  const int kept = shape->rank();
  if (kept + to - from > kMaxRank) return false;
  Shape grown = Shape::OfRank(kept + to - from);
  for (int a = 0; a < kept; ++a) grown[a] = (*shape)[a];
  for (int a = from; a < to; ++a) grown[kept + a - from] = tail[a];
  *shape = grown;
  return true;
}

Status RankError(const PrepareContext& ctx) {
  return ctx.Error(StatusCode::kUnsupported, "input " + ctx.in[0].shape.ToString() +
                                                 " with indices " + ctx.in[1].shape.ToString() +
                                                 " gives a rank above " + std::to_string(kMaxRank));
}

}  // namespace

Status PrepareGather(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(2, 2));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  const bool canonical_table = IsCanonicalTable(ctx);
  WHIT_RETURN_IF_ERROR(CheckGatherTensors(ctx, canonical_table));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::GatherOptions>(ctx));
  const Shape& x = ctx.in[0].shape;
  const Shape& indices = ctx.in[1].shape;
  const int64_t axis64 = options->axis(), batch64 = options->batch_dims();
  if (axis64 >= x.rank() || batch64 > axis64 || batch64 > indices.rank()) {
    return ctx.Error(StatusCode::kInvalidModel, "axis " + std::to_string(axis64) +
                                                    " and batch_dims " + std::to_string(batch64) +
                                                    " with input " + x.ToString() +
                                                    " and indices " + indices.ToString());
  }
  const int axis = static_cast<int>(axis64), batch = static_cast<int>(batch64);
  for (int a = 0; a < batch; ++a) {
    if (x[a] != indices[a]) {
      return ctx.Error(StatusCode::kInvalidModel,
                       "batch axis " + std::to_string(a) + " is " + std::to_string(x[a]) +
                           " in the input and " + std::to_string(indices[a]) + " in the indices");
    }
  }
  Shape want;
  if (!Append(x, 0, axis, &want) || !Append(indices, batch, indices.rank(), &want) ||
      !Append(x, axis + 1, x.rank(), &want)) {
    return RankError(ctx);
  }
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(0, want));
  GatherParams params;
  params.outer = x.Product(batch, axis);
  params.dim = x[axis];
  params.indices = indices.Product(batch, indices.rank());
  params.inner_bytes =
      static_cast<size_t>(x.Product(axis + 1, x.rank())) * DTypeSize(ctx.in[0].type);
  params.flip = canonical_table ? 0x80 : 0;
  p->tasks = want.elements() == 0 ? 0 : x.Product(0, axis) * params.indices;
  p->macs = want.elements();
  p->run = ctx.in[1].type == DType::kInt64 ? &RunGather<int64_t> : &RunGather<int32_t>;
  p->SetParams(params);
  return OkStatus();
}

Status PrepareGatherNd(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(CheckGatherTensors(ctx, /*canonical_table=*/false));
  const Shape& x = ctx.in[0].shape;
  const Shape& indices = ctx.in[1].shape;
  if (indices.rank() == 0 || indices.back() > x.rank()) {
    return ctx.Error(StatusCode::kInvalidModel, "indices " + indices.ToString() +
                                                    " hold no tuples into an input of rank " +
                                                    std::to_string(x.rank()));
  }
  const int depth = static_cast<int>(indices.back());
  Shape want;
  if (!Append(indices, 0, indices.rank() - 1, &want) || !Append(x, depth, x.rank(), &want)) {
    return RankError(ctx);
  }
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(0, want));
  GatherNdParams params;
  params.depth = static_cast<size_t>(depth);
  for (int a = 0; a < depth; ++a) {
    params.dims[static_cast<size_t>(a)] = x[a];
    params.strides[static_cast<size_t>(a)] = x.Product(a + 1, depth);
  }
  params.inner_bytes = static_cast<size_t>(x.Product(depth, x.rank())) * DTypeSize(ctx.in[0].type);
  p->tasks = want.elements() == 0 ? 0 : indices.Product(0, indices.rank() - 1);
  p->macs = want.elements();
  p->run = ctx.in[1].type == DType::kInt64 ? &RunGatherNd<int64_t> : &RunGatherNd<int32_t>;
  p->SetParams(params);
  return OkStatus();
}

}  // namespace whit
