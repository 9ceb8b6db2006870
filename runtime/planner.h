// The insides of BuildPlan.
#ifndef WHIT_RUNTIME_PLANNER_H_
#define WHIT_RUNTIME_PLANNER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/plan.h"

namespace whit {

struct TunedStep;

/// Turns a graph into a plan, one plan an object. Its methods are in plan.cc (order of work,
/// limits), plan_nodes.cc (nodes to steps) and plan_memory.cc (where tensors lie).
class Planner {
 public:
  Planner(const Graph& graph, const PlanOptions& options) : graph_(graph), options_(options) {}

  Result<Plan> Build();
  /// What several threads save of a run, estimated; waking them not counted.
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
  /// A tensor whose rows of the last axis are parts of the rows of a concatenation.
  struct Piece {
    int whole = -1;
    int64_t row_elems = 0;  // of the whole
  };
  struct NodeContext;

  Status AddNode(int n);
  Step MakeStep(int n) const;
  NodeContext MakeContext(const NodeDef& node, const Step& step) const;
  std::vector<BlobView> PlacesOf(const FileReads& reads) const;
  Status OpenReadsOf(const Step& step, const FileReads& reads) const;
  Status ChooseImplementation(PrepareContext ctx, Step* step);
  const TunedStep* TunedOf(int node) const;
  Status PrepareBest(const PrepareContext& ctx, Step* step);
  void KeepStep(Step step);
  void FindJoins(const std::vector<int>& order);
  bool ReadsVariable(const NodeDef& node) const;
  bool MayJoin(int a, int b, int c) const;
  std::vector<int> CountUses(const std::vector<int>& order) const;
  int64_t RowElemsOf(int tensor) const;
  void FindPieces(const std::vector<int>& order);
  Result<bool> JoinAdd(int n, const Step& add, const PrepareContext& add_ctx);
  Slot SlotOf(int tensor) const;
  Step MakeMove(const char* name, int from, int to);
  void ResolveAliases();
  void ResolveInPlace();
  void BindOutputs();
  void PlacePieces();
  bool MayBePiece(const Step& concat, size_t input, int whole) const;
  void PlaceTensors();
  void FillPlaces();
  void MarkExact();
  int UsefulThreads(double cost_ns) const;
  Status CheckBudget();
  int Root(int tensor) const;
  uint64_t OffsetInRoot(int tensor) const;
  int64_t LastUse(int root) const { return last_use_[static_cast<size_t>(root)]; }
  void FindUses();

  const Graph& graph_;
  const PlanOptions& options_;
  Plan plan_;
  std::vector<View> variable_views_;
  std::vector<int> slot_tensor_;  // graph tensor -> plan tensor that its readers use
  std::vector<Constant8> constants8_;
  double saved_ns_ = 0;
  std::vector<Piece> pieces_;    // per graph tensor: rows of a concatenation it could be written to
  std::vector<bool> in_rows_;    // per graph tensor: its producer writes it there
  std::vector<Join> joins_;      // per node: of an Add
  std::vector<bool> is_joined_;  // per node: planned where its Add stands
  std::vector<int> input_of_;    // plan tensor -> model input that fills it directly, or -1
  std::vector<uint64_t> root_offset_;          // bytes from the start of root_[tensor]
  std::vector<int> root_;                      // plan tensor -> tensor whose memory it shares
  std::vector<int64_t> first_def_, last_use_;  // per root, in steps
};

}  // namespace whit

#endif  // WHIT_RUNTIME_PLANNER_H_
