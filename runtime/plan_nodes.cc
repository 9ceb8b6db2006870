// Nodes to steps: storage of tensors, implementations, threads, operators that join others.
#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "runtime/copy_steps.h"
#include "runtime/planner.h"
#include "runtime/tuning.h"
#include "schema/model_generated.h"

namespace whit {

namespace {

// What is not a product touches each of its `macs` elements in about this time.
constexpr double kElementNs = 1.0;

// A step is split where that saves more than handing it out and waiting for the last thread cost:
// about this much for each further thread (pthreadpool's spinning workers, measured: 0.6 us where
// cores share a cache, 2.5 us where they do not, activations of the other core included).
constexpr double kThreadNs = 3000;

int64_t SaturatingAdd(int64_t a, int64_t b) {
  return b > std::numeric_limits<int64_t>::max() - a ? std::numeric_limits<int64_t>::max() : a + b;
}

// A table that may be large and of which a few rows are read: the operator shifts those.
bool ShiftsItself(const NodeDef& node, size_t input) {
  return node.type == OpType::kGather && input == 0;
}

TensorDef Shifted(TensorDef def, int32_t act_bias) {
  if (act_bias != 0 && def.biased()) {
    def.type = DType::kUint8;
    for (int32_t& z : def.zero_point) z += act_bias;
  }
  return def;
}

}  // namespace

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
      const NodeDef& node = graph_.nodes[static_cast<size_t>(n)];
      for (size_t i = 0; i < node.in.size(); ++i) {
        if (node.in[i] >= 0 && !ShiftsItself(node, i)) read[static_cast<size_t>(node.in[i])] = true;
      }
    }
    for (const IoDef& io : graph_.outputs) read[static_cast<size_t>(io.tensor)] = true;
    for (size_t t = 0; t < graph_.tensors.size(); ++t) {
      const TensorDef& def = graph_.tensors[t];
      if (def.constant == nullptr || !def.biased()) continue;
      TensorDef shifted = plan_.tensors[t].def;
      shifted.constant = nullptr;
      plan_.tensors[t].def = def;  // the source stays canonical
      if (!read[t]) continue;
      constants8_.push_back({static_cast<int>(t), static_cast<int>(plan_.tensors.size())});
      slot_tensor_[t] = constants8_.back().shifted;
      plan_.tensors.push_back({std::move(shifted), {}, /*kept=*/true});
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
  step.why_not = "bytes move at the speed of memory";
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
    plan_.steps.push_back(MakeMove("(constant conversion, first run)", c.tensor, c.shifted));
    plan_.steps.back().once = true;
  }
}

// A node as its kernel's prepare sees it. Owns what the context borrows.
struct Planner::NodeContext {
  PrepareContext ctx;
  std::vector<View> in, out;
  std::vector<int> in_variable;
  std::unique_ptr<bool[]> present;
  std::unique_ptr<FileReads> reads = std::make_unique<FileReads>();
  std::unique_ptr<OpenReads> open_reads;
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
  if (step.out.size() == 1) c.ctx.out_row_elems = RowElemsOf(step.out[0].tensor);
  c.ctx.allow_xnnpack = options_.allow_xnnpack;
  c.ctx.self_check = options_.self_check;
  c.ctx.reads = c.reads.get();
  if (options_.open_blobs) {
    c.open_reads = std::make_unique<OpenReads>(
        [this, &step](const FileReads& reads) { return OpenReadsOf(step, reads); });
    c.ctx.open_reads = c.open_reads.get();
  }
  if (options_.check_bytes) c.ctx.check_bytes = &options_.check_bytes;
  return c;
}

// Where the bytes lie that a node's prepare asked for, each once.
std::vector<BlobView> Planner::PlacesOf(const FileReads& reads) const {
  std::vector<BlobView> places;
  const auto add = [&](const BlobView& blob) {
    for (const BlobView& known : places) {
      if (known.data == blob.data) return;
    }
    places.push_back(blob);
  };
  for (int w : reads.weights) {
    for (const BlobView& blob : graph_.weight_blobs[static_cast<size_t>(w)]) add(blob);
  }
  for (int b : reads.blobs) add(graph_.blobs[static_cast<size_t>(b)]);
  return places;
}

// All but the packed arrays, which are large and which no prepare looks into.
Status Planner::OpenReadsOf(const Step& step, const FileReads& reads) const {
  std::vector<BlobView> places = PlacesOf(reads);
  for (int w : reads.weights) {
    std::erase_if(places, [&](const BlobView& blob) {
      return blob.data == graph_.weights[static_cast<size_t>(w)].data;
    });
  }
  for (const Slot& slot : step.in) {
    if (slot.place.kind == Place::Kind::kConstant)
      places.push_back({slot.place.constant, slot.view.bytes()});
  }
  return options_.open_blobs(places).WithContext(NameOf(step));
}

// Prepared for one thread first, whose cost says how many are worth it; blocks and tasks are then
// made for that number.
Status Planner::ChooseImplementation(PrepareContext ctx, Step* step) {
  const TunedStep* tuned = TunedOf(step->node);
  if (tuned != nullptr) ctx.block_shift = tuned->block_shift;
  ctx.max_threads = 1;
  WHIT_RETURN_IF_ERROR(PrepareBest(ctx, step));
  if (step->prepared.cost_ns == 0) {
    step->prepared.cost_ns = kElementNs * static_cast<double>(step->prepared.macs);
  }
  const double cost_ns = step->prepared.cost_ns;
  ctx.max_threads = step->prepared.whole ? options_.threads : UsefulThreads(cost_ns);
  if (tuned != nullptr) ctx.max_threads = std::min(tuned->threads, options_.threads);
  if (ctx.max_threads > 1) {
    step->why_not.clear();
    step->prepared = {};
    WHIT_RETURN_IF_ERROR(PrepareBest(ctx, step));
    step->prepared.cost_ns = cost_ns;
  }
  step->threads =
      step->prepared.whole
          ? 1
          : static_cast<int>(std::clamp<int64_t>(step->prepared.tasks, 1, ctx.max_threads));
  saved_ns_ += cost_ns * (1.0 - 1.0 / step->threads) - kThreadNs * (step->threads - 1);
  return OkStatus();
}

// Inputs of a concatenation along the last axis that nobody else reads: a producer that can leave
// gaps between its rows writes them where the concatenation wants them.
void Planner::FindPieces(const std::vector<int>& order) {
  pieces_.assign(graph_.tensors.size(), {});
  in_rows_.assign(graph_.tensors.size(), false);
  if (options_.plain) return;
  const std::vector<int> uses = CountUses(order);
  for (int n : order) {
    const NodeDef& node = graph_.nodes[static_cast<size_t>(n)];
    if (node.type != OpType::kConcatenation || node.out.size() != 1) continue;
    const TensorDef& whole = graph_.tensors[static_cast<size_t>(node.out[0])];
    const auto* options = static_cast<const fbs::AxisOptions*>(node.op->options());
    if (options == nullptr || static_cast<int>(options->axis()) + 1 != whole.shape.rank()) continue;
    for (int t : node.in) {
      if (t < 0 || uses[static_cast<size_t>(t)] != 1) continue;
      const TensorDef& def = graph_.tensors[static_cast<size_t>(t)];
      if (def.constant != nullptr || def.variable >= 0 || def.shape.rank() == 0) continue;
      pieces_[static_cast<size_t>(t)] = {node.out[0], whole.shape.back()};
    }
  }
}

// How often nodes read each tensor, and the caller.
std::vector<int> Planner::CountUses(const std::vector<int>& order) const {
  std::vector<int> uses(graph_.tensors.size(), 0);
  for (int n : order) {
    for (int t : graph_.nodes[static_cast<size_t>(n)].in) {
      if (t >= 0) ++uses[static_cast<size_t>(t)];
    }
  }
  for (const IoDef& io : graph_.outputs) ++uses[static_cast<size_t>(io.tensor)];
  return uses;
}

const TunedStep* Planner::TunedOf(int node) const {
  if (options_.tuning == nullptr || options_.plain) return nullptr;
  const auto& steps = options_.tuning->steps;
  const auto found = std::lower_bound(steps.begin(), steps.end(), node,
                                      [](const TunedStep& s, int n) { return s.node < n; });
  return found != steps.end() && found->node == node ? &*found : nullptr;
}

Status Planner::PrepareBest(const PrepareContext& ctx, Step* step) {
  const TunedStep* tuned = TunedOf(step->node);
  if (tuned != nullptr && options_.kernel.empty()) {
    // The tuned implementation first; where it no longer accepts, the table in its order.
    for (const Implementation& impl : AlternativesOf(ctx.type)) {
      if (tuned->implementation != impl.name) continue;
      bool accepted = false;
      std::string why;
      WHIT_RETURN_IF_ERROR(impl.prepare(ctx, &step->prepared, &accepted, &why));
      if (accepted) return OkStatus();
      step->prepared = {};
    }
  }
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
  if (step->why_not.empty()) {
    step->why_not = options_.plain             ? "a plain plan was asked for"
                    : !options_.kernel.empty() ? "'" + options_.kernel + "' was asked for"
                                               : "the reference is all there is for this operator";
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

// Only tensors of the graph are pieces.
int64_t Planner::RowElemsOf(int tensor) const {
  return static_cast<size_t>(tensor) < pieces_.size()
             ? pieces_[static_cast<size_t>(tensor)].row_elems
             : 0;
}

void Planner::KeepStep(Step step) {
  if (step.prepared.strided_out) in_rows_[static_cast<size_t>(step.out[0].tensor)] = true;
  if (step.prepared.run == nullptr) {  // aliases need a body where they cannot share memory
    const bool in_place = step.prepared.in_place, alias = step.prepared.alias;
    step.prepared = PrepareCopy(plan_.tensors[static_cast<size_t>(step.in[0].tensor)].def.bytes());
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
  step.reads = PlacesOf(*c.reads);
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
  c.ctx.out_row_elems = add_ctx.out_row_elems;
  c.ctx.joined_operand = join.operand;
  WHIT_RETURN_IF_ERROR(ChooseImplementation(c.ctx, &step));
  const bool joined = step.prepared.joins_add;
  if (!joined && step.prepared.strided_out) {  // the gaps were for the Add's output
    c.ctx.out_row_elems = 0;
    step.prepared = {};
    WHIT_RETURN_IF_ERROR(ChooseImplementation(c.ctx, &step));
  }
  step.reads = PlacesOf(*c.reads);
  if (joined) {
    step.joined_node = n;
    step.prepared.macs =
        SaturatingAdd(step.prepared.macs, reference.macs);  // a budget sees no fusion
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
  const std::vector<int> uses = CountUses(order);
  for (size_t i = 0; i < order.size(); ++i) {
    const auto n = static_cast<size_t>(order[i]);
    place[n] = static_cast<int>(i);
    for (int t : graph_.nodes[n].out) producer[static_cast<size_t>(t)] = order[i];
  }
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
      if (node.out.size() != 1 || !MayJoin(tensor, other, add.out[0])) continue;
      Join& join = joins_[static_cast<size_t>(n)];
      if (join.producer >= 0 &&
          place[static_cast<size_t>(join.producer)] > place[static_cast<size_t>(made_by)]) {
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

// 8-bit quantized or float32, all of one shape and type.
bool Planner::MayJoin(int a, int b, int c) const {
  const auto fits = [&](int t) {
    const TensorDef& def = graph_.tensors[static_cast<size_t>(t)];
    return def.type == graph_.tensors[static_cast<size_t>(c)].type &&
           (def.biased() || def.type == DType::kFloat32) && def.constant == nullptr &&
           def.variable < 0 && def.shape == graph_.tensors[static_cast<size_t>(c)].shape;
  };
  return fits(a) && fits(b) && fits(c);
}

// n threads save cost * (1 - 1/n) and cost n - 1 hand-outs; one more is worth it while it saves
// more than its own.
int Planner::UsefulThreads(double cost_ns) const {
  if (options_.split_always) return options_.threads;
  int n = 1;
  while (n < options_.threads && cost_ns / (static_cast<double>(n) * (n + 1)) > kThreadNs) ++n;
  return n;
}

}  // namespace whit
