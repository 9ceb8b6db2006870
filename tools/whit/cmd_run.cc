// whit run: .npy files in, .npy files out.
#include <cstdio>

#include "tools/whit/npy.h"
#include "tools/whit/open_model.h"

namespace whit::tools {

namespace {

struct RunCommandFlags {
  std::string file;
  std::vector<std::string> in, out;
  RunFlags run;
  bool verbose = false;
};

// One --in or --out: a bare file counts in order, NAME=FILE goes by name.
struct Binding {
  size_t index;
  std::string path;
};

using Find = Result<size_t> (Runner::*)(std::string_view) const;

Result<std::vector<Binding>> Bind(const Runner& runner, Find find,
                                  const std::vector<std::string>& words, size_t count,
                                  const char* what) {
  std::vector<Binding> bindings;
  size_t position = 0;
  for (const std::string& word : words) {
    const size_t equals = word.find('=');
    if (equals != std::string::npos) {
      // A path may hold '=', so only a known name binds; names may hold '=' too rarely to serve.
      const auto index = (runner.*find)(word.substr(0, equals));
      if (index.ok()) {
        bindings.push_back({*index, word.substr(equals + 1)});
        continue;
      }
      if (word.find('/') == std::string::npos || word.find('/') > equals) {
        return UsageError(std::string("--") + what + " " + word + ": " + index.status().message());
      }
    }
    if (position >= count) {
      return UsageError("the model has " + std::to_string(count) + " " + what + "puts, more --" +
                        what + " are given");
    }
    bindings.push_back({position++, word});
  }
  return bindings;
}

Status FeedInputs(const Runner& runner, const std::vector<std::string>& words) {
  WHIT_ASSIGN_OR_RETURN(const auto bindings,
                        Bind(runner, &Runner::FindInput, words, runner.input_count(), "in"));
  std::vector<bool> fed(runner.input_count());
  for (const Binding& b : bindings) {
    if (fed[b.index]) {
      return UsageError("input '" + std::string(runner.input(b.index).name) + "' is given twice");
    }
    fed[b.index] = true;
    WHIT_RETURN_IF_ERROR(LoadInput(b.path, runner.input(b.index)));
  }
  for (size_t i = 0; i < fed.size(); ++i) {
    if (fed[i]) continue;
    const TensorView view = runner.input(i);
    return UsageError("no --in for input '" + std::string(view.name) + "' (" + TypeAndShape(view) +
                      ")");
  }
  return OkStatus();
}

Status RunRun(const RunCommandFlags& flags) {
  WHIT_ASSIGN_OR_RETURN(const OpenedModel opened, OpenModel(flags.file, flags.run.trust));
  auto created = CreateRunner(opened.model, flags.file, flags.run);
  if (!created.ok()) return created.status();
  Runner& runner = *created;
  WHIT_RETURN_IF_ERROR(FeedInputs(runner, flags.in));
  WHIT_ASSIGN_OR_RETURN(const auto outputs,
                        Bind(runner, &Runner::FindOutput, flags.out, runner.output_count(), "out"));
  if (flags.verbose) std::fprintf(stderr, "tier: %s\n", TiersOf(runner).c_str());
  WHIT_RETURN_IF_ERROR(runner.Run().WithContext(flags.file));
  for (const Binding& b : outputs) {
    const TensorView view = runner.output(b.index);
    WHIT_RETURN_IF_ERROR(WriteNpy(b.path, view.type, view.shape, view.data));
  }
  if (!outputs.empty()) return OkStatus();
  for (size_t i = 0; i < runner.output_count(); ++i) {
    const TensorView view = runner.output(i);
    std::printf("%s %s\n", Printable(view.name).c_str(), TypeAndShape(view).c_str());
  }
  return OkStatus();
}

}  // namespace

void AddRun(CLI::App& app, Action* action) {
  auto [cli, flags] = AddCommand<RunCommandFlags>(
      app, action, "run", "Run a model once on .npy files",
      "whit run mobilenet.whit --in picture.npy --out scores.npy", RunRun);
  cli->add_option("FILE", flags->file, "A .whit, .tflite or .onnx file")->required();
  cli->add_option("--in", flags->in,
                  "Input: FILE.npy in order of the model's inputs, or NAME=FILE.npy")
      ->allow_extra_args(false);
  cli->add_option("--out", flags->out,
                  "Output: FILE.npy in order of the model's outputs, or NAME=FILE.npy")
      ->allow_extra_args(false);
  flags->run.AddTo(cli);
  cli->add_flag("-v,--verbose", flags->verbose, "The tiers that ran, on stderr");
}

}  // namespace whit::tools
