// Split: consecutive parts of the input along one axis, one an output.
#include <algorithm>

#include "kernels/options.h"
#include "kernels/strides.h"

namespace whit {

const char* const kTypesSplit = "any";

namespace {

struct SplitParams {
  struct Part {
    StridedCopy copy;
    int64_t base_bytes = 0;
    int64_t first_task = 0;
  };
  std::vector<Part> parts;
};

KernelCode RunSplit(const RunContext& ctx) {
  const auto& parts = ctx.As<SplitParams>().parts;
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto& part = parts[i];
    const int64_t begin = std::max<int64_t>(ctx.tasks.begin - part.first_task, 0);
    const int64_t end = std::min(ctx.tasks.end - part.first_task, part.copy.rows());
    part.copy.Run(ctx.in[0].as<uint8_t>() + part.base_bytes, ctx.out[i].mut<uint8_t>(), begin, end);
  }
  return KernelCode::kOk;
}

}  // namespace

Status PrepareSplit(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::AxisOptions>(ctx));
  const Shape& x = ctx.in[0].shape;
  const int64_t axis = options->axis();
  if (axis >= x.rank()) {
    return ctx.Error(
        StatusCode::kInvalidModel,
        "axis " + std::to_string(axis) + " of an input of rank " + std::to_string(x.rank()));
  }
  const size_t bytes = DTypeSize(ctx.in[0].type);
  const size_t rank = static_cast<size_t>(x.rank());
  const auto strides = RowMajorStrides(x);
  SplitParams params;
  int64_t at = 0, tasks = 0;
  for (size_t i = 0; i < ctx.out.size(); ++i) {
    WHIT_RETURN_IF_ERROR(ExpectSameElements(ctx, 0, i));
    const Shape& y = ctx.out[i].shape;
    Shape want = x;
    if (y.rank() == x.rank()) want[static_cast<int>(axis)] = y[static_cast<int>(axis)];
    WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(i, want));
    std::array<int64_t, kMaxRank> dims{};
    for (size_t a = 0; a < rank; ++a) dims[a] = y[static_cast<int>(a)];
    const int64_t base = at * strides[static_cast<size_t>(axis)] * static_cast<int64_t>(bytes);
    params.parts.push_back(
        {StridedCopy({dims.data(), rank}, {strides.data(), rank}, bytes), base, tasks});
    tasks += params.parts.back().copy.rows();
    at += y[static_cast<int>(axis)];
  }
  if (at != x[static_cast<int>(axis)]) {
    return ctx.Error(StatusCode::kInvalidModel,
                     "the outputs hold " + std::to_string(at) + " of the axis' " +
                         std::to_string(x[static_cast<int>(axis)]) + " elements");
  }
  p->tasks = tasks;
  p->macs = ctx.in[0].elements();
  p->run = &RunSplit;
  p->SetParams(std::move(params));
  return OkStatus();
}

}  // namespace whit
