// CumSum: running sums along one axis, forwards or backwards, with or without the element itself.
#include "kernels/options.h"

namespace whit {

const char* const kTypesCumSum = "float32 int32 int64";

namespace {

struct CumSumParams {
  int64_t n = 0;      // elements of the axis
  int64_t inner = 1;  // running sums side by side
  bool exclusive = false, reverse = false;
};

// Integers wrap.
float Sum(float a, float b) { return a + b; }
int32_t Sum(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}
int64_t Sum(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

// A task is one index over the axes outside the summed one.
template <typename T>
KernelCode RunCumSum(const RunContext& ctx) {
  const auto& params = ctx.As<CumSumParams>();
  const int64_t inner = params.inner;
  for (int64_t task = ctx.tasks.begin; task < ctx.tasks.end; ++task) {
    const T* x = ctx.in[0].as<T>() + task * params.n * inner;
    T* y = ctx.out[0].mut<T>() + task * params.n * inner;
    const int64_t first = params.reverse ? params.n - 1 : 0;
    const int64_t step = params.reverse ? -1 : 1;
    for (int64_t c = 0; c < inner; ++c)
      y[first * inner + c] = params.exclusive ? T{0} : x[first * inner + c];
    for (int64_t i = 1; i < params.n; ++i) {
      const int64_t at = (first + i * step) * inner, previous = at - step * inner;
      const T* added = x + (params.exclusive ? previous : at);
      for (int64_t c = 0; c < inner; ++c) y[at + c] = Sum(y[previous + c], added[c]);
    }
  }
  return KernelCode::kOk;
}

}  // namespace

Status PrepareCumSum(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  const View& x = ctx.in[0];
  WHIT_RETURN_IF_ERROR(
      ctx.ExpectType("the input", x.type, {DType::kFloat32, DType::kInt32, DType::kInt64}));
  WHIT_RETURN_IF_ERROR(ExpectSameElements(ctx, 0, 0));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::CumSumOptions>(ctx));
  if (options->axis() >= static_cast<uint32_t>(x.shape.rank())) {
    return ctx.Error(StatusCode::kInvalidModel, "axis " + std::to_string(options->axis()) +
                                                    " of an input of rank " +
                                                    std::to_string(x.shape.rank()));
  }
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(0, x.shape));
  const int axis = static_cast<int>(options->axis());
  p->tasks = x.elements() == 0 ? 0 : x.shape.Product(0, axis);
  p->macs = x.elements();
  p->exact = x.type != DType::kFloat32;
  p->run = x.type == DType::kFloat32 ? &RunCumSum<float>
           : x.type == DType::kInt32 ? &RunCumSum<int32_t>
                                     : &RunCumSum<int64_t>;
  p->SetParams(CumSumParams{x.shape[axis], x.shape.Product(axis + 1, x.shape.rank()),
                            options->exclusive(), options->reverse()});
  return OkStatus();
}

}  // namespace whit
