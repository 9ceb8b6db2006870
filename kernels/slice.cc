// Slice: out[i] = x[begin + i * stride] along every axis, `size` elements each; strides may be
// negative. The first element is an option, or an input that is only known when the step runs.
#include <cstdlib>

#include "kernels/copy_op.h"
#include "kernels/options.h"

namespace whit {

const char* const kTypesSlice = "any";

namespace {

struct SliceAxis {
  int64_t dim = 0, size = 0, stride = 1;
  int64_t source = 0;  // distance of neighbours in the input

  bool Holds(int64_t begin) const {
    const int64_t last = begin + (size - 1) * stride;
    return size == 0 || (begin >= 0 && begin < dim && last >= 0 && last < dim);
  }
};

struct SliceParams {
  StridedCopy copy;
  size_t rank = 0;
  std::array<SliceAxis, kMaxRank> axes;
  int64_t element_bytes = 1;
};

int64_t BeginAt(const View& begin, size_t axis) {
  return begin.type == DType::kInt64 ? begin.as<int64_t>()[axis] : begin.as<int32_t>()[axis];
}

KernelCode RunDynamicSlice(const RunContext& ctx) {
  const auto& params = ctx.As<SliceParams>();
  int64_t base = 0;
  for (size_t a = 0; a < params.rank; ++a) {
    const SliceAxis& axis = params.axes[a];
    int64_t begin = BeginAt(ctx.in[1], a);
    if (begin < -axis.dim || begin > axis.dim) return KernelCode::kIndexOutOfRange;
    if (begin < 0) begin += axis.dim;
    if (!axis.Holds(begin)) return KernelCode::kIndexOutOfRange;
    base += begin * axis.source;
  }
  params.copy.Run(ctx.in[0].as<uint8_t>() + base * params.element_bytes, ctx.out[0].mut<uint8_t>(),
                  ctx.tasks.begin, ctx.tasks.end);
  return KernelCode::kOk;
}

Status ReadAxes(const PrepareContext& ctx, const fbs::SliceOptions& options, SliceParams* params) {
  const Shape& x = ctx.in[0].shape;
  const auto count = [](const auto* v) { return v == nullptr ? size_t{0} : size_t{v->size()}; };
  params->rank = static_cast<size_t>(x.rank());
  const bool begins = options.dynamic_begin() || count(options.begin()) == params->rank;
  if (!begins || count(options.size()) != params->rank || count(options.stride()) != params->rank) {
    return ctx.Error(StatusCode::kInvalidModel,
                     "begin, size and stride have " + std::to_string(count(options.begin())) +
                         ", " + std::to_string(count(options.size())) + " and " +
                         std::to_string(count(options.stride())) + " axes, the input has " +
                         std::to_string(params->rank));
  }
  const auto source = RowMajorStrides(x);
  Shape want = x;
  for (size_t a = 0; a < params->rank; ++a) {
    const auto at = static_cast<flatbuffers::uoffset_t>(a);
    const int axis = static_cast<int>(a);
    params->axes[a] = {x[axis], options.size()->Get(at), options.stride()->Get(at), source[a]};
    want[axis] = params->axes[a].size;
    const auto [dim, size, stride, source_stride] = params->axes[a];
    if (stride == 0 || (size > 0 && (size - 1) * std::abs(stride) >= dim)) {
      return ctx.Error(StatusCode::kInvalidModel,
                       "axis " + std::to_string(a) + ": " + std::to_string(size) + " elements by " +
                           std::to_string(stride) + " do not fit the dimension of " +
                           std::to_string(dim));
    }
  }
  return ctx.ExpectOutShape(0, want);
}

Status CheckDynamicBegin(const PrepareContext& ctx, size_t rank) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(2, 2));
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("the begin", ctx.in[1].type, {DType::kInt32, DType::kInt64}));
  if (ctx.in[1].elements() == static_cast<int64_t>(rank)) return OkStatus();
  return ctx.Error(StatusCode::kInvalidModel,
                   "the begin has " + std::to_string(ctx.in[1].elements()) +
                       " elements, the input has rank " + std::to_string(rank));
}

}  // namespace

Status PrepareSlice(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 2));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_RETURN_IF_ERROR(ExpectSameElements(ctx, 0, 0));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::SliceOptions>(ctx));
  SliceParams params;
  WHIT_RETURN_IF_ERROR(ReadAxes(ctx, *options, &params));
  std::array<int64_t, kMaxRank> dims{}, strides{};
  for (size_t a = 0; a < params.rank; ++a) {
    dims[a] = params.axes[a].size;
    strides[a] = params.axes[a].stride * params.axes[a].source;
  }
  if (options->dynamic_begin()) {
    WHIT_RETURN_IF_ERROR(CheckDynamicBegin(ctx, params.rank));
    params.element_bytes = static_cast<int64_t>(DTypeSize(ctx.in[0].type));
    params.copy = StridedCopy({dims.data(), params.rank}, {strides.data(), params.rank},
                              DTypeSize(ctx.in[0].type));
    p->tasks = params.copy.rows();
    p->macs = ctx.out[0].elements();
    p->run = &RunDynamicSlice;
    p->SetParams(params);
    return OkStatus();
  }
  int64_t base = 0;
  for (size_t a = 0; a < params.rank; ++a) {
    const SliceAxis& axis = params.axes[a];
    const int64_t begin = options->begin()->Get(static_cast<flatbuffers::uoffset_t>(a));
    if (!axis.Holds(begin)) {
      return ctx.Error(StatusCode::kInvalidModel,
                       "axis " + std::to_string(a) + ": " + std::to_string(axis.size) +
                           " elements from " + std::to_string(begin) + " by " +
                           std::to_string(axis.stride) + " leave the dimension of " +
                           std::to_string(axis.dim));
    }
    base += begin * axis.source;
  }
  SetStridedCopy(ctx, {dims.data(), params.rank}, {strides.data(), params.rank}, base, p);
  return OkStatus();
}

}  // namespace whit
