// whit: run a .whit model. The public C++ interface; standard library only. Installed as
// <whit/whit.h>.
//
//   auto model = whit::Model::Open("mobilenet.whit");
//   if (!model.ok()) { puts(model.status().message().c_str()); return 1; }
//   auto runner = whit::Runner::Create(*model);
//   auto in = runner->input(0);                 // TensorView into the runner's memory
//   std::copy(pixels.begin(), pixels.end(), in.bytes().begin());
//   whit::Status ran = runner->Run();
//   auto scores = runner->output(0).as<uint8_t>();
//
// Threads: a Model is immutable and may be shared by any number of Runners and threads. A Runner is
// used by one thread at a time. Model must outlive nothing: Runners keep what they need alive.
#ifndef WHIT_WHIT_H_
#define WHIT_WHIT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "whit/status.h"

namespace whit {

/// Element types as the caller sees them.
enum class Type : uint8_t { kFloat32 = 0, kInt8, kUint8, kInt16, kInt32, kInt64, kBool, kFloat16 };
const char* TypeName(Type type);
size_t TypeSize(Type type);

/// How the weight bytes get into memory.
enum class Residency : uint8_t {
  kMap,   // mapped privately, paged in on demand (default)
  kRead,  // read into owned memory: for file systems that cannot map
  kLock,  // mapped and locked into RAM
};

/// When the weight bytes are checked against the hash tree, if the file has one.
enum class Integrity : uint8_t { kLazy, kFull, kOff };

enum class Xnnpack : uint8_t { kAuto, kOff };

/// Limits checked before anything is allocated; a model beyond them is refused with kOverBudget.
struct Budgets {
  uint64_t max_macs = 20'000'000'000;      // multiply-accumulates of one run
  uint64_t max_arena_bytes = 1ull << 30;   // all writable memory of a Runner
  uint64_t max_graph_bytes = 64ull << 20;  // graph section (owned copy)
  uint32_t max_tensors = 16'384;
  uint32_t max_operators = 16'384;
};

constexpr int kLogWarning = 1;  // a level of OpenOptions::log

struct OpenOptions {
  Residency residency = Residency::kMap;
  Integrity integrity = Integrity::kLazy;
  Budgets budgets;
  std::vector<std::string>
      required_keys;  // public keys, one of which must have signed (hex); empty: none required
  /// For sealed files: writes the 32 bytes of the key that `key_id` names, false where it has none.
  /// Called once, by Open; whit wipes its copies.
  std::function<bool(std::string_view key_id, std::span<uint8_t> key)> key_callback;
  /// Sealed files: bytes of plaintext weights that may exist at a time, in locked memory; 0: those
  /// of the largest step. What fits stays open from run to run, the rest is opened anew in every
  /// run.
  uint64_t window_bytes = 0;
  /// kLogWarning: a page was repaired, a run was repeated; called by the thread that found it.
  std::function<void(int level, std::string_view message)> log;
};

/// What the scrubber did: looked again at pages of weights (16 KiB each), found flipped bits and
/// repaired them from storage, came to the end of the weights.
struct ScrubReport {
  uint64_t pages = 0, repaired = 0, passes = 0;
};

/// One executed step as seen by the profile callback.
struct StepProfile {
  size_t step = 0;
  std::string_view node, op, implementation, tier;
  uint64_t nanoseconds = 0;
  int64_t macs = 0;
};

/// A model input or output: where it is, what it means. Borrowed; valid while its owner (Runner or
/// Model) lives.
struct TensorView {
  std::string_view name;
  Type type = Type::kFloat32;
  std::span<const int64_t> shape;
  float scale = 0;  // 0: not quantized. real = scale * (stored - zero_point)
  int32_t zero_point = 0;
  std::span<std::byte> data;  // empty in Model::inputs()/outputs()

  std::span<uint8_t> bytes() const {
    return {reinterpret_cast<uint8_t*>(data.data()), data.size()};
  }
  template <typename T>
  std::span<T> as() const {  // REQUIRES sizeof(T) == TypeSize(type)
    return {reinterpret_cast<T*>(data.data()), data.size() / sizeof(T)};
  }
};

/// What the file says about feeding pictures to an input and naming an output's classes.
struct Normalization {
  std::vector<float> mean, std;  // real = (pixel - mean) / std, pixels 0..255; empty: not stated
  enum class Resize : uint8_t { kUnspecified, kStretch, kCrop } resize = Resize::kUnspecified;
  enum class Channels : uint8_t { kRgb, kBgr, kGrey } channels = Channels::kRgb;
};

struct RunnerOptions {
  int threads = 1;            // upper limit; a step uses fewer where more do not pay
  bool split_always = false;  // all of them for every step, as tests want it
  std::vector<int> cpus;      // pin workers to these CPUs; empty: the system's choice
  std::string isa;            // force a tier by name ("scalar", ...); empty: the best usable
  std::string
      kernel;  // force an implementation by name where it is available ("scalar", "xnnpack")
  bool any_data = false;  // time never depends on the data (some tiers look at it); same bytes
  bool plain = false;     // the oracle: one buffer a tensor, file order, reference kernels
  Xnnpack xnnpack = Xnnpack::kAuto;  // may serve float steps
  std::span<std::byte> arena;  // caller's memory, 64-aligned, >= peak_arena_bytes(); empty: owned
  uint64_t ram_budget = 0;     // refuse plans above this many bytes; 0: Budgets::max_arena_bytes
  std::string tuning;  // what Tune() returned; of another model, CPU or thread limit: not used
  std::vector<std::pair<std::string, uint32_t>> dims;  // values of named dimensions (batch)
  bool self_check = false;    // prove every run's constants and integer products (docs/trust.md)
  double scrub_share = 0.01;  // of the runs' time, for looking again at weights in RAM; 0: never
  std::function<void(const StepProfile&)> profile;
  const bool* cancel = nullptr;  // polled between steps
};

/// An opened, validated model file. Cheap to copy (shared ownership).
class Model {
 public:
  /// Maps a file (or the `size` bytes at `offset` of it: a model inside an archive) and validates
  /// it whole.
  static Result<Model> Open(const std::string& path, const OpenOptions& options = {},
                            uint64_t offset = 0, uint64_t size = 0);
  static Result<Model> OpenFd(int fd, uint64_t offset, uint64_t size,
                              const OpenOptions& options = {});
  /// `bytes` must outlive the model and every runner made from it.
  static Result<Model> OpenBytes(std::span<const std::byte> bytes, const OpenOptions& options = {});

  std::span<const TensorView> inputs() const;
  std::span<const TensorView> outputs() const;
  const Normalization& input_normalization(size_t input) const;
  std::span<const std::string> labels(size_t output) const;  // empty: none in the file
  std::string_view name() const;

  /// For idle time: looks again at the next `max_pages` pages of weights, at most all of them once,
  /// and repairs those whose bits have flipped in memory, at the same addresses. Pages that no run
  /// has read yet are left to their first use. kIntegrity where storage is wrong too, or there is
  /// none (OpenBytes); kUnsupported without a hash tree or with integrity off. While runs go on in
  /// other threads too; they do the same in small portions (RunnerOptions::scrub_share).
  Result<ScrubReport> Scrub(uint64_t max_pages = UINT64_MAX) const;
  /// All that was scrubbed since Open, by runs too.
  ScrubReport scrubbed() const;

  struct Impl;
  const std::shared_ptr<const Impl>& impl() const { return impl_; }
  explicit Model(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

 private:
  std::shared_ptr<const Impl> impl_;
};

/// A plan and its memory: runs the model. After Create, Run allocates nothing.
class Runner {
 public:
  static Result<Runner> Create(const Model& model, const RunnerOptions& options = {});
  Runner(Runner&&) noexcept;
  Runner& operator=(Runner&&) noexcept;
  ~Runner();

  size_t input_count() const;
  size_t output_count() const;
  TensorView input(size_t i) const;   // write here before Run
  TensorView output(size_t i) const;  // valid after Run, until the next
  Result<size_t> FindInput(std::string_view name) const;
  Result<size_t> FindOutput(std::string_view name) const;

  Status Run();
  /// Variables (LSTM states and the like) back to their initial values.
  Status Reset();

  /// Exact writable bytes of this runner: tensors, scratch, variables (not the inputs and outputs).
  uint64_t peak_arena_bytes() const;
  /// Whether RunnerOptions::tuning is used, or why not; empty where none was given.
  std::string_view tuning_note() const;
  /// True where the tier looks at the data to choose among exact sums: noise is slower than
  /// pictures. RunnerOptions::any_data gives the bound.
  bool time_depends_on_data() const;
  /// How often RunnerOptions::self_check found a run wrong and repeated it.
  uint64_t repeated_runs() const;
  /// True when every output depends on integer arithmetic alone: the same bytes on every device.
  bool exact() const;

  struct Impl;
  const Impl& impl() const { return *impl_; }
  explicit Runner(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

struct TuneOptions {
  RunnerOptions run;  // tier and threads that the plan will be used with
  int runs = 40;      // of every alternative
  std::function<void(size_t input, TensorView view)> fill;  // writes an input; absent: noise
  std::function<void(int done, int total)> progress;
};
/// Measures the alternatives of every step on this device (implementation, block size, threads) and
/// returns those that gain, as text for RunnerOptions::tuning. Integer outputs never depend on it.
Result<std::string> Tune(const Model& model, const TuneOptions& options = {});

/// One instruction-set tier of this build on this CPU.
struct Tier {
  std::string name;
  bool usable = false;
  std::string reason;
};
std::vector<Tier> CpuTiers();

/// What one thread of this machine can do in a tier's own instructions, operands in registers:
/// multiply-accumulates a nanosecond. 0: the tier has no such loop. Measured anew in about 4 ms.
struct MachinePeak {
  double int8_gmacs = 0, float_gmacs = 0;
};
Result<MachinePeak> MeasurePeak(const std::string& isa = "");

/// A golden sample of the file (`whit golden`), replayed.
struct GoldenResult {
  std::string sample;
  bool equal = false;  // every output has the bytes that it had when the sample was made
  std::string output;  // else the first that has not,
  std::string node, op, implementation;  // the first operator with another result; empty: none seen
  bool repeats = false;                  // and whether a second run differs too
};
/// Runs every golden sample of the file, from fresh variables, as `options` says (its profile
/// callback is not called), and compares bytes. kInvalidModel where the file has none.
Result<std::vector<GoldenResult>> ReplayGolden(const Model& model,
                                               const RunnerOptions& options = {});

/// One step of a plan, for people.
struct PlanStep {
  std::string node, op, implementation, tier, why_not;  // op "Conv2D+Add": one step for both
  std::vector<std::string> inputs, outputs;             // "name type[shape] @offset"
  uint64_t scratch_bytes = 0;
  int64_t macs = 0;
  int64_t tasks = 1;
  int threads = 1;
  bool floats = false;  // reads float32
};
std::vector<PlanStep> DescribePlan(const Runner& runner);

/// One operator of this build: for `whit ops`.
struct OperatorInfo {
  std::string name, family, types;
  std::vector<std::string> implementations;
};
std::vector<OperatorInfo> Operators();

/// A dimension that RunnerOptions::dims may set: 1..max, `value` where nothing is said.
struct NamedDimension {
  std::string name;
  uint32_t value = 0, max = 0;
};

/// Facts of a file, for people.
struct ModelInfo {
  std::string name, version, author, licence, description;
  uint64_t file_bytes = 0, weight_bytes = 0, parameters = 0, operators = 0, tensors = 0;
  bool has_hash_tree = false, has_signature = false;
  uint64_t golden_samples = 0;
  std::string
      signer;  // public key in hexadecimal; the signature was checked unless integrity is off
  std::vector<std::pair<std::string, uint64_t>> operator_counts;
  std::vector<std::pair<std::string, std::string>> provenance;
  std::vector<NamedDimension> dims;
};
ModelInfo Describe(const Model& model);

/// What opening sealed weights took since Open; all 0 where the file is not sealed.
struct SealedUse {
  uint64_t window_bytes = 0;      // plaintext that may exist at a time
  uint64_t most_plain_bytes = 0;  // that did
  uint64_t opened_bytes = 0;      // decrypted, over all runs
};
SealedUse UseOfSealed(const Model& model);

/// Half-open address ranges of every weight view and of the mapping, to prove that nothing was
/// copied.
struct AddressRange {
  uintptr_t begin = 0, end = 0;
};
std::vector<AddressRange> WeightRanges(const Model& model);
AddressRange MappingRange(const Model& model);

}  // namespace whit

#endif  // WHIT_WHIT_H_
