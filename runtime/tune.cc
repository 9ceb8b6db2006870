// Tune: measures what a plan could do otherwise, step by step, in the plan's own memory and order.
#include <algorithm>
#include <map>
#include <set>

#include "runtime/impl.h"
#include "runtime/tiers.h"
#include "runtime/tuning.h"

namespace whit {

namespace {

// A choice must gain this much, else the plan's own stays: less is noise.
constexpr double kLeastGain = 0.03;
constexpr uint64_t kLeastGainNs = 200;

bool Gains(uint64_t before_ns, uint64_t after_ns) {
  return before_ns > after_ns + kLeastGainNs &&
         static_cast<double>(before_ns - after_ns) > kLeastGain * static_cast<double>(before_ns);
}

// One way in which all steps are run at once; steps that cannot run so stay as they are.
struct Variant {
  std::string implementation;  // empty: the plan's
  int block_shift = 0;
  int threads = 0;  // 0: the plan's
};

// What a step took, and what really computed it.
struct Measured {
  uint64_t ns = UINT64_MAX;
  std::string implementation;
  int threads = 1;
};

class Tuner {
 public:
  Tuner(const Model& model, const TuneOptions& options) : model_(model), options_(options) {}

  Result<std::string> Run();

 private:
  Result<Runner> MakeRunner(const Tuning* tuning, std::map<int, Measured>* times);
  Tuning Uniform(const Variant& variant) const;
  std::vector<Variant> Variants() const;
  Status Measure(const Tuning& tuning, std::map<int, Measured>* own,
                 std::map<int, Measured>* other);
  Status RunInTurns(Runner* a, Runner* b);
  Status Compare(const Variant& variant);
  Status Confirm();
  Tuning Best() const;

  const Model& model_;
  const TuneOptions& options_;
  Tuning empty_;                   // no choices, for this model and device
  std::map<int, Measured> plain_;  // node -> the plan's own way
  std::map<int, TunedStep> best_;
};

Result<Runner> Tuner::MakeRunner(const Tuning* tuning, std::map<int, Measured>* times) {
  RunnerOptions options = options_.run;
  options.tuning = tuning == nullptr ? "" : FormatTuning(*tuning);
  // The callback outlives this function: what it needs is owned by it, what it fills by the caller.
  auto nodes = std::make_shared<std::vector<int>>();
  options.profile = [times, nodes](const StepProfile& p) {
    const int node = p.step < nodes->size() ? (*nodes)[p.step] : -1;
    if (node < 0) return;
    Measured& m = (*times)[node];
    m.ns = std::min(m.ns, p.nanoseconds);
  };
  WHIT_ASSIGN_OR_RETURN(Runner runner, Runner::Create(model_, options));
  for (const Step& step : runner.impl().plan.steps) {
    nodes->push_back(step.node);
    if (step.node < 0) continue;
    Measured& m = (*times)[step.node];
    m.implementation = step.prepared.implementation;
    m.threads = step.threads;
  }
  for (size_t i = 0; i < runner.input_count(); ++i) {
    if (options_.fill) {
      options_.fill(i, runner.input(i));
    } else {
      uint32_t state = 1;
      for (uint8_t& byte : runner.input(i).bytes()) {
        state = state * 1664525u + 1013904223u;
        const Type type = runner.input(i).type;
        const bool small = type == Type::kInt32 || type == Type::kInt64 || type == Type::kBool;
        byte = small ? 0 : type == Type::kFloat32 ? 0x3c : static_cast<uint8_t>(state >> 24);
      }
    }
  }
  return runner;
}

// Every step of the plan with the variant's implementation, blocks or threads.
Tuning Tuner::Uniform(const Variant& variant) const {
  Tuning tuning = empty_;
  for (const auto& [node, m] : plain_) {
    const std::string& name =
        variant.implementation.empty() ? m.implementation : variant.implementation;
    tuning.steps.push_back(
        {node, name, variant.block_shift, variant.threads == 0 ? m.threads : variant.threads, 0});
  }
  return tuning;
}

std::vector<Variant> Tuner::Variants() const {
  std::vector<Variant> variants;
  for (int shift : {-1, 1, -2, 2}) variants.push_back({"", shift, 0});
  std::set<std::string> names;
  for (const NodeDef& node : model_.impl()->graph.nodes) {
    for (const Implementation& impl : AlternativesOf(node.type)) names.insert(impl.name);
  }
  for (const std::string& name : names) variants.push_back({name, 0, 0});
  if (options_.run.threads > 1) {
    variants.push_back({"", 0, 1});
    variants.push_back({"", 0, options_.run.threads});
  }
  return variants;
}

// In turns, so that a slow spell of the machine falls on both.
Status Tuner::RunInTurns(Runner* a, Runner* b) {
  constexpr int kTurns = 4;
  for (int turn = 0; turn < kTurns; ++turn) {
    for (Runner* runner : turn % 2 == 0 ? std::array{a, b} : std::array{b, a}) {
      for (int i = 0; i < std::max(1, options_.runs / kTurns); ++i) {
        WHIT_RETURN_IF_ERROR(runner->Run());
      }
    }
  }
  return OkStatus();
}

// Times of every step in the plan's own way and with `tuning`.
Status Tuner::Measure(const Tuning& tuning, std::map<int, Measured>* own,
                      std::map<int, Measured>* other) {
  WHIT_ASSIGN_OR_RETURN(Runner base, MakeRunner(nullptr, own));
  WHIT_ASSIGN_OR_RETURN(Runner varied, MakeRunner(&tuning, other));
  return RunInTurns(&base, &varied);
}

Status Tuner::Compare(const Variant& variant) {
  std::map<int, Measured> own, other;
  WHIT_RETURN_IF_ERROR(Measure(Uniform(variant), &own, &other));
  for (const auto& [node, m] : other) {
    const auto was = own.find(node);
    if (was == own.end() || !Gains(was->second.ns, m.ns)) continue;
    const bool same = variant.block_shift == 0 && m.implementation == was->second.implementation &&
                      m.threads == was->second.threads;
    if (same) continue;  // a variant that this step does not have
    const auto best = best_.find(node);
    if (best != best_.end() && best->second.ns <= m.ns) continue;
    best_[node] = {node, m.implementation, variant.block_shift, m.threads, m.ns};
  }
  return OkStatus();
}

// The best of many noisy figures is too good: what does not gain a second time, among the other
// choices that it will run with, goes.
Status Tuner::Confirm() {
  constexpr int kRounds = 3;
  for (int round = 0; round < kRounds && !best_.empty(); ++round) {
    std::map<int, Measured> own, chosen;
    WHIT_RETURN_IF_ERROR(Measure(Best(), &own, &chosen));
    const size_t erased = std::erase_if(best_, [&](const auto& item) {
      const int node = item.first;
      return !own.contains(node) || !chosen.contains(node) || !Gains(own[node].ns, chosen[node].ns);
    });
    if (erased == 0) break;
  }
  return OkStatus();
}

Tuning Tuner::Best() const {
  Tuning tuning = empty_;
  for (const auto& [node, step] : best_) tuning.steps.push_back(step);
  return tuning;
}

Result<std::string> Tuner::Run() {
  WHIT_ASSIGN_OR_RETURN(const simd::Tier* tier, SelectTier(options_.run.isa));
  empty_.model = ModelDigest(*model_.impl()->file);
  empty_.cpu = CpuDigest();
  empty_.tier = tier->name;
  empty_.threads = options_.run.threads;
  { WHIT_ASSIGN_OR_RETURN(const Runner first, MakeRunner(nullptr, &plain_)); }
  const std::vector<Variant> variants = Variants();
  for (size_t i = 0; i < variants.size(); ++i) {
    if (options_.progress)
      options_.progress(static_cast<int>(i), static_cast<int>(variants.size()));
    WHIT_RETURN_IF_ERROR(Compare(variants[i]));
  }
  WHIT_RETURN_IF_ERROR(Confirm());
  const Tuning best = Best();
  std::map<int, Measured> own, tuned;
  WHIT_RETURN_IF_ERROR(Measure(best, &own, &tuned));
  uint64_t before = 0, after = 0;
  for (const auto& [node, m] : own) before += m.ns;
  for (const auto& [node, m] : tuned) after += m.ns;
  return FormatTuning(after < before ? best : empty_);
}

}  // namespace

Result<std::string> Tune(const Model& model, const TuneOptions& options) {
  return Tuner(model, options).Run();
}

}  // namespace whit
