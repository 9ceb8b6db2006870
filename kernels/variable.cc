// ReadVariable copies persistent state into a tensor, AssignVariable a tensor into persistent
// state.
#include <algorithm>
#include <cstring>

#include "kernels/options.h"

namespace whit {

const char* const kTypesReadVariable = "any";
const char* const kTypesAssignVariable = "any";

namespace {

// Bytes a task copies.
constexpr int64_t kBlock = 16384;

struct VariableParams {
  size_t variable = 0;
  int64_t bytes = 0;
};

void CopyBlocks(const void* from, void* to, int64_t bytes, TaskRange tasks) {
  const int64_t begin = tasks.begin * kBlock, end = std::min(tasks.end * kBlock, bytes);
  if (begin >= end) return;
  std::memcpy(static_cast<uint8_t*>(to) + begin, static_cast<const uint8_t*>(from) + begin,
              static_cast<size_t>(end - begin));
}

KernelCode RunRead(const RunContext& ctx) {
  const auto& params = ctx.As<VariableParams>();
  CopyBlocks(ctx.variables[params.variable].data, ctx.out[0].data, params.bytes, ctx.tasks);
  return KernelCode::kOk;
}

KernelCode RunAssign(const RunContext& ctx) {
  const auto& params = ctx.As<VariableParams>();
  CopyBlocks(ctx.in[0].data, ctx.variables[params.variable].data, params.bytes, ctx.tasks);
  return KernelCode::kOk;
}

Status PrepareCopy(const PrepareContext& ctx, const View& tensor, KernelFn run, Prepared* p) {
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::VariableOptions>(ctx));
  const int index = options->variable();
  if (index < 0 || static_cast<size_t>(index) >= ctx.variables.size()) {
    return ctx.Error(StatusCode::kInvalidModel, "variable " + std::to_string(index) + " of " +
                                                    std::to_string(ctx.variables.size()) +
                                                    " does not exist");
  }
  const View& variable = ctx.variables[static_cast<size_t>(index)];
  const bool both =
      variable.quant.present() == tensor.quant.present() || DTypeSize(tensor.type) > 1;
  if (variable.type != tensor.type || !(variable.shape == tensor.shape) || !both) {
    const auto text = [](const View& t) {
      return std::string(t.quant.present() ? "quantized " : "") + DTypeName(t.type) +
             t.shape.ToString();
    };
    return ctx.Error(StatusCode::kInvalidModel, "variable " + std::to_string(index) + " is " +
                                                    text(variable) + ", the tensor is " +
                                                    text(tensor));
  }
  const auto bytes = static_cast<int64_t>(tensor.bytes());
  p->tasks = (bytes + kBlock - 1) / kBlock;
  p->macs = tensor.elements();
  p->run = run;
  p->SetParams(VariableParams{static_cast<size_t>(index), bytes});
  return OkStatus();
}

}  // namespace

Status PrepareReadVariable(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(0, 0));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  return PrepareCopy(ctx, ctx.out[0], &RunRead, p);
}

Status PrepareAssignVariable(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(0));
  return PrepareCopy(ctx, ctx.in[0], &RunAssign, p);
}

}  // namespace whit
