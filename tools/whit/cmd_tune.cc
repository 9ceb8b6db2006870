// whit tune: measures on this device what a plan could do otherwise, and keeps what is faster.
#include <algorithm>
#include <cstdio>

#include "platform/clock.h"
#include "platform/mapping.h"
#include "tools/whit/npy.h"
#include "tools/whit/open_model.h"
#include "tools/whit/progress.h"

namespace whit::tools {

namespace {

struct TuneFlags {
  std::string file, out;
  std::vector<std::string> in;
  RunFlags run;
  int runs = 40;
  bool json = false;
};

// Shortest of some runs with and without the choices, in turns.
struct Times {
  double before_ms = 1e300, after_ms = 1e300;
};

Status TimeRuns(Runner* runner, int runs, double* best_ms) {
  for (int i = 0; i < runs; ++i) {
    const uint64_t start = NowNs();
    WHIT_RETURN_IF_ERROR(runner->Run());
    *best_ms = std::min(*best_ms, static_cast<double>(NowNs() - start) * 1e-6);
  }
  return OkStatus();
}

Result<Times> CompareTimes(const Model& model, RunnerOptions options, const std::string& tuning,
                           int runs) {
  options.tuning.clear();
  WHIT_ASSIGN_OR_RETURN(Runner before, Runner::Create(model, options));
  options.tuning = tuning;
  WHIT_ASSIGN_OR_RETURN(Runner after, Runner::Create(model, options));
  Times times;
  for (int turn = 0; turn < 4; ++turn) {
    WHIT_RETURN_IF_ERROR(TimeRuns(&before, runs / 4 + 1, &times.before_ms));
    WHIT_RETURN_IF_ERROR(TimeRuns(&after, runs / 4 + 1, &times.after_ms));
  }
  return times;
}

Status RunTune(const TuneFlags& flags) {
  WHIT_ASSIGN_OR_RETURN(const OpenedModel opened, OpenModel(flags.file, flags.run.trust));
  RunFlags untuned = flags.run;
  untuned.tuning = "none";
  TuneOptions options;
  WHIT_ASSIGN_OR_RETURN(options.run, untuned.ToOptions(flags.file));
  options.runs = flags.runs;
  Status filled = OkStatus();
  options.fill = [&](size_t i, TensorView view) {
    if (i < flags.in.size() && filled.ok()) filled = LoadInput(flags.in[i], view);
  };
  if (flags.in.empty()) options.fill = nullptr;
  std::string tuning;
  {
    Progress progress("measuring " + flags.file);
    options.progress = [&](int done, int total) {
      progress.Set(static_cast<double>(done) / total);
    };
    WHIT_ASSIGN_OR_RETURN(tuning, Tune(opened.model, options));
  }
  WHIT_RETURN_IF_ERROR(std::move(filled));
  WHIT_ASSIGN_OR_RETURN(const Times times,
                        CompareTimes(opened.model, options.run, tuning, flags.runs));
  const std::string out = flags.out.empty() ? TuningPath(flags.file) : flags.out;
  const std::span<const std::byte> chunk[] = {std::as_bytes(std::span(tuning))};
  WHIT_RETURN_IF_ERROR(WriteFileAtomically(out, chunk));
  const auto lines = std::count(tuning.begin(), tuning.end(), '\n');
  const auto choices = static_cast<int64_t>(lines) - 6;  // five lines before the steps, one behind
  if (flags.json) {
    PrintJson({{"file", out},
               {"choices", choices},
               {"before_ms", times.before_ms},
               {"after_ms", times.after_ms}});
    return OkStatus();
  }
  std::printf("%s: %lld steps run otherwise, %.3f ms before, %.3f ms after\n", out.c_str(),
              static_cast<long long>(choices), times.before_ms, times.after_ms);
  return OkStatus();
}

}  // namespace

void AddTune(CLI::App& app, Action* action) {
  auto [cli, flags] = AddCommand<TuneFlags>(
      app, action, "tune",
      "Measure implementations, block sizes and threads of every step on this device and keep the "
      "best beside the model; results stay the same",
      "whit tune mobilenet.whit --threads 2", RunTune);
  cli->add_option("FILE", flags->file, "A .whit, .tflite or .onnx file")->required();
  cli->add_option("-o,--output", flags->out, "Where to (MODEL.tune; other commands look there)");
  flags->run.AddTo(cli);
  cli->add_option("--runs", flags->runs, "Runs of every alternative")
      ->check(CLI::Range(4, 100'000))
      ->capture_default_str();
  cli->add_option("--in", flags->in, "FILE.npy for each input in order; else noise")
      ->allow_extra_args(false);
  cli->add_flag("--json", flags->json, "One line of JSON");
}

}  // namespace whit::tools
