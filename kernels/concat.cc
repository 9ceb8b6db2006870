// Concatenation: the inputs one behind the other along one axis. All quantizations are equal: the
// importer inserts Quantize where they are not.
#include <algorithm>

#include "kernels/copy_short.h"
#include "kernels/options.h"

namespace whit {

const char* const kTypesConcatenation = "any";

namespace {

struct ConcatParams {
  std::vector<size_t> piece_bytes;  // of each input, contiguous: the axis and everything inside it
  size_t row_bytes = 0;             // their sum
};

// A task is one index over the axes outside the concatenated one. An input that the plan has placed
// where it belongs is there already.
KernelCode RunConcat(const RunContext& ctx) {
  const auto& params = ctx.As<ConcatParams>();
  uint8_t* first = ctx.out[0].mut<uint8_t>();
  for (size_t i = 0; i < params.piece_bytes.size(); ++i) {
    const size_t bytes = params.piece_bytes[i];
    const auto* from = ctx.in[i].as<uint8_t>();
    if (bytes > 0 && from != first) {
      for (int64_t task = ctx.tasks.begin; task < ctx.tasks.end; ++task) {
        const auto row = static_cast<size_t>(task);
        CopyShort(first + row * params.row_bytes, from + row * bytes, bytes);
      }
    }
    first += bytes;
  }
  return KernelCode::kOk;
}

}  // namespace

Status PrepareConcatenation(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(std::max<size_t>(ctx.inputs(), 1), ctx.inputs()));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::AxisOptions>(ctx));
  Shape want = ctx.in[0].shape;
  if (options->axis() >= static_cast<uint32_t>(want.rank())) {
    return ctx.Error(StatusCode::kInvalidModel, "axis " + std::to_string(options->axis()) +
                                                    " of inputs of rank " +
                                                    std::to_string(want.rank()));
  }
  const int axis = static_cast<int>(options->axis());
  ConcatParams params;
  want[axis] = 0;
  for (size_t i = 0; i < ctx.inputs(); ++i) {
    WHIT_RETURN_IF_ERROR(ExpectSameQuantization(ctx, i, 0));
    Shape other = ctx.in[i].shape;
    if (other.rank() == want.rank()) other[axis] = want[axis];
    if (!(other == want)) {
      return ctx.Error(StatusCode::kInvalidModel,
                       "inputs 0 and " + std::to_string(i) + " of shapes " +
                           ctx.in[0].shape.ToString() + " and " + ctx.in[i].shape.ToString() +
                           " differ outside axis " + std::to_string(axis));
    }
    want[axis] += ctx.in[i].shape[axis];
    params.piece_bytes.push_back(static_cast<size_t>(ctx.in[i].shape.Product(axis, want.rank())) *
                                 DTypeSize(ctx.in[i].type));
    params.row_bytes += params.piece_bytes.back();
  }
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(0, want));
  p->tasks = params.row_bytes == 0 ? 0 : want.Product(0, axis);
  p->macs = ctx.out[0].elements();
  p->run = &RunConcat;
  p->SetParams(std::move(params));
  return OkStatus();
}

}  // namespace whit
