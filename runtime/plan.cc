#include "runtime/plan.h"

#include <algorithm>
#include <utility>

#include "runtime/node_order.h"
#include "runtime/planner.h"

namespace whit {

namespace {

// A run is split at all where it saves more than waking threads that sleep between runs.
constexpr double kWakeNs = 25'000;

bool IsFloat(const Slot& slot) { return slot.tensor >= 0 && slot.view.type == DType::kFloat32; }

// Whether a step's result has the same bytes on every device. Operators that move or select values,
// and the IEEE-exact conversions, are exact in floats too; what sums or calls libm in floats is
// not.
bool StepIsExact(const Step& step) {
  if (!step.prepared.exact) return false;
  if (step.node < 0) return true;
  const bool touches_float = std::any_of(step.in.begin(), step.in.end(), IsFloat) ||
                             std::any_of(step.out.begin(), step.out.end(), IsFloat);
  if (!touches_float) return true;
  static constexpr std::string_view kMoving[] = {"layout",   "gather",   "select",  "fill",
                                                 "variable", "quantize", "compare", "arg"};
  const std::string_view family = RowOf(step.type).family;
  return std::find(std::begin(kMoving), std::end(kMoving), family) != std::end(kMoving);
}

}  // namespace

Status Planner::CheckSizes() const {
  for (const TensorDef& def : graph_.tensors) {
    if (def.bytes() <= options_.budgets.max_arena_bytes) continue;
    return Status(StatusCode::kOverBudget, "tensor '" + def.name + "' needs " +
                                               std::to_string(def.bytes()) +
                                               " bytes, the budget max_arena_bytes is " +
                                               std::to_string(options_.budgets.max_arena_bytes));
  }
  return OkStatus();
}

// Exact: no step whose result may differ between devices lies on the way to an output.
void Planner::MarkExact() {
  std::vector<bool> inexact(plan_.tensors.size(), false);  // per root: its present contents
  auto is_inexact = [&](const Slot& slot) {
    return slot.tensor >= 0 && inexact[static_cast<size_t>(Root(slot.tensor))];
  };
  for (Step& step : plan_.steps) {
    const bool tainted =
        !StepIsExact(step) || std::any_of(step.in.begin(), step.in.end(), is_inexact);
    step.exact = !tainted;
    for (const Slot& slot : step.out) {
      if (slot.tensor >= 0) inexact[static_cast<size_t>(Root(slot.tensor))] = tainted;
    }
  }
  plan_.exact = std::none_of(graph_.outputs.begin(), graph_.outputs.end(), [&](const IoDef& io) {
    return inexact[static_cast<size_t>(Root(slot_tensor_[static_cast<size_t>(io.tensor)]))];
  });
}

Status Planner::CheckBudget() {
  for (const TensorDef& v : plan_.variables) plan_.variable_bytes += AlignUp(v.bytes());
  uint64_t io_bytes = 0;
  for (const IoDef& io : graph_.inputs)
    io_bytes += graph_.tensors[static_cast<size_t>(io.tensor)].bytes();
  for (const IoDef& io : graph_.outputs)
    io_bytes += graph_.tensors[static_cast<size_t>(io.tensor)].bytes();
  for (const Step& step : plan_.steps) {
    plan_.scratch_bytes =
        std::max<uint64_t>(plan_.scratch_bytes, AlignUp(step.prepared.scratch_per_thread));
    plan_.threads = std::max(plan_.threads, step.prepared.whole ? 1 : step.threads);
    plan_.heap_bytes += step.prepared.heap_bytes;
  }
  plan_.snapshots_variables = plan_.variable_bytes > 0;
  plan_.peak_bytes = plan_.tensor_bytes +
                     plan_.scratch_bytes * static_cast<uint64_t>(plan_.threads) +
                     plan_.variable_bytes * (plan_.snapshots_variables ? 2 : 1);
  const Budgets& budgets = options_.budgets;
  if (plan_.macs < 0 || static_cast<uint64_t>(plan_.macs) > budgets.max_macs) {
    return Status(StatusCode::kOverBudget, "one run needs " + std::to_string(plan_.macs) +
                                               " multiply-accumulates, the budget max_macs is " +
                                               std::to_string(budgets.max_macs));
  }
  const uint64_t limit = options_.ram_budget > 0 ? options_.ram_budget : budgets.max_arena_bytes;
  const uint64_t own = plan_.peak_bytes + plan_.heap_bytes;
  const uint64_t counted = options_.ram_budget > 0 ? own : own + io_bytes;
  if (counted > limit) {
    return Status(StatusCode::kOverBudget, "the plan needs " + std::to_string(counted) +
                                               " writable bytes, the limit is " +
                                               std::to_string(limit));
  }
  return OkStatus();
}

Result<Plan> Planner::Build() {
  WHIT_RETURN_IF_ERROR(CheckSizes());
  std::vector<int> order;
  if (options_.plain) {
    for (size_t n = 0; n < graph_.nodes.size(); ++n) order.push_back(static_cast<int>(n));
  } else {
    order = OrderForMemory(graph_, LiveNodes(graph_));
  }
  MakeTensors(order);
  AddInputConversions();
  AddConstantConversions();
  FindPieces(order);
  FindJoins(order);
  for (int n : order) {
    if (!is_joined_[static_cast<size_t>(n)]) WHIT_RETURN_IF_ERROR(AddNode(n));
  }
  ResolveAliases();
  FindUses();
  BindOutputs();
  PlacePieces();
  FindUses();
  ResolveInPlace();
  PlaceTensors();
  FillPlaces();
  MarkExact();
  WHIT_RETURN_IF_ERROR(CheckBudget());
  return std::move(plan_);
}

Result<Plan> BuildPlan(const Graph& graph, const PlanOptions& options) {
  Planner planner(graph, options);
  Result<Plan> plan = planner.Build();
  if (!plan.ok() || plan->threads == 1 || planner.saved_ns() > kWakeNs || options.split_always) {
    return plan;
  }
  PlanOptions alone = options;
  alone.threads = 1;
  return Planner(graph, alone).Build();
}

}  // namespace whit
