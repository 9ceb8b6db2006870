// Where tensors lie: shared memory of aliases, in-place results and pieces of a concatenation, the
// caller's outputs, lifetimes and offsets.
#include <algorithm>
#include <utility>

#include "runtime/memory_planner.h"
#include "runtime/planner.h"
#include "schema/model_generated.h"

namespace whit {

namespace {

// Readable bytes behind every arena tensor, its own, so that an over-read never meets a write
// (docs/layout.md, 7).
constexpr uint64_t kSlack = 64;

// Of a node that its prepare has accepted.
int AxisOf(const NodeDef& concatenation) {
  return static_cast<int>(
      static_cast<const fbs::AxisOptions*>(concatenation.op->options())->axis());
}

}  // namespace

int Planner::Root(int tensor) const {
  while (root_[static_cast<size_t>(tensor)] != tensor) tensor = root_[static_cast<size_t>(tensor)];
  return tensor;
}

uint64_t Planner::OffsetInRoot(int tensor) const {
  uint64_t offset = 0;
  for (; root_[static_cast<size_t>(tensor)] != tensor;
       tensor = root_[static_cast<size_t>(tensor)]) {
    offset += root_offset_[static_cast<size_t>(tensor)];
  }
  return offset;
}

// Reshapes and the like share their input's memory; such a step disappears.
void Planner::ResolveAliases() {
  root_.resize(plan_.tensors.size());
  root_offset_.assign(plan_.tensors.size(), 0);
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
                       source.def.variable < 0 && !source.kept &&
                       input_of_[static_cast<size_t>(from)] < 0;
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
                      !holder.kept && input_of_[static_cast<size_t>(root)] < 0;
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
    root_offset_.push_back(0);
    input_of_.push_back(-1);
    plan_.steps.push_back(MakeMove("(output conversion)", tensor, to));
  }
}

// Whether input `input` of a concatenation can lie inside its output `whole` in one block: made by
// a step for this one alone, in memory of its own. (Another reader could over-read what its own
// step writes beside it.)
bool Planner::MayBePiece(const Step& concat, size_t input, int whole) const {
  const int tensor = concat.in[input].tensor, root = Root(tensor);
  const PlannedTensor& holder = plan_.tensors[static_cast<size_t>(root)];
  if (root == whole || holder.place.kind != Place::Kind::kNone || holder.def.variable >= 0 ||
      holder.def.constant != nullptr || holder.kept || input_of_[static_cast<size_t>(root)] >= 0 ||
      first_def_[static_cast<size_t>(root)] < 0 ||
      holder.def.bytes() != plan_.tensors[static_cast<size_t>(tensor)].def.bytes()) {
    return false;
  }
  int readers = 0;
  for (const Step& step : plan_.steps) {
    for (const Slot& slot : step.in) readers += slot.tensor >= 0 && Root(slot.tensor) == root;
  }
  return readers == 1;
}

// Concatenation as memory layout: its inputs are written where its output has them. What cannot is
// still copied by the step; a step with nothing to copy disappears.
void Planner::PlacePieces() {
  if (options_.plain) return;
  std::vector<Step> kept;
  for (Step& step : plan_.steps) {
    if (step.type != OpType::kConcatenation || Root(step.out[0].tensor) != step.out[0].tensor) {
      continue;
    }
    const int whole = step.out[0].tensor;
    const TensorDef& def = plan_.tensors[static_cast<size_t>(whole)].def;
    const int axis = AxisOf(graph_.nodes[static_cast<size_t>(step.node)]);
    const bool blocks = def.shape.Product(0, axis) == 1;
    uint64_t offset = 0;  // of the input in the first row
    for (size_t i = 0; i < step.in.size(); ++i) {
      const int tensor = step.in[i].tensor;
      const TensorDef& piece = plan_.tensors[static_cast<size_t>(tensor)].def;
      const uint64_t row_bytes =
          static_cast<uint64_t>(piece.shape.Product(axis, piece.shape.rank())) *
          DTypeSize(piece.type);
      const bool in_rows =
          static_cast<size_t>(tensor) < in_rows_.size() && in_rows_[static_cast<size_t>(tensor)];
      if (in_rows || (blocks && MayBePiece(step, i, whole))) {
        const auto root = static_cast<size_t>(Root(tensor));
        root_[root] = whole;
        root_offset_[root] = offset;
      }
      offset += row_bytes;
    }
  }
  for (Step& step : plan_.steps) {
    const bool done = step.type == OpType::kConcatenation &&
                      std::all_of(step.in.begin(), step.in.end(), [&](const Slot& slot) {
                        return Root(slot.tensor) == Root(step.out[0].tensor);
                      });
    if (!done) kept.push_back(std::move(step));
  }
  plan_.steps = std::move(kept);
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
      const int64_t last = planned.kept ? static_cast<int64_t>(plan_.steps.size())
                                        : std::max(first_def_[t], last_use_[t]);
      lives.push_back({planned.def.bytes() + kSlack,
                       planned.kept ? 0 : static_cast<int32_t>(first_def_[t]),
                       static_cast<int32_t>(last)});
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
    plan_.tensors[tensor].place.offset += OffsetInRoot(slot.tensor);
    slot.place = plan_.tensors[tensor].place;
    slot.view = ViewOf(plan_.tensors[tensor].def);  // the tensors' arrays have moved since
  };
  for (Step& step : plan_.steps) {
    std::for_each(step.in.begin(), step.in.end(), fill);
    std::for_each(step.out.begin(), step.out.end(), fill);
    if (step.prepared.strided_out) step.out[0].row_elems = RowElemsOf(step.out[0].tensor);
  }
}

}  // namespace whit
