#include "runtime/plan.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "runtime/copy_steps.h"
#include "runtime/memory_planner.h"
#include "runtime/node_order.h"

namespace whit {

namespace {

// What is not a product touches each of its `macs` elements in about this time.
constexpr double kElementNs = 1.0;

// A step is split where that saves more than handing it out and waiting for the last thread cost:
// about this much for each further thread (pthreadpool's spinning workers, measured: 1 to 2 us).
constexpr double kThreadNs = 3000;

// A run is split at all where it saves more than waking threads that sleep between runs.
constexpr double kWakeNs = 25'000;

// Readable bytes behind every arena tensor, its own, so that an over-read never meets a write
// (docs/layout.md, 7).
constexpr uint64_t kSlack = 64;

uint64_t AlignUp(uint64_t bytes) {
  return (bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
}

int64_t SaturatingAdd(int64_t a, int64_t b) {
  return b > std::numeric_limits<int64_t>::max() - a ? std::numeric_limits<int64_t>::max() : a + b;
}

TensorDef Shifted(TensorDef def, int32_t act_bias) {
  if (act_bias != 0 && def.biased()) {
    def.type = DType::kUint8;
    for (int32_t& z : def.zero_point) z += act_bias;
  }
  return def;
}

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

class Planner {
 public:
  Planner(const Graph& graph, const PlanOptions& options) : graph_(graph), options_(options) {}

  Result<Plan> Build();
  /// What several threads save of a run, estimated.
  double saved_ns() const { return saved_ns_; }

 private:
  struct Constant8 {  // a quantized constant that must be shifted to the plan's storage
    int tensor;       // of the graph
    int shifted;      // of the plan
  };

  Status CheckSizes() const;
  void MakeTensors(const std::vector<int>& order);
  void AddInputConversions();
  void AddConstantConversions();
  /// An Add that joins the node which makes its operand `operand`.
  struct Join {
    int producer = -1;
    size_t operand = 0;
  };
  struct NodeContext;

  Status AddNode(int n);
  Step MakeStep(int n) const;
  NodeContext MakeContext(const NodeDef& node, const Step& step) const;
  Status ChooseImplementation(PrepareContext ctx, Step* step);
  Status PrepareBest(const PrepareContext& ctx, Step* step);
  void KeepStep(Step step);
  void FindJoins(const std::vector<int>& order);
  bool ReadsVariable(const NodeDef& node) const;
  bool SameEightBitShape(int a, int b, int c) const;
  Result<bool> JoinAdd(int n, const Step& add, const PrepareContext& add_ctx);
  Slot SlotOf(int tensor) const;
  Step MakeMove(const char* name, int from, int to);
  void ResolveAliases();
  void ResolveInPlace();
  void BindOutputs();
  void PlaceTensors();
  void FillPlaces();
  void MarkExact();
  int UsefulThreads(double cost_ns) const;
  Status CheckBudget();
  int Root(int tensor) const;
  int64_t LastUse(int root) const { return last_use_[static_cast<size_t>(root)]; }
  void FindUses();

  const Graph& graph_;
  const PlanOptions& options_;
  Plan plan_;
  std::vector<View> variable_views_;
  std::vector<int> slot_tensor_;  // graph tensor -> plan tensor that its readers use
  std::vector<Constant8> constants8_;
  double saved_ns_ = 0;
  std::vector<Join> joins_;      // per node: of an Add
  std::vector<bool> is_joined_;  // per node: planned where its Add stands
  std::vector<int> input_of_;  // plan tensor -> model input that fills it directly, or -1
  std::vector<int> root_;      // plan tensor -> tensor whose memory it shares
  std::vector<int64_t> first_def_, last_use_;  // per root, in steps
};

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

void Planner::MakeTensors(const std::vector<int>& order) {
  const int32_t bias = options_.act_bias;
  slot_tensor_.resize(graph_.tensors.size());
  for (size_t t = 0; t < graph_.tensors.size(); ++t) {
    slot_tensor_[t] = static_cast<int>(t);
    PlannedTensor planned{Shifted(graph_.tensors[t], bias), {}};
    plan_.tensors.push_back(std::move(planned));
  }
  if (bias != 0) {
    std::vector<bool> read(graph_.tensors.size(), false);
    for (int n : order) {
      for (int t : graph_.nodes[static_cast<size_t>(n)].in) {
        if (t >= 0) read[static_cast<size_t>(t)] = true;
      }
    }
    for (const IoDef& io : graph_.outputs) read[static_cast<size_t>(io.tensor)] = true;
    for (size_t t = 0; t < graph_.tensors.size(); ++t) {
      const TensorDef& def = graph_.tensors[t];
      if (!read[t] || def.constant == nullptr || !def.biased()) continue;
      TensorDef shifted = plan_.tensors[t].def;
      shifted.constant = nullptr;
      plan_.tensors[t].def = def;  // the source stays canonical
      constants8_.push_back({static_cast<int>(t), static_cast<int>(plan_.tensors.size())});
      slot_tensor_[t] = constants8_.back().shifted;
      plan_.tensors.push_back({std::move(shifted), {}});
    }
  }
  // An input whose caller's type is not the storage type is converted from a tensor of its own.
  input_of_.assign(plan_.tensors.size(), -1);
  for (size_t i = 0; i < graph_.inputs.size(); ++i) {
    const IoDef& io = graph_.inputs[i];
    const auto t = static_cast<size_t>(io.tensor);
    if (io.type == plan_.tensors[t].def.type) {
      input_of_[t] = static_cast<int>(i);
      continue;
    }
    TensorDef raw = plan_.tensors[t].def;
    raw.type = io.type;
    plan_.tensors.push_back({std::move(raw), {}});
    input_of_.push_back(static_cast<int>(i));
  }
  for (const TensorDef& v : graph_.variables) plan_.variables.push_back(Shifted(v, bias));
  for (const TensorDef& v : plan_.variables) variable_views_.push_back(ViewOf(v));
  for (View& view : variable_views_) view.data = nullptr;
}

Slot Planner::SlotOf(int tensor) const {
  Slot slot;
  slot.tensor = tensor;
  if (tensor >= 0) slot.view = ViewOf(plan_.tensors[static_cast<size_t>(tensor)].def);
  return slot;
}

Step Planner::MakeMove(const char* name, int from, int to) {
  Step step;
  const TensorDef& source = plan_.tensors[static_cast<size_t>(from)].def;
  const TensorDef& target = plan_.tensors[static_cast<size_t>(to)].def;
  step.prepared =
      source.type == target.type ? PrepareCopy(source.bytes()) : PrepareRebias(source.bytes());
  step.name = name;
  step.op = RowOf(OpType::kNone).name;
  step.in.push_back(SlotOf(from));
  step.out.push_back(SlotOf(to));
  return step;
}

void Planner::AddInputConversions() {
  for (size_t t = 0; t < input_of_.size(); ++t) {
    if (input_of_[t] < 0) continue;
    const int target = graph_.inputs[static_cast<size_t>(input_of_[t])].tensor;
    if (target == static_cast<int>(t)) continue;
    plan_.steps.push_back(MakeMove("(input conversion)", static_cast<int>(t), target));
  }
}

void Planner::AddConstantConversions() {
  for (const Constant8& c : constants8_) {
    plan_.steps.push_back(MakeMove("(constant conversion)", c.tensor, c.shifted));
  }
}

// A node as its kernel's prepare sees it. Owns what the context borrows.
struct Planner::NodeContext {
  PrepareContext ctx;
  std::vector<View> in, out;
  std::vector<int> in_variable;
  std::unique_ptr<bool[]> present;
};

Planner::NodeContext Planner::MakeContext(const NodeDef& node, const Step& step) const {
  NodeContext c;
  c.present = std::make_unique<bool[]>(step.in.size() + 1);
  for (size_t i = 0; i < step.in.size(); ++i) {
    const int tensor = step.in[i].tensor;
    c.in.push_back(step.in[i].view);
    c.present[i] = tensor >= 0;
    c.in_variable.push_back(tensor < 0 ? -1
                                       : plan_.tensors[static_cast<size_t>(tensor)].def.variable);
  }
  for (const Slot& slot : step.out) c.out.push_back(slot.view);
  c.ctx.op = node.op;
  c.ctx.type = node.type;
  c.ctx.in = c.in;
  c.ctx.present_in = {c.present.get(), step.in.size()};
  c.ctx.out = c.out;
  c.ctx.weights = graph_.weights;
  c.ctx.blobs = graph_.blobs;
  c.ctx.variables = variable_views_;
  c.ctx.in_variable = c.in_variable;
  c.ctx.act_bias = options_.act_bias;
  c.ctx.tier = options_.tier;
  c.ctx.allow_xnnpack = options_.allow_xnnpack;
  return c;
}

// Prepared for one thread first, whose cost says how many are worth it; blocks and tasks are then
// made for that number.
Status Planner::ChooseImplementation(PrepareContext ctx, Step* step) {
  ctx.max_threads = 1;
  WHIT_RETURN_IF_ERROR(PrepareBest(ctx, step));
  if (step->prepared.cost_ns == 0) {
    step->prepared.cost_ns = kElementNs * static_cast<double>(step->prepared.macs);
  }
  const double cost_ns = step->prepared.cost_ns;
  ctx.max_threads = step->prepared.whole ? options_.threads : UsefulThreads(cost_ns);
  if (ctx.max_threads > 1) {
    step->why_not.clear();
    step->prepared = {};
    WHIT_RETURN_IF_ERROR(PrepareBest(ctx, step));
    step->prepared.cost_ns = cost_ns;
  }
  step->threads = step->prepared.whole ? 1
                                       : static_cast<int>(std::clamp<int64_t>(
                                             step->prepared.tasks, 1, ctx.max_threads));
  saved_ns_ += cost_ns * (1.0 - 1.0 / step->threads);
  return OkStatus();
}

Status Planner::PrepareBest(const PrepareContext& ctx, Step* step) {
  if (!options_.plain) {
    for (const Implementation& impl : AlternativesOf(ctx.type)) {
      if (!options_.kernel.empty() && options_.kernel != impl.name) continue;
      Prepared candidate;
      bool accepted = false;
      std::string why;
      WHIT_RETURN_IF_ERROR(impl.prepare(ctx, &candidate, &accepted, &why));
      if (accepted) {
        step->prepared = std::move(candidate);
        return OkStatus();
      }
      if (!step->why_not.empty()) step->why_not += "; ";
      step->why_not += std::string(impl.name) + ": " + why;
    }
  }
  return RowOf(ctx.type).prepare(ctx, &step->prepared);
}

Step Planner::MakeStep(int n) const {
  const NodeDef& node = graph_.nodes[static_cast<size_t>(n)];
  Step step;
  step.type = node.type;
  step.node = n;
  step.name = node.name;
  step.op = RowOf(node.type).name;
  for (int t : node.in) {
    step.in.push_back(SlotOf(t < 0 ? -1 : slot_tensor_[static_cast<size_t>(t)]));
  }
  for (int t : node.out) step.out.push_back(SlotOf(t));
  return step;
}

void Planner::KeepStep(Step step) {
  if (step.prepared.run == nullptr) {  // aliases need a body where they cannot share memory
    const bool in_place = step.prepared.in_place, alias = step.prepared.alias;
    step.prepared =
        PrepareCopy(plan_.tensors[static_cast<size_t>(step.in[0].tensor)].def.bytes());
    step.prepared.in_place = in_place;
    step.prepared.alias = alias;
  }
  plan_.macs = SaturatingAdd(plan_.macs, step.prepared.macs);
  plan_.steps.push_back(std::move(step));
}

Status Planner::AddNode(int n) {
  const NodeDef& node = graph_.nodes[static_cast<size_t>(n)];
  Step step = MakeStep(n);
  const NodeContext c = MakeContext(node, step);
  if (joins_[static_cast<size_t>(n)].producer >= 0) {
    WHIT_ASSIGN_OR_RETURN(const bool joined, JoinAdd(n, step, c.ctx));
    if (joined) return OkStatus();
  }
  WHIT_RETURN_IF_ERROR(ChooseImplementation(c.ctx, &step));
  KeepStep(std::move(step));
  return OkStatus();
}

// The producer of one operand is planned where the Add stands, and takes the Add over if its
// implementation can; else it comes right before the Add.
Result<bool> Planner::JoinAdd(int n, const Step& add, const PrepareContext& add_ctx) {
  const Join& join = joins_[static_cast<size_t>(n)];
  Prepared reference;  // the Add must be valid whoever computes it
  WHIT_RETURN_IF_ERROR(RowOf(OpType::kAdd).prepare(add_ctx, &reference));
  Step step = MakeStep(join.producer);
  NodeContext c = MakeContext(graph_.nodes[static_cast<size_t>(join.producer)], step);
  c.ctx.joined_add = &add_ctx;
  c.ctx.joined_operand = join.operand;
  WHIT_RETURN_IF_ERROR(ChooseImplementation(c.ctx, &step));
  const bool joined = step.prepared.joins_add;
  if (joined) {
    step.joined_node = n;
    step.op += "+Add";
    step.in.push_back(add.in[1 - join.operand]);
    step.out = add.out;
  }
  KeepStep(std::move(step));
  return joined;
}

// Adds whose operand is made by a product for them alone. The later of two such operands joins, so
// that nothing lives longer for it.
void Planner::FindJoins(const std::vector<int>& order) {
  joins_.assign(graph_.nodes.size(), {});
  is_joined_.assign(graph_.nodes.size(), false);
  if (options_.plain) return;
  std::vector<int> producer(graph_.tensors.size(), -1), place(graph_.nodes.size(), -1);
  std::vector<int> uses(graph_.tensors.size(), 0);
  for (size_t i = 0; i < order.size(); ++i) {
    const auto n = static_cast<size_t>(order[i]);
    place[n] = static_cast<int>(i);
    for (int t : graph_.nodes[n].out) producer[static_cast<size_t>(t)] = order[i];
    for (int t : graph_.nodes[n].in) {
      if (t >= 0) ++uses[static_cast<size_t>(t)];
    }
  }
  for (const IoDef& io : graph_.outputs) ++uses[static_cast<size_t>(io.tensor)];
  for (int n : order) {
    const NodeDef& add = graph_.nodes[static_cast<size_t>(n)];
    if (add.type != OpType::kAdd || add.in.size() != 2 || add.out.size() != 1) continue;
    for (size_t operand = 0; operand < 2; ++operand) {
      const int tensor = add.in[operand], other = add.in[1 - operand];
      if (tensor < 0 || other < 0 || tensor == other) continue;
      const int made_by = producer[static_cast<size_t>(tensor)];
      if (made_by < 0 || uses[static_cast<size_t>(tensor)] != 1) continue;
      const NodeDef& node = graph_.nodes[static_cast<size_t>(made_by)];
      if (node.type != OpType::kConv2D && node.type != OpType::kFullyConnected) continue;
      if (ReadsVariable(node)) continue;  // what it reads may be another value by then
      if (node.out.size() != 1 || !SameEightBitShape(tensor, other, add.out[0])) continue;
      Join& join = joins_[static_cast<size_t>(n)];
      if (join.producer >= 0 && place[static_cast<size_t>(join.producer)] >
                                    place[static_cast<size_t>(made_by)]) {
        continue;
      }
      join = {made_by, operand};
    }
    const Join& join = joins_[static_cast<size_t>(n)];
    if (join.producer >= 0) is_joined_[static_cast<size_t>(join.producer)] = true;
  }
}

bool Planner::ReadsVariable(const NodeDef& node) const {
  return std::any_of(node.in.begin(), node.in.end(), [&](int t) {
    return t >= 0 && graph_.tensors[static_cast<size_t>(t)].variable >= 0;
  });
}

bool Planner::SameEightBitShape(int a, int b, int c) const {
  const auto fits = [&](int t) {
    const TensorDef& def = graph_.tensors[static_cast<size_t>(t)];
    return def.biased() && def.constant == nullptr && def.variable < 0 &&
           def.shape == graph_.tensors[static_cast<size_t>(c)].shape;
  };
  return fits(a) && fits(b) && fits(c);
}

int Planner::Root(int tensor) const {
  while (root_[static_cast<size_t>(tensor)] != tensor) tensor = root_[static_cast<size_t>(tensor)];
  return tensor;
}

// Reshapes and the like share their input's memory; such a step disappears.
void Planner::ResolveAliases() {
  root_.resize(plan_.tensors.size());
  for (size_t t = 0; t < root_.size(); ++t) root_[t] = static_cast<int>(t);
  if (options_.plain) return;
  std::vector<Step> kept;
  for (Step& step : plan_.steps) {
    const bool variable =
        step.prepared.alias && !step.in.empty() && step.in[0].tensor >= 0 &&
        plan_.tensors[static_cast<size_t>(Root(step.in[0].tensor))].def.variable >= 0;
    if (step.prepared.alias && !variable) {
      root_[static_cast<size_t>(step.out[0].tensor)] = Root(step.in[0].tensor);
    } else {
      kept.push_back(std::move(step));
    }
  }
  plan_.steps = std::move(kept);
}

void Planner::FindUses() {
  first_def_.assign(plan_.tensors.size(), -1);
  last_use_.assign(plan_.tensors.size(), -1);
  for (size_t s = 0; s < plan_.steps.size(); ++s) {
    const auto step = static_cast<int64_t>(s);
    for (const Slot& slot : plan_.steps[s].in) {
      if (slot.tensor >= 0) last_use_[static_cast<size_t>(Root(slot.tensor))] = step;
    }
    for (const Slot& slot : plan_.steps[s].out) {
      if (slot.tensor < 0) continue;
      const auto root = static_cast<size_t>(Root(slot.tensor));
      if (first_def_[root] < 0) first_def_[root] = step;
      last_use_[root] = std::max(last_use_[root], step);
    }
  }
}

// An elementwise step may write over its first input if nobody reads that again.
void Planner::ResolveInPlace() {
  if (options_.plain) return;
  for (size_t s = 0; s < plan_.steps.size(); ++s) {
    Step& step = plan_.steps[s];
    const auto input = static_cast<size_t>(step.prepared.in_place_input);
    if (!step.prepared.in_place || step.out.size() != 1 || step.in.size() <= input) continue;
    if (step.in[input].tensor < 0) continue;
    const int from = Root(step.in[input].tensor), to = step.out[0].tensor;
    const PlannedTensor& source = plan_.tensors[static_cast<size_t>(from)];
    const bool owned = source.place.kind == Place::Kind::kNone && source.def.constant == nullptr &&
                       source.def.variable < 0 && input_of_[static_cast<size_t>(from)] < 0;
    const bool bound = plan_.tensors[static_cast<size_t>(to)].place.kind != Place::Kind::kNone;
    if (!owned || bound || Root(to) != to || LastUse(from) != static_cast<int64_t>(s)) continue;
    // The same bytes under another shape, or read in another order: they would be overwritten.
    const bool other_order = step.prepared.in_place_input != 0;
    const bool read_elsewhere = std::any_of(step.in.begin(), step.in.end(), [&](const Slot& slot) {
      if (&slot == &step.in[input] || slot.tensor < 0 || Root(slot.tensor) != from) return false;
      return other_order || slot.tensor != step.in[input].tensor;
    });
    if (read_elsewhere) continue;
    if (source.def.bytes() != plan_.tensors[static_cast<size_t>(to)].def.bytes()) continue;
    root_[static_cast<size_t>(to)] = from;
    last_use_[static_cast<size_t>(from)] = std::max(LastUse(from), LastUse(to));
  }
}

// Model outputs are written where the caller reads them; where that cannot be (an input, constant
// or variable handed through, another type, the same tensor twice), a copy is added.
void Planner::BindOutputs() {
  for (size_t i = 0; i < graph_.outputs.size(); ++i) {
    const IoDef& io = graph_.outputs[i];
    const int tensor = slot_tensor_[static_cast<size_t>(io.tensor)];
    const int root = Root(tensor);
    PlannedTensor& holder = plan_.tensors[static_cast<size_t>(root)];
    const bool produced = first_def_[static_cast<size_t>(root)] >= 0 && holder.def.variable < 0;
    const bool free = holder.place.kind == Place::Kind::kNone && holder.def.constant == nullptr &&
                      input_of_[static_cast<size_t>(root)] < 0;
    if (produced && free && io.type == plan_.tensors[static_cast<size_t>(tensor)].def.type) {
      holder.place.kind = Place::Kind::kOutput;
      holder.place.index = static_cast<int>(i);
      continue;
    }
    TensorDef copy = plan_.tensors[static_cast<size_t>(tensor)].def;
    copy.type = io.type;
    copy.constant = nullptr;
    copy.variable = -1;
    PlannedTensor target{std::move(copy), {}};
    target.place.kind = Place::Kind::kOutput;
    target.place.index = static_cast<int>(i);
    plan_.tensors.push_back(std::move(target));
    const int to = static_cast<int>(plan_.tensors.size()) - 1;
    root_.push_back(to);
    input_of_.push_back(-1);
    plan_.steps.push_back(MakeMove("(output conversion)", tensor, to));
  }
}

void Planner::PlaceTensors() {
  std::vector<BufferLife> lives;
  std::vector<size_t> owners;
  for (size_t t = 0; t < plan_.tensors.size(); ++t) {
    PlannedTensor& planned = plan_.tensors[t];
    if (root_[t] != static_cast<int>(t) || planned.place.kind != Place::Kind::kNone) continue;
    if (planned.def.constant != nullptr) {
      planned.place = {Place::Kind::kConstant, 0, -1, planned.def.constant};
    } else if (planned.def.variable >= 0) {
      planned.place = {Place::Kind::kVariable, 0, planned.def.variable, nullptr};
    } else if (input_of_[t] >= 0) {
      planned.place = {Place::Kind::kInput, 0, input_of_[t], nullptr};
    } else if (first_def_[t] >= 0) {
      lives.push_back({planned.def.bytes() + kSlack, static_cast<int32_t>(first_def_[t]),
                       static_cast<int32_t>(std::max(first_def_[t], last_use_[t]))});
      owners.push_back(t);
    }
  }
  const MemoryPlan memory = options_.plain ? PlanMemoryWithoutReuse(lives) : PlanMemory(lives);
  for (size_t i = 0; i < owners.size(); ++i) {
    plan_.tensors[owners[i]].place = {Place::Kind::kArena, memory.offsets[i], -1, nullptr};
  }
  plan_.tensor_bytes = memory.total;
}

void Planner::FillPlaces() {
  auto fill = [&](Slot& slot) {
    if (slot.tensor < 0) return;
    const auto tensor = static_cast<size_t>(slot.tensor);
    plan_.tensors[tensor].place = plan_.tensors[static_cast<size_t>(Root(slot.tensor))].place;
    slot.place = plan_.tensors[tensor].place;
    slot.view = ViewOf(plan_.tensors[tensor].def);  // the tensors' arrays have moved since
  };
  for (Step& step : plan_.steps) {
    std::for_each(step.in.begin(), step.in.end(), fill);
    std::for_each(step.out.begin(), step.out.end(), fill);
  }
}

// Exact: no step whose result may differ between devices lies on the way to an output.
void Planner::MarkExact() {
  std::vector<bool> inexact(plan_.tensors.size(), false);  // per root: its present contents
  auto is_inexact = [&](const Slot& slot) {
    return slot.tensor >= 0 && inexact[static_cast<size_t>(Root(slot.tensor))];
  };
  for (const Step& step : plan_.steps) {
    const bool tainted =
        !StepIsExact(step) || std::any_of(step.in.begin(), step.in.end(), is_inexact);
    for (const Slot& slot : step.out) {
      if (slot.tensor >= 0) inexact[static_cast<size_t>(Root(slot.tensor))] = tainted;
    }
  }
  plan_.exact = std::none_of(graph_.outputs.begin(), graph_.outputs.end(), [&](const IoDef& io) {
    return inexact[static_cast<size_t>(Root(slot_tensor_[static_cast<size_t>(io.tensor)]))];
  });
}

// n threads save cost * (1 - 1/n) and cost (n - 1) hand-outs: worth it for n up to the root of the
// quotient.
int Planner::UsefulThreads(double cost_ns) const {
  if (options_.split_always) return options_.threads;
  const double useful = std::sqrt(cost_ns / kThreadNs);
  return useful < 2 ? 1 : static_cast<int>(std::min<double>(options_.threads, useful));
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
  FindJoins(order);
  for (int n : order) {
    if (!is_joined_[static_cast<size_t>(n)]) WHIT_RETURN_IF_ERROR(AddNode(n));
  }
  ResolveAliases();
  FindUses();
  BindOutputs();
  FindUses();
  ResolveInPlace();
  PlaceTensors();
  FillPlaces();
  MarkExact();
  WHIT_RETURN_IF_ERROR(CheckBudget());
  return std::move(plan_);
}

}  // namespace

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
