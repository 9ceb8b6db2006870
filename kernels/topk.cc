// TopK: the k greatest values of each row of the last axis, greatest first, and where they were.
#include <algorithm>

#include "kernels/descending.h"
#include "kernels/options.h"

namespace whit {

const char* const kTypesTopK = "float32 int8 uint8 int16 int32 int64";

namespace {

struct TopKParams {
  int64_t n = 0, k = 0;  // of a row
};

// A task is one row. The row of indices is a heap, the last of the k best so far at its front; then
// it is sorted.
template <typename T>
KernelCode RunTopK(const RunContext& ctx) {
  const auto& params = ctx.As<TopKParams>();
  for (int64_t task = ctx.tasks.begin; task < ctx.tasks.end; ++task) {
    const T* x = ctx.in[0].as<T>() + task * params.n;
    T* values = ctx.out[0].mut<T>() + task * params.k;
    int32_t* best = ctx.out[1].mut<int32_t>() + task * params.k;
    int32_t* const end = best + params.k;
    const auto before = [x](int32_t a, int32_t b) { return ListedBefore(x[a], a, x[b], b); };
    for (int64_t i = 0; i < params.k; ++i) best[i] = static_cast<int32_t>(i);
    std::make_heap(best, end, before);
    for (int64_t i = params.k; i < params.n; ++i) {
      const auto index = static_cast<int32_t>(i);
      if (!before(index, best[0])) continue;
      std::pop_heap(best, end, before);
      end[-1] = index;
      std::push_heap(best, end, before);
    }
    std::sort_heap(best, end, before);
    for (int64_t i = 0; i < params.k; ++i) values[i] = x[best[i]];
  }
  return KernelCode::kOk;
}

KernelFn KernelOf(DType type) {
  switch (type) {
    case DType::kFloat32:
      return &RunTopK<float>;
    case DType::kInt8:
      return &RunTopK<int8_t>;
    case DType::kUint8:
      return &RunTopK<uint8_t>;
    case DType::kInt16:
      return &RunTopK<int16_t>;
    case DType::kInt32:
      return &RunTopK<int32_t>;
    default:
      return &RunTopK<int64_t>;
  }
}

}  // namespace

Status PrepareTopK(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(2));
  const View& x = ctx.in[0];
  WHIT_RETURN_IF_ERROR(ctx.ExpectType(
      "the input", x.type,
      {DType::kFloat32, DType::kInt8, DType::kUint8, DType::kInt16, DType::kInt32, DType::kInt64}));
  WHIT_RETURN_IF_ERROR(ExpectSameElements(ctx, 0, 0));
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("the indices", ctx.out[1].type, {DType::kInt32}));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::TopKOptions>(ctx));
  const int rank = x.shape.rank();
  if (rank == 0 || options->k() > x.shape.back()) {
    return ctx.Error(StatusCode::kInvalidModel, "k is " + std::to_string(options->k()) +
                                                    ", the input has shape " + x.shape.ToString());
  }
  Shape want = x.shape;
  want[rank - 1] = options->k();
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(0, want));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(1, want));
  p->tasks = want.elements() == 0 ? 0 : want.Product(0, rank - 1);
  p->macs = x.elements();
  p->run = KernelOf(x.type);
  p->SetParams(TopKParams{x.shape.back(), options->k()});
  return OkStatus();
}

}  // namespace whit
