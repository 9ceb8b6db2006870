#include "kernels/xnnpack/node.h"

#include <pthreadpool.h>

namespace whit {
namespace {

struct DeleteSubgraph {
  void operator()(xnn_subgraph_t s) const { xnn_delete_subgraph(s); }
};
using SubgraphPtr = std::unique_ptr<std::remove_pointer_t<xnn_subgraph_t>, DeleteSubgraph>;
struct DeleteRuntime {
  void operator()(xnn_runtime_t r) const { xnn_delete_runtime(r); }
};
using RuntimePtr = std::unique_ptr<std::remove_pointer_t<xnn_runtime_t>, DeleteRuntime>;

xnn_status MakeRuntime(const XnnRecipe& recipe, pthreadpool_t pool, RuntimePtr* runtime) {
  xnn_subgraph_t raw = nullptr;
  if (const xnn_status s = xnn_create_subgraph(recipe.inputs + 1, 0, &raw);
      s != xnn_status_success) {
    return s;
  }
  const SubgraphPtr subgraph(raw);
  XnnBuilder builder(raw, recipe.inputs);
  recipe.define(builder);
  if (builder.status() != xnn_status_success) return builder.status();
  xnn_runtime_t made = nullptr;
  const xnn_status s = xnn_create_runtime_v2(raw, pool, 0, &made);
  runtime->reset(made);
  return s;
}

/// The state behind Prepared::params. A plan belongs to one Runner and a Runner to one thread, so
/// the state may change under the const pointer of a run.
struct XnnState {
  std::shared_ptr<XnnRecipe> recipe;
  mutable RuntimePtr runtime;
  mutable pthreadpool_t pool = nullptr;
  mutable std::vector<xnn_external_value> bound;
};

/// The runtime for the run's pool and addresses; both settle in the first run, so later runs
/// allocate nothing.
bool Bind(const XnnState& state, const RunContext& ctx) {
  auto* pool = static_cast<pthreadpool_t>(ctx.thread_pool);
  bool fresh = state.bound.empty();
  if (pool != state.pool || state.runtime == nullptr) {
    state.runtime.reset();
    if (MakeRuntime(*state.recipe, pool, &state.runtime) != xnn_status_success) return false;
    state.pool = pool;
    fresh = true;
  }
  const uint32_t inputs = state.recipe->inputs;
  state.bound.resize(inputs + 1);
  for (uint32_t i = 0; i <= inputs; ++i) {
    void* data = i < inputs ? ctx.in[i].data : ctx.out[0].data;
    fresh = fresh || state.bound[i].data != data;
    state.bound[i] = {i, data};
  }
  return !fresh || xnn_setup_runtime(state.runtime.get(), inputs + 1, state.bound.data()) ==
                       xnn_status_success;
}

KernelCode RunXnn(const RunContext& ctx) {
  const auto& state = ctx.As<XnnState>();
  const bool ok = Bind(state, ctx) && xnn_invoke_runtime(state.runtime.get()) == xnn_status_success;
  return ok ? KernelCode::kOk : KernelCode::kBackendFailed;
}

const char* NameOf(xnn_status status) {
  switch (status) {
    case xnn_status_success:
      return "success";
    case xnn_status_uninitialized:
      return "not initialized";
    case xnn_status_invalid_parameter:
      return "refused the parameters";
    case xnn_status_invalid_state:
      return "invalid state";
    case xnn_status_unsupported_parameter:
      return "does not support the parameters";
    case xnn_status_unsupported_hardware:
      return "does not support this CPU";
    case xnn_status_out_of_memory:
      return "out of memory";
    default:  // newer versions have more
      return "failed";
  }
}

}  // namespace

uint32_t XnnBuilder::Value(const std::vector<size_t>& dims, const float* data, uint32_t external,
                           uint32_t flags) {
  uint32_t id = XNN_INVALID_VALUE_ID;
  Keep(xnn_define_tensor_value(subgraph_, xnn_datatype_fp32, dims.size(), dims.data(), data,
                               external, flags, &id));
  return id;
}

uint32_t XnnBuilder::Input(uint32_t index, const std::vector<size_t>& dims) {
  return Value(dims, nullptr, index, XNN_VALUE_FLAG_EXTERNAL_INPUT);
}

uint32_t XnnBuilder::Output(const std::vector<size_t>& dims) {
  return Value(dims, nullptr, inputs_, XNN_VALUE_FLAG_EXTERNAL_OUTPUT);
}

uint32_t XnnBuilder::Static(const std::vector<size_t>& dims, const float* data) {
  return Value(dims, data, XNN_INVALID_VALUE_ID, 0);
}

std::vector<size_t> XnnDims(const Shape& shape) {
  std::vector<size_t> dims;
  for (int i = 0; i < shape.rank(); ++i) dims.push_back(static_cast<size_t>(shape[i]));
  if (dims.empty()) dims.push_back(1);
  return dims;
}

Status PrepareXnn(std::shared_ptr<XnnRecipe> recipe, const Prepared& reference, Prepared* prepared,
                  bool* accepted, std::string* why_not) {
  static const xnn_status initialized = xnn_initialize(nullptr);
  auto state = std::make_shared<XnnState>();
  state->recipe = std::move(recipe);
  // A hostile file may have few weights and very many taps and pixels; XNNPACK keeps a pointer for
  // each.
  constexpr size_t kMaxPointers = size_t{1} << 22;
  if (state->recipe->pointers > kMaxPointers) {
    *why_not = "an indirection buffer of more than " + std::to_string(kMaxPointers) + " pointers";
    return OkStatus();
  }
  xnn_status status = initialized;
  if (status == xnn_status_success) status = MakeRuntime(*state->recipe, nullptr, &state->runtime);
  *accepted = status == xnn_status_success;
  if (!*accepted) {
    *why_not = NameOf(status);
    return OkStatus();
  }
  // The copy it was given and the one it packs (padded a little more than this).
  const size_t floats = state->recipe->weights.size() + state->recipe->bias.size();
  prepared->heap_bytes = 2 * floats * sizeof(float) + state->recipe->pointers * sizeof(void*);
  prepared->macs = reference.macs;
  prepared->run = &RunXnn;
  prepared->implementation = "xnnpack";
  prepared->tier = "xnnpack";
  prepared->whole = true;
  prepared->exact = false;
  prepared->params = std::move(state);
  return OkStatus();
}

}  // namespace whit
