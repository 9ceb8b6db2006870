#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "platform/clock.h"
#include "runtime/check_pages.h"
#include "runtime/impl.h"
#include "runtime/step_pages.h"
#include "runtime/tiers.h"
#include "runtime/tuning.h"

namespace whit {

namespace {

void RunRange(void* arg, int thread, int64_t begin, int64_t end) {
  BoundStep& step = *static_cast<BoundStep*>(arg);
  RunContext ctx = step.ctx;
  ctx.tasks = {begin, end};
  ctx.scratch = step.scratch + step.scratch_stride * static_cast<uint64_t>(thread);
  const KernelCode code = step.prepared->run(ctx);
  if (code != KernelCode::kOk) {
    std::atomic_ref(step.code).store(static_cast<uint8_t>(code), std::memory_order_relaxed);
  }
}

const char* Describe(KernelCode code) {
  switch (code) {
    case KernelCode::kIndexOutOfRange:
      return "an index in its input data is out of range";
    case KernelCode::kDivisionByZero:
      return "integer division by zero in its input data";
    case KernelCode::kNoMemory:
      return "the backend library ran out of memory";
    case KernelCode::kBackendFailed:
      return "the backend library reported an error";
    case KernelCode::kCheckFailed:
      return "the sum of its products is not what its weights and inputs say";
    case KernelCode::kOk:
      break;
  }
  return "no error";
}

// Of the first parallel step, per thread.
constexpr int kPortionsOfLate = 8;

constexpr const char* kTuningUsed = "used";

// Whether a tuning is for this very case, or what it is for.
std::string TuningNote(const Tuning& tuning, const ModelFile& file, const simd::Tier& tier,
                       int threads) {
  if (tuning.model != ModelDigest(file)) return "not used: made for another model";
  if (tuning.cpu != CpuDigest()) return "not used: made on another CPU";
  if (tuning.tier != tier.name) return "not used: made for tier " + tuning.tier;
  if (tuning.threads != threads) {
    return "not used: made for " + std::to_string(tuning.threads) + " threads";
  }
  return kTuningUsed;
}

// A fresh variable holds its initial value, else the real value 0.
void FillInitial(const TensorDef& def, std::byte* to) {
  const size_t n = def.bytes();
  if (def.constant != nullptr) {
    std::memcpy(to, def.constant, n);
    if (def.type == DType::kUint8 && !def.scale.empty()) {  // stored canonical int8
      for (size_t i = 0; i < n; ++i) to[i] ^= std::byte{0x80};
    }
    return;
  }
  const int32_t zero = def.zero_point.size() == 1 ? def.zero_point[0] : 0;
  if (DTypeSize(def.type) == 1) {
    std::memset(to, zero & 0xff, n);
  } else if (def.type == DType::kInt16) {
    auto* values = reinterpret_cast<int16_t*>(to);
    std::fill(values, values + n / 2, static_cast<int16_t>(zero));
  } else {
    std::memset(to, 0, n);
  }
}

}  // namespace

Status Runner::Impl::Allocate() {
  const uint64_t need = plan.peak_bytes;
  if (!options.arena.empty()) {
    if (options.arena.size() < need ||
        reinterpret_cast<uintptr_t>(options.arena.data()) % kBufferAlignment != 0) {
      return Status(StatusCode::kInvalidArgument, "the arena must be 64-aligned and hold " +
                                                      std::to_string(need) + " bytes, it has " +
                                                      std::to_string(options.arena.size()));
    }
    arena = options.arena.data();
  } else {
    WHIT_ASSIGN_OR_RETURN(owned_arena, AlignedBuffer::Allocate(need));
    arena = owned_arena.data();
  }
  auto allocate_io = [&](const std::vector<IoDef>& ios,
                         std::vector<AlignedBuffer>* buffers) -> Status {
    for (const IoDef& io : ios) {
      const uint64_t bytes = graph.tensors[static_cast<size_t>(io.tensor)].bytes();
      WHIT_ASSIGN_OR_RETURN(AlignedBuffer buffer,
                            AlignedBuffer::Allocate(bytes + kBufferAlignment));
      std::memset(buffer.data(), 0, buffer.size());
      buffers->push_back(std::move(buffer));
    }
    return OkStatus();
  };
  WHIT_RETURN_IF_ERROR(allocate_io(graph.inputs, &input_buffers));
  return allocate_io(graph.outputs, &output_buffers);
}

void* Runner::Impl::AddressOf(const Place& place) {
  const auto index = static_cast<size_t>(place.index);
  switch (place.kind) {
    case Place::Kind::kArena:
      return arena + place.offset;
    case Place::Kind::kInput:
      return input_buffers[index].data();
    case Place::Kind::kOutput:
      return output_buffers[index].data() + place.offset;
    case Place::Kind::kConstant:
      return const_cast<void*>(place.constant);
    case Place::Kind::kVariable:
      return variables[index].data;
    case Place::Kind::kNone:
      break;
  }
  return nullptr;
}

Status Runner::Impl::Bind() {
  std::byte* at = arena + plan.tensor_bytes;
  scratch = reinterpret_cast<uint8_t*>(at);
  at += plan.scratch_bytes * static_cast<uint64_t>(plan.threads);
  variable_bytes = at;
  for (const TensorDef& def : plan.variables) {
    View view = ViewOf(def);
    view.data = at;
    at += AlignUp(def.bytes());
    variables.push_back(view);
  }
  if (plan.snapshots_variables) variable_snapshot = at;
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    if (plan.steps[i].threads <= 1) continue;
    if (first_parallel_step > i) first_parallel_step = i;
    last_parallel_step = i;
  }
  for (const Step& step : plan.steps) {
    BoundStep bound;
    auto bind = [&](const Slot& slot) {
      View view = slot.view;
      view.data = AddressOf(slot.place);
      return view;
    };
    for (const Slot& slot : step.in) bound.in.push_back(bind(slot));
    for (const Slot& slot : step.out) bound.out.push_back(bind(slot));
    bound.prepared = &step.prepared;
    bound.ctx.params = step.prepared.params.get();
    bound.ctx.in = bound.in, bound.ctx.out = bound.out;
    bound.ctx.variables = variables;
    if (step.prepared.whole && pool != nullptr) bound.ctx.thread_pool = pool->native();
    bound.scratch = scratch, bound.scratch_stride = plan.scratch_bytes;
    if (const PageChecker* pages = model.impl()->pages.get(); pages != nullptr)
      bound.unchecked = PagesOf(step, *pages);
    if (SealedWeights* sealed = model.impl()->sealed.get(); sealed != nullptr) {
      bound.sealed = PagesOf(step, *sealed);
      Status fits = sealed->Fit(bound.sealed);
      if (!fits.ok()) return std::move(fits).WithContext(NameOf(step));
    }
    steps.push_back(std::move(bound));
  }
  return ResetVariables();
}

void Runner::Impl::BindInterface() {
  inputs = InterfaceViews(graph, graph.inputs, &input_shapes);
  outputs = InterfaceViews(graph, graph.outputs, &output_shapes);
  auto attach = [&](std::vector<TensorView>& views, const std::vector<IoDef>& ios,
                    std::vector<AlignedBuffer>& buffers) {
    for (size_t i = 0; i < views.size(); ++i) {
      const size_t bytes = graph.tensors[static_cast<size_t>(ios[i].tensor)].bytes();
      views[i].data = {buffers[i].data(), bytes};
    }
  };
  attach(inputs, graph.inputs, input_buffers);
  attach(outputs, graph.outputs, output_buffers);
}

Status Runner::Impl::ResetVariables() {
  SealedWeights* sealed = model.impl()->sealed.get();
  for (size_t i = 0; i < plan.variables.size(); ++i) {
    const TensorDef& def = plan.variables[i];
    SealedWeights::Lease lease;
    if (sealed != nullptr && def.constant != nullptr) {
      const PageRange pages =
          sealed->PagesOf({static_cast<const std::byte*>(def.constant), def.bytes()});
      WHIT_ASSIGN_OR_RETURN(lease, sealed->Take({&pages, 1}, pool.get()));
    }
    FillInitial(def, static_cast<std::byte*>(variables[i].data));
  }
  return OkStatus();
}

// Before the first run of a step, and never again: on all threads, as nobody else runs yet.
Status Runner::Impl::CheckPages(size_t i) {
  BoundStep& step = steps[i];
  for (const PageRange& range : step.unchecked) {
    Status status = CheckInParallel(*model.impl()->pages, range, pool.get());
    if (!status.ok()) return std::move(status).WithContext(NameOf(plan.steps[i]));
  }
  step.unchecked.clear();
  return OkStatus();
}

// Before every run of a step with sealed weights, for as long as the lease lives.
Status Runner::Impl::OpenPages(size_t i, SealedWeights::Lease* lease) {
  auto taken = model.impl()->sealed->Take(steps[i].sealed, pool.get());
  if (!taken.ok()) return Status(taken.status()).WithContext(NameOf(plan.steps[i]));
  *lease = std::move(taken).value();
  return OkStatus();
}

KernelCode Runner::Impl::RunStep(size_t i) {
  const Step& step = plan.steps[i];
  BoundStep& bound = steps[i];
  if (step.prepared.whole || step.threads <= 1 || pool == nullptr) {
    RunRange(&bound, 0, 0, step.prepared.tasks);
  } else {
    // Workers sleep between runs and come late to the first step: small portions let this thread
    // take more of it. Later ones are dealt out evenly.
    const int64_t portions = step.threads * (i == first_parallel_step ? kPortionsOfLate : 1);
    const int64_t grain = (step.prepared.tasks + portions - 1) / portions;
    // Scratch is there for the plan's threads, which may be fewer than the pool's.
    pool->ParallelFor(step.prepared.tasks, grain, &RunRange, &bound, i == last_parallel_step,
                      step.threads);
  }
  const auto code = static_cast<KernelCode>(bound.code);
  if (code != KernelCode::kOk) bound.code = 0;
  return code;
}

Status Runner::Impl::Failed(size_t step, KernelCode code) const {
  const Step& s = plan.steps[step];
  const StatusCode status =
      code == KernelCode::kCheckFailed ? StatusCode::kIntegrity : StatusCode::kRuntime;
  return Status(status, NameOf(s) + ": " + Describe(code));
}

// The scrubber before the run, from what runs before it have earned: where a page cannot be
// repaired, nothing is computed with it.
Status Runner::Impl::Run() {
  if (!scrub.on()) return options.self_check ? RunChecked() : RunSteps();
  WHIT_RETURN_IF_ERROR(scrub.Spend(model.impl()->scrubber.get()));
  const uint64_t start = NowNs();
  Status status = options.self_check ? RunChecked() : RunSteps();
  scrub.Earn(NowNs() - start);
  return status;
}

// What is wrong may be a constant, which is repaired, or was an accident of one run. The whole run
// is repeated: a step that works in place has no input any more.
Status Runner::Impl::RunChecked() {
  wrong_step = kNoStep;
  Status first = RunSteps();
  if (wrong_step == kNoStep) return first;
  ++repeated_runs;
  if (const auto& log = model.impl()->options.log; log) {
    log(kLogWarning, first.message() + "; the run is repeated");
  }
  WHIT_RETURN_IF_ERROR(RepairStep(std::exchange(wrong_step, kNoStep)));
  Status second = RunSteps();
  if (wrong_step == kNoStep) return second;
  return std::move(second).WithContext(
      "self-check failed twice, so it is no passing accident; test this machine's memory");
}

Status Runner::Impl::RepairStep(size_t i) {
  Scrubber* scrubber = model.impl()->scrubber.get();
  if (scrubber == nullptr) return OkStatus();
  for (const PageRange& range : PagesOf(plan.steps[i], *model.impl()->pages)) {
    auto report = scrubber->ScrubRange(range);
    if (!report.ok()) return Status(report.status()).WithContext(NameOf(plan.steps[i]));
  }
  return OkStatus();
}

// All pages are checked now: what is recorded must be right. What a step proves by its own sums is
// left out.
Status Runner::Impl::RecordConstants() {
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    WHIT_RETURN_IF_ERROR(CheckPages(i));
    const Step& step = plan.steps[i];
    ConstantSums& sums = constants.emplace_back();
    const auto add = [&](const void* data, size_t size) {
      const std::span bytes(static_cast<const std::byte*>(data), size);
      if (step.prepared.proved.data() != bytes.data()) sums.Add(bytes);
    };
    if (step.once) continue;  // read by the first run alone
    for (const BlobView& blob : step.reads) add(blob.data, blob.bytes);
    for (const Slot& slot : step.in) {
      if (slot.place.kind == Place::Kind::kConstant) add(slot.place.constant, slot.view.bytes());
    }
  }
  return OkStatus();
}

Status Runner::Impl::RunSteps() {
  FloatEnvGuard float_env;
  if (variable_snapshot != nullptr)
    std::memcpy(variable_snapshot, variable_bytes, plan.variable_bytes);
  auto restore = [&] {
    if (variable_snapshot != nullptr)
      std::memcpy(variable_bytes, variable_snapshot, plan.variable_bytes);
  };
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    // A caller's arena may serve others between the runs.
    if (plan.steps[i].once && has_run && options.arena.empty()) continue;
    if (options.cancel != nullptr && *options.cancel) {
      restore();
      return Status(StatusCode::kCancelled, "cancelled before step " + std::to_string(i) + " of " +
                                                std::to_string(plan.steps.size()));
    }
    if (!steps[i].unchecked.empty()) {
      Status status = CheckPages(i);
      if (!status.ok()) {
        restore();
        return status;
      }
    }
    SealedWeights::Lease lease;
    if (!steps[i].sealed.empty()) {
      Status status = OpenPages(i, &lease);
      if (!status.ok()) {
        restore();
        return status;
      }
    }
    const uint64_t start = options.profile ? NowNs() : 0;
    const KernelCode code = RunStep(i);
    if (code != KernelCode::kOk) {
      restore();
      if (code == KernelCode::kCheckFailed) wrong_step = i;
      return Failed(i, code);
    }
    if (!constants.empty() && !constants[i].StillHold()) {
      restore();
      wrong_step = i;
      return Status(StatusCode::kIntegrity,
                    NameOf(plan.steps[i]) + ": a constant that it reads changed in memory");
    }
    if (options.profile) {
      const Step& step = plan.steps[i];
      options.profile({i, step.name, step.op, step.prepared.implementation, step.prepared.tier,
                       NowNs() - start, step.prepared.macs});
    }
  }
  has_run = true;
  return OkStatus();
}

Result<Runner> Runner::Create(const Model& model, const RunnerOptions& options) {
  auto impl = std::make_unique<Impl>(model);
  impl->options = options;
  if (options.threads < 1) {
    return Status(StatusCode::kInvalidArgument,
                  "threads must be at least 1, not " + std::to_string(options.threads));
  }
  if (!(options.scrub_share >= 0 && options.scrub_share <= 1)) {
    return Status(StatusCode::kInvalidArgument,
                  "scrub_share is a share of a run's time, 0 to 1, not " +
                      std::to_string(options.scrub_share));
  }
  if (options.self_check && model.impl()->sealed != nullptr) {
    return Status(
        StatusCode::kUnsupported,
        "self_check reads all constants at any time, and those of a sealed model are open "
        "for their step alone; leave one of the two");
  }
  if (model.impl()->scrubber != nullptr) impl->scrub = ScrubBudget(options.scrub_share);
  WHIT_ASSIGN_OR_RETURN(const simd::Tier* tier, SelectTier(options.isa));
  WHIT_ASSIGN_OR_RETURN(impl->graph, BuildGraph(*model.impl()->file, options.dims));
  PlanOptions plan;
  plan.threads = options.threads;
  plan.split_always = options.split_always;
  plan.plain = options.plain;
  if (!options.plain) {
    plan.tier = options.any_data ? &simd::ForAnyData(*tier) : tier;
    plan.act_bias = tier->act_bias;
    impl->looks_at_data = plan.tier->kernels != nullptr && plan.tier->kernels->sums_in_16_bits &&
                          !plan.tier->kernels->any_data;
  }
  // XNNPACK copies weights into memory of its own, so it stays away where the caller counts bytes
  // or has them checked (decisions.md 22), and never has those of a sealed model.
  plan.allow_xnnpack = options.xnnpack == Xnnpack::kAuto && options.arena.empty() &&
                       options.ram_budget == 0 && !options.self_check &&
                       model.impl()->sealed == nullptr;
  plan.self_check = options.self_check;
  plan.kernel = options.kernel;
  plan.budgets = model.impl()->options.budgets;
  plan.ram_budget = options.ram_budget;
  if (const PageChecker* pages = model.impl()->pages.get(); pages != nullptr) {
    plan.check_bytes = [pages](std::span<const std::byte> bytes) {
      return pages->CheckBytes(bytes);
    };
    for (const TensorDef& v : impl->graph.variables) {  // initial values are copied below
      if (v.constant == nullptr) continue;
      WHIT_RETURN_IF_ERROR(
          pages->CheckBytes({static_cast<const std::byte*>(v.constant), v.bytes()}));
    }
  }
  SealedWeights::Lease lease;
  if (SealedWeights* sealed = model.impl()->sealed.get(); sealed != nullptr) {
    lease = sealed->Lock();
    plan.open_blobs = OpenerOf(sealed);
  }
  Tuning tuning;
  if (!options.tuning.empty() && !options.plain) {
    WHIT_ASSIGN_OR_RETURN(tuning, ParseTuning(options.tuning, impl->graph.nodes.size()));
    impl->tuning_note = TuningNote(tuning, *model.impl()->file, *tier, options.threads);
    if (impl->tuning_note == kTuningUsed) plan.tuning = &tuning;
  }
  WHIT_ASSIGN_OR_RETURN(impl->plan, BuildPlan(impl->graph, plan));
  lease = {};
  if (impl->plan.threads > 1 || (plan.allow_xnnpack && options.threads > 1)) {
    WHIT_ASSIGN_OR_RETURN(impl->pool, ThreadPool::Create(options.threads));
  }
  WHIT_RETURN_IF_ERROR(impl->Allocate());
  WHIT_RETURN_IF_ERROR(impl->Bind());
  impl->BindInterface();
  if (options.self_check) WHIT_RETURN_IF_ERROR(impl->RecordConstants());
  return Runner(std::move(impl));
}

Runner::Runner(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Runner::Runner(Runner&&) noexcept = default;
Runner& Runner::operator=(Runner&&) noexcept = default;
Runner::~Runner() = default;

size_t Runner::input_count() const { return impl_->inputs.size(); }
size_t Runner::output_count() const { return impl_->outputs.size(); }
TensorView Runner::input(size_t i) const { return impl_->inputs[i]; }
TensorView Runner::output(size_t i) const { return impl_->outputs[i]; }

namespace {

Result<size_t> FindByName(const std::vector<TensorView>& views, std::string_view name,
                          const char* what) {
  std::string known;
  for (size_t i = 0; i < views.size(); ++i) {
    if (views[i].name == name) return i;
    known += (i > 0 ? ", '" : "'") + std::string(views[i].name) + "'";
  }
  return Status(StatusCode::kInvalidArgument, "the model has no " + std::string(what) + " '" +
                                                  std::string(name) + "'; it has " + known);
}

}  // namespace

Result<size_t> Runner::FindInput(std::string_view name) const {
  return FindByName(impl_->inputs, name, "input");
}
Result<size_t> Runner::FindOutput(std::string_view name) const {
  return FindByName(impl_->outputs, name, "output");
}

std::string_view Runner::tuning_note() const { return impl_->tuning_note; }

Status Runner::Run() { return impl_->Run(); }

Status Runner::Reset() { return impl_->ResetVariables(); }

uint64_t Runner::peak_arena_bytes() const {
  return impl_->plan.peak_bytes + impl_->plan.heap_bytes;
}
bool Runner::time_depends_on_data() const { return impl_->looks_at_data; }
uint64_t Runner::repeated_runs() const { return impl_->repeated_runs; }
bool Runner::exact() const { return impl_->plan.exact; }

}  // namespace whit
