// whit bench: how long a run takes.
#include <algorithm>
#include <cstdio>
#include <random>

#include "platform/clock.h"
#include "platform/mapping.h"
#include "tools/whit/npy.h"
#include "tools/whit/open_model.h"
#include "tools/whit/profile.h"

namespace whit::tools {

namespace {

struct BenchFlags {
  std::string file;
  std::vector<std::string> in;
  std::string svg;
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

struct Measured {
  double load_ms = 0, first_ms = 0;
  double any_data_ms = 0;  // shortest with RunnerOptions::any_data; 0: time does not depend on data
  std::vector<double> ms;
};

std::string MsText(double ms) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", ms);
  return text;
}

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
  if (m.any_data_ms > 0) std::printf("whatever the data: min %.3f ms\n", m.any_data_ms);
}

// Warm-up and measured runs.
Status MeasureRuns(const BenchFlags& flags, Runner* runner, bool* counting, Measured* m) {
  // One run at least: the first one's time is a result of its own, also where it is a warm-up.
  const int warmup = flags.warmup + flags.runs > 0 ? flags.warmup : 1;
  m->ms.reserve(static_cast<size_t>(flags.runs));
  for (int i = 0; i < warmup + flags.runs; ++i) {
    *counting = i >= warmup;
    const uint64_t began = NowNs();
    WHIT_RETURN_IF_ERROR(runner->Run().WithContext(flags.file));
    const double ms = MsSince(began);
    if (i == 0) m->first_ms = ms;
    if (*counting) m->ms.push_back(ms);
  }
  return OkStatus();
}

// The bound beside it, where the tier looks at the data.
Status MeasureAnyData(const BenchFlags& flags, const Model& model, RunnerOptions options,
                      Measured* m) {
  constexpr int kMost = 20;
  options.any_data = true;
  options.profile = nullptr;
  WHIT_ASSIGN_OR_RETURN(Runner runner, Runner::Create(model, options));
  WHIT_RETURN_IF_ERROR(FillInputs(flags, runner));
  double best = 1e300;
  for (int i = 0; i < std::min(kMost, flags.runs) + 1; ++i) {
    const uint64_t began = NowNs();
    WHIT_RETURN_IF_ERROR(runner.Run());
    if (i > 0) best = std::min(best, MsSince(began));
  }
  m->any_data_ms = best;
  return OkStatus();
}

Json BenchJson(const BenchFlags& flags, const Runner& runner, const Measured& m) {
  Json json = {{"model", Stem(flags.file)},
               {"threads", flags.run.threads},
               {"isa", TiersOf(runner)},
               {"clock_ghz", MeasureClockGhz()},
               {"load_ms", m.load_ms},
               {"first_ms", m.first_ms},
               {"peak_arena_bytes", runner.peak_arena_bytes()},
               {"ms", m.ms}};
  if (m.any_data_ms > 0) json["any_data_ms"] = m.any_data_ms;
  return json;
}

// Where the profile goes: into the line of JSON or under the times, and into a picture.
Status ShowProfile(const BenchFlags& flags, const Profile& profile, Json* json) {
  if (flags.json) {
    (*json)["peak"] = {{"int8_gmacs", profile.peak.int8_gmacs},
                       {"float_gmacs", profile.peak.float_gmacs}};
    (*json)["profile"] = ProfileJson(profile);
  } else if (flags.profile) {
    PrintProfile(profile, stdout);
  }
  if (flags.svg.empty()) return OkStatus();
  const std::string svg = ProfileSvg(profile);
  const std::span<const std::byte> chunk[] = {std::as_bytes(std::span(svg))};
  return WriteFileAtomically(flags.svg, chunk);
}

Status RunBench(const BenchFlags& flags) {
  Measured m;
  const uint64_t start = NowNs();
  WHIT_ASSIGN_OR_RETURN(const OpenedModel opened, OpenModel(flags.file, flags.run.trust));
  WHIT_ASSIGN_OR_RETURN(RunnerOptions options, flags.run.ToOptions(flags.file));
  const bool profiled = flags.profile || !flags.svg.empty();
  Profile profile;
  bool counting = false;
  if (profiled) {
    options.profile = [&](const StepProfile& step) {
      if (counting) profile.Add(step);
    };
  }
  auto created = Runner::Create(opened.model, options);
  if (!created.ok()) return Status(created.status()).WithContext(flags.file);
  Runner& runner = *created;
  m.load_ms = MsSince(start);
  WHIT_RETURN_IF_ERROR(FillInputs(flags, runner));
  WHIT_RETURN_IF_ERROR(MeasureRuns(flags, &runner, &counting, &m));
  if (runner.time_depends_on_data() && flags.runs > 0) {
    WHIT_RETURN_IF_ERROR(MeasureAnyData(flags, opened.model, options, &m));
  }
  Json json;
  if (flags.json) {
    json = BenchJson(flags, runner, m);
  } else {
    PrintTimes(flags, runner, m);
  }
  if (profiled) {
    profile.AddPlan(runner);
    WHIT_ASSIGN_OR_RETURN(profile.peak, MeasurePeak(options.isa));
    profile.title = Stem(flags.file) + ": " +
                    (m.ms.empty() ? "" : MsText(*std::min_element(m.ms.begin(), m.ms.end()))) +
                    " ms, " + TiersOf(runner) + ", " + std::to_string(flags.run.threads) +
                    (flags.run.threads == 1 ? " thread" : " threads");
    WHIT_RETURN_IF_ERROR(ShowProfile(flags, profile, &json));
  }
  if (flags.json) PrintJson(json);
  return OkStatus();
}

}  // namespace

void AddBench(CLI::App& app, Action* action) {
  auto [cli, flags] =
      AddCommand<BenchFlags>(app, action, "bench", "Measure load, first and repeated runs",
                             "whit bench mobilenet.whit --threads 2 --runs 200", RunBench);
  cli->add_option("FILE", flags->file, "A .whit, .tflite or .onnx file")->required();
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
  cli->add_flag("--profile", flags->profile,
                "Time of each step, and what of this machine's peak it reaches");
  cli->add_option("--svg", flags->svg, "The profile as a picture");
  cli->add_flag("--json", flags->json, "One line of JSON");
}

}  // namespace whit::tools
