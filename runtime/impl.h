// The insides of Model and Runner, shared by the files of runtime/ and by white-box tests.
#ifndef WHIT_RUNTIME_IMPL_H_
#define WHIT_RUNTIME_IMPL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "platform/aligned_buffer.h"
#include "platform/thread_pool.h"
#include "runtime/constant_sums.h"
#include "runtime/graph.h"
#include "runtime/plan.h"
#include "runtime/scrubber.h"
#include "runtime/whit.h"
#include "schema/page_checker.h"
#include "schema/reader.h"
#include "schema/sealed_weights.h"

namespace whit {

struct Model::Impl {
  std::shared_ptr<const ModelFile> file;
  OpenOptions options;
  Graph graph;                               // with the file's default dimensions
  std::unique_ptr<const PageChecker> pages;  // null: no hash tree, or integrity is off
  std::unique_ptr<SealedWeights> sealed;     // null: the weights are plain
  std::unique_ptr<Scrubber> scrubber;        // null where `pages` is

  // What inputs() and outputs() hand out; the views borrow from the other members.
  std::vector<std::vector<int64_t>> input_shapes, output_shapes;
  std::vector<TensorView> inputs, outputs;
  std::vector<Normalization> normalizations;     // one an input
  std::vector<std::vector<std::string>> labels;  // one an output
};

/// Model inputs or outputs as the caller sees them, without data; names and `shapes` are borrowed
/// by the views.
std::vector<TensorView> InterfaceViews(const Graph& graph, const std::vector<IoDef>& ios,
                                       std::vector<std::vector<int64_t>>* shapes);

/// One step with every address resolved: what its threads share, written before the first run and
/// only read after it, so that no cache line of it travels between cores run after run.
struct BoundStep {
  std::vector<View> in, out;
  const Prepared* prepared = nullptr;
  RunContext ctx;  // but for tasks and scratch
  uint8_t* scratch = nullptr;
  uint64_t scratch_stride = 0;       // between threads
  uint8_t code = 0;                  // KernelCode of a thread that failed
  std::vector<PageRange> unchecked;  // pages of the file to check before the next run of this step
  std::vector<PageRange> sealed;     // pages of the weights to open for every run of it
};

struct Runner::Impl {
  Model model;
  RunnerOptions options;
  Graph graph;  // with the runner's dimensions
  Plan plan;
  std::unique_ptr<ThreadPool> pool;
  bool has_run = false;           // to the end: what is made once is there
  size_t last_parallel_step = 0;  // after it the workers sleep until the next run
  size_t first_parallel_step = SIZE_MAX;

  AlignedBuffer owned_arena;
  std::byte* arena = nullptr;  // tensors, scratch of each thread, variables, their snapshot
  std::vector<AlignedBuffer> input_buffers, output_buffers;
  std::vector<BoundStep> steps;
  std::vector<View> variables;
  uint8_t* scratch = nullptr;
  std::byte* variable_bytes = nullptr;
  std::byte* variable_snapshot = nullptr;

  std::vector<std::vector<int64_t>> input_shapes, output_shapes;
  std::vector<TensorView> inputs, outputs;

  std::string tuning_note;
  bool looks_at_data = false;  // Runner::time_depends_on_data
  ScrubBudget scrub;

  // Self-check: of every step; the step that failed, or kNoStep; runs that were repeated.
  static constexpr size_t kNoStep = SIZE_MAX;
  std::vector<ConstantSums> constants;
  size_t wrong_step = kNoStep;
  uint64_t repeated_runs = 0;

  explicit Impl(Model m) : model(std::move(m)) {}

  Status Allocate();
  Status Bind();
  void BindInterface();
  Status ResetVariables();
  void* AddressOf(const Place& place);
  KernelCode RunStep(size_t i);
  Status CheckPages(size_t step);
  Status OpenPages(size_t step, SealedWeights::Lease* lease);
  Status Run();
  Status RunSteps();
  Status RunChecked();
  Status RecordConstants();
  Status RepairStep(size_t step);
  Status Failed(size_t step, KernelCode code) const;
};

}  // namespace whit

#endif  // WHIT_RUNTIME_IMPL_H_
