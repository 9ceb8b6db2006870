// whit bench: how long a run takes.
#include <algorithm>
#include <cstdio>
#include <map>
#include <random>

#include "platform/clock.h"
#include "tools/whit/npy.h"
#include "tools/whit/open_model.h"

namespace whit::tools {

namespace {

struct BenchFlags {
  std::string file;
  std::vector<std::string> in;
  RunFlags run;
  int runs = 50, warmup = 10;
  uint64_t seed = 1;
  bool profile = false, json = false;
};

double MsSince(uint64_t start_ns) { return static_cast<double>(NowNs() - start_ns) * 1e-6; }

// Uniform noise over the type's values (8 and 16 bits), 0..1 (floats), small indices (wide
// integers), so that any model runs; the same for the same seed.
void FillNoise(const TensorView& input, std::mt19937_64* rng) {
  switch (input.type) {
    case Type::kFloat32:
      for (float& v : input.as<float>()) v = static_cast<float>((*rng)() >> 40) * 0x1p-24f;
      return;
    case Type::kFloat16:  // 1.0 has exponent 15: mantissas below it make 0.5..1
      for (uint16_t& v : input.as<uint16_t>())
        v = static_cast<uint16_t>(0x3800 | ((*rng)() & 0x3ff));
      return;
    case Type::kInt32:
      for (int32_t& v : input.as<int32_t>()) v = static_cast<int32_t>((*rng)() & 1);
      return;
    case Type::kInt64:
      for (int64_t& v : input.as<int64_t>()) v = static_cast<int64_t>((*rng)() & 1);
      return;
    case Type::kBool:
      for (uint8_t& v : input.bytes()) v = static_cast<uint8_t>((*rng)() & 1);
      return;
    default:
      for (uint8_t& v : input.bytes()) v = static_cast<uint8_t>((*rng)());
  }
}

Status FillInputs(const BenchFlags& flags, const Runner& runner) {
  if (flags.in.size() > runner.input_count()) {
    return UsageError("the model has " + std::to_string(runner.input_count()) + " inputs, " +
                      std::to_string(flags.in.size()) + " --in are given");
  }
  std::mt19937_64 rng(flags.seed);
  for (size_t i = 0; i < runner.input_count(); ++i) {
    if (i < flags.in.size()) {
      WHIT_RETURN_IF_ERROR(LoadInput(flags.in[i], runner.input(i)));
    } else {
      FillNoise(runner.input(i), &rng);
    }
  }
  return OkStatus();
}

// What the profile callback saw of one step. The shortest time of all runs is what counts: on a
// machine with other work a mean says more about that work.
struct StepTimes {
  std::string node, op, implementation, tier;
  uint64_t ns = UINT64_MAX;
  int64_t macs = 0;
};

void PrintProfile(const std::map<size_t, StepTimes>& steps, FILE* to) {
  uint64_t total = 0;
  for (const auto& [step, t] : steps) total += t.ns;
  std::fprintf(to, "%4s %9s %6s %9s  %s\n", "step", "us", "%", "GMAC/s", "operator");
  for (const auto& [step, t] : steps) {
    const double us = static_cast<double>(t.ns) * 1e-3;
    std::fprintf(
        to, "%4zu %9.1f %6.1f %9.2f  %s (%s, %s) %s\n", step, us,
        100.0 * static_cast<double>(t.ns) / static_cast<double>(std::max<uint64_t>(total, 1)),
        us > 0 ? static_cast<double>(t.macs) * 1e-3 / us : 0.0, t.op.c_str(),
        t.implementation.c_str(), t.tier.c_str(), Printable(t.node).c_str());
  }
}

struct Measured {
  double load_ms = 0, first_ms = 0;
  std::vector<double> ms;
};

void PrintTimes(const BenchFlags& flags, const Runner& runner, const Measured& m) {
  std::printf("%s: %d thread%s, %s, clock %.2f GHz\n", Stem(flags.file).c_str(), flags.run.threads,
              flags.run.threads == 1 ? "" : "s", TiersOf(runner).c_str(), MeasureClockGhz());
  std::printf("load %.3f ms, first run %.3f ms, arena %s\n", m.load_ms, m.first_ms,
              HumanBytes(runner.peak_arena_bytes()).c_str());
  if (m.ms.empty()) return;
  std::vector<double> sorted = m.ms;
  std::sort(sorted.begin(), sorted.end());
  std::printf("%zu runs: min %.3f ms, median %.3f ms, 90 %% below %.3f ms\n", sorted.size(),
              sorted.front(), sorted[sorted.size() / 2], sorted[sorted.size() * 9 / 10]);
}

Status RunBench(const BenchFlags& flags) {
  Measured m;
  const uint64_t start = NowNs();
  WHIT_ASSIGN_OR_RETURN(const OpenedModel opened, OpenModel(flags.file));
  std::map<size_t, StepTimes> steps;
  bool counting = false;
  WHIT_ASSIGN_OR_RETURN(RunnerOptions options, flags.run.ToOptions(flags.file));
  if (flags.profile) {
    options.profile = [&](const StepProfile& p) {
      if (!counting) return;
      StepTimes& t = steps[p.step];
      if (t.op.empty()) {
        t.node = p.node, t.op = p.op, t.implementation = p.implementation, t.tier = p.tier;
        t.macs = p.macs;
      }
      t.ns = std::min(t.ns, p.nanoseconds);
    };
  }
  auto created = Runner::Create(opened.model, options);
  if (!created.ok()) return Status(created.status()).WithContext(flags.file);
  Runner& runner = *created;
  m.load_ms = MsSince(start);
  WHIT_RETURN_IF_ERROR(FillInputs(flags, runner));

  // One run at least: the first one's time is a result of its own, also where it is a warm-up.
  const int warmup = flags.warmup + flags.runs > 0 ? flags.warmup : 1;
  m.ms.reserve(static_cast<size_t>(flags.runs));
  for (int i = 0; i < warmup + flags.runs; ++i) {
    counting = i >= warmup;
    const uint64_t began = NowNs();
    WHIT_RETURN_IF_ERROR(runner.Run().WithContext(flags.file));
    const double ms = MsSince(began);
    if (i == 0) m.first_ms = ms;
    if (counting) m.ms.push_back(ms);
  }
  if (flags.json) {
    PrintJson({{"model", Stem(flags.file)},
               {"threads", flags.run.threads},
               {"isa", TiersOf(runner)},
               {"clock_ghz", MeasureClockGhz()},
               {"load_ms", m.load_ms},
               {"first_ms", m.first_ms},
               {"peak_arena_bytes", runner.peak_arena_bytes()},
               {"ms", m.ms}});
  } else {
    PrintTimes(flags, runner, m);
  }
  // Standard output keeps its one line of JSON.
  if (flags.profile) PrintProfile(steps, flags.json ? stderr : stdout);
  return OkStatus();
}

}  // namespace

void AddBench(CLI::App& app, Action* action) {
  auto [cli, flags] =
      AddCommand<BenchFlags>(app, action, "bench", "Measure load, first and repeated runs",
                             "whit bench mobilenet.whit --threads 2 --runs 200", RunBench);
  cli->add_option("FILE", flags->file, "A .whit or .tflite file")->required();
  flags->run.AddTo(cli);
  cli->add_option("--runs", flags->runs, "Runs that are measured")
      ->check(CLI::Range(0, 10'000'000))
      ->capture_default_str();
  cli->add_option("--warmup", flags->warmup, "Runs before them")
      ->check(CLI::Range(0, 10'000'000))
      ->capture_default_str();
  cli->add_option("--in", flags->in, "FILE.npy for each input in order; the others get noise")
      ->allow_extra_args(false);
  cli->add_option("--seed", flags->seed, "Of the noise")->capture_default_str();
  cli->add_flag("--profile", flags->profile, "Time of each step");
  cli->add_flag("--json", flags->json, "One line of JSON");
}

}  // namespace whit::tools
