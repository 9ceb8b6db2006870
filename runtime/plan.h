// From a graph to a list of steps with places in memory.
//
//   order -> (fuse) -> prepare every node -> aliases and in-place -> lifetimes -> offsets -> steps
//
// The plain plan (PlanOptions::plain) does none of that: file order, one buffer a tensor, reference
// kernels. It is the oracle of the planned one: same bytes.
#ifndef WHIT_RUNTIME_PLAN_H_
#define WHIT_RUNTIME_PLAN_H_

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "kernels/op.h"
#include "runtime/graph.h"
#include "runtime/whit.h"

namespace whit {

struct Tuning;

struct PlanOptions {
  int threads = 1;
  bool split_always = false;  // into all threads, whether it pays or not
  bool plain = false;
  bool allow_xnnpack = true;
  bool self_check = false;
  std::string kernel;                // forces an implementation where it exists
  const simd::Tier* tier = nullptr;  // null: scalar
  const Tuning* tuning = nullptr;    // choices that were measured for this plan, or null
  int32_t act_bias =
      0;  // 0: quantized 8-bit activations are stored as int8; 128: as uint8 (decisions.md 14)
  Budgets budgets;
  uint64_t ram_budget = 0;
  /// Sealed weights: makes these bytes, and no others, readable; empty: all are.
  std::function<Status(std::span<const BlobView>)> open_blobs;
  CheckBytes check_bytes;  // of weights that a plan reads itself (XNNPACK); empty: no need
};

/// Where the bytes of a tensor are while the plan runs.
struct Place {
  enum class Kind : uint8_t {
    kNone,
    kArena,
    kInput,
    kOutput,
    kConstant,
    kVariable
  } kind = Kind::kNone;
  uint64_t offset = 0;             // kArena, kOutput (a piece of it)
  int index = -1;                  // input, output or variable number
  const void* constant = nullptr;  // kConstant
};

/// One tensor slot of a step: the view without address, and the place.
struct Slot {
  View view;
  Place place;
  int tensor = -1;        // index into Plan::tensors, -1: absent
  int64_t row_elems = 0;  // an output's rows of the last axis lie this far apart; 0: no gaps
};

struct Step {
  Prepared prepared;
  OpType type = OpType::kNone;
  int node = -1;  // -1: a step the plan added (conversion, copy)
  std::string name;
  std::string op;  // "Conv2D", "Conv2D+Add"
  std::vector<Slot> in, out;
  std::vector<BlobView> reads;  // of the file, constants among `in` not counted
  std::string why_not;          // why no faster implementation was taken
  int joined_node = -1;         // the Add that this step computes too
  int threads = 1;
  bool exact = true;  // its result has the same bytes on every device
  bool once = false;  // its result stays in an arena of our own: only the first run runs it
};

/// "node 'conv1' (Conv2D)": as messages call a step.
inline std::string NameOf(const Step& step) { return "node '" + step.name + "' (" + step.op + ")"; }

/// A tensor of the plan: the graph's, with the plan's storage type and zero points.
struct PlannedTensor {
  TensorDef def;  // type uint8 and zero points shifted under bias 128
  Place place;
  bool kept = false;  // from run to run: a shifted constant
};

struct Plan {
  std::vector<PlannedTensor> tensors;
  std::vector<Step> steps;
  std::vector<TensorDef> variables;  // the graph's, in storage type; constants stay canonical
  uint64_t tensor_bytes = 0;         // arena: tensors
  uint64_t scratch_bytes = 0;        // arena: scratch of one thread
  uint64_t variable_bytes = 0;       // arena: variables, one copy
  bool snapshots_variables = false;  // a second copy, restored when a run fails
  uint64_t peak_bytes = 0;           // all of it, for all threads
  uint64_t heap_bytes = 0;  // beside the arena: copies that an implementation keeps (XNNPACK)
  int threads = 1;
  int64_t macs = 0;
  bool exact = true;
};

Result<Plan> BuildPlan(const Graph& graph, const PlanOptions& options);

}  // namespace whit

#endif  // WHIT_RUNTIME_PLAN_H_
