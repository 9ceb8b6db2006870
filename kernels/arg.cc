// ArgMax and ArgMin: where along one axis the extreme value lies; the first one wins.
#include "kernels/arg.h"
#include "kernels/options.h"

namespace whit {

const char* const kTypesArgMax = "float32 int8 uint8 int16 int32 int64";
const char* const kTypesArgMin = "float32 int8 uint8 int16 int32 int64";

namespace {

// A task is one output element.
template <typename T, typename Index, bool kMax>
KernelCode RunArg(const RunContext& ctx) {
  const auto& params = ctx.As<ArgParams>();
  for (int64_t task = ctx.tasks.begin; task < ctx.tasks.end; ++task) {
    const int64_t outer = task / params.inner;
    const T* x = ctx.in[0].as<T>() + outer * params.n * params.inner + task % params.inner;
    T best = x[0];
    int64_t at = 0;
    for (int64_t i = 1; i < params.n; ++i) {
      const T value = x[i * params.inner];
      if (kMax ? value > best : value < best) {
        best = value;
        at = i;
      }
    }
    ctx.out[0].mut<Index>()[task] = static_cast<Index>(at);
  }
  return KernelCode::kOk;
}

template <typename Index, bool kMax>
KernelFn KernelOf(DType type) {
  switch (type) {
    case DType::kFloat32:
      return &RunArg<float, Index, kMax>;
    case DType::kInt8:
      return &RunArg<int8_t, Index, kMax>;
    case DType::kUint8:
      return &RunArg<uint8_t, Index, kMax>;
    case DType::kInt16:
      return &RunArg<int16_t, Index, kMax>;
    case DType::kInt32:
      return &RunArg<int32_t, Index, kMax>;
    default:
      return &RunArg<int64_t, Index, kMax>;
  }
}

template <bool kMax>
Status PrepareArg(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  const View& x = ctx.in[0];
  WHIT_RETURN_IF_ERROR(ctx.ExpectType(
      "the input", x.type,
      {DType::kFloat32, DType::kInt8, DType::kUint8, DType::kInt16, DType::kInt32, DType::kInt64}));
  WHIT_RETURN_IF_ERROR(
      ctx.ExpectType("the output", ctx.out[0].type, {DType::kInt32, DType::kInt64}));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::AxisOptions>(ctx));
  const int rank = x.shape.rank();
  if (options->axis() >= static_cast<uint32_t>(rank) ||
      x.shape[static_cast<int>(options->axis())] == 0) {
    return ctx.Error(StatusCode::kInvalidModel, "axis " + std::to_string(options->axis()) +
                                                    " of input " + x.shape.ToString() +
                                                    " holds no element");
  }
  const int axis = static_cast<int>(options->axis());
  Shape want = Shape::OfRank(rank - 1);
  for (int a = 0; a < rank - 1; ++a) want[a] = x.shape[a < axis ? a : a + 1];
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(0, want));
  p->tasks = want.elements();
  p->macs = x.elements();
  p->run = ctx.out[0].type == DType::kInt32 ? KernelOf<int32_t, kMax>(x.type)
                                            : KernelOf<int64_t, kMax>(x.type);
  p->SetParams(ArgParams{x.shape[axis], x.shape.Product(axis + 1, rank)});
  return OkStatus();
}

}  // namespace

Status PrepareArgMax(const PrepareContext& ctx, Prepared* p) { return PrepareArg<true>(ctx, p); }
Status PrepareArgMin(const PrepareContext& ctx, Prepared* p) { return PrepareArg<false>(ctx, p); }

}  // namespace whit
