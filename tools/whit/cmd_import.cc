// whit import: a foreign model to .whit.
#include <charconv>
#include <cstdio>
#include <filesystem>

#include "tools/import/import.h"
#include "tools/import/weights/rename.h"
#include "tools/whit/command.h"
#include "tools/whit/import_recipe_flags.h"
#include "tools/whit/progress.h"
#include "tools/whit/store_golden.h"

namespace whit::tools {

namespace {

struct ImportFlags {
  std::string in, out, name;
  std::vector<std::string> shapes, dims;
  std::string layout = "same";
  bool quiet = false;
  RecipeFlags recipe;
  SampleFlags golden;
};

// NAME=1,224,224,3. False where it is not that.
bool SplitShape(const std::string& word, std::pair<std::string, std::vector<int64_t>>* shape) {
  const size_t equals = word.rfind('=');
  if (equals == std::string::npos || equals == 0) return false;
  shape->first = word.substr(0, equals);
  const char* at = word.data() + equals + 1;
  const char* end = word.data() + word.size();
  for (;; ++at) {
    int64_t dim = 0;
    const auto [stop, error] = std::from_chars(at, end, dim);
    if (error != std::errc()) return false;
    shape->second.push_back(dim);
    at = stop;
    if (at == end) return true;
    if (*at != ',') return false;
  }
}

Status ImportOnly(const ImportFlags& flags) {
  ImportOptions options;
  options.name = flags.name;
  for (const std::string& word : flags.shapes) {
    std::pair<std::string, std::vector<int64_t>> shape;
    if (!SplitShape(word, &shape)) {
      return UsageError("--shape " + word + ": NAME=D,D,... expected, such as image=1,224,224,3");
    }
    options.shapes.push_back(std::move(shape));
  }
  for (const std::string& word : flags.dims) {
    std::pair<std::string, std::vector<int64_t>> dim;
    if (!SplitShape(word, &dim) || dim.second.size() != 1)
      return UsageError("--dim " + word + ": NAME=N expected, such as sequence=128");
    options.dims.emplace_back(dim.first, dim.second[0]);
  }
  options.channels_last = flags.layout == "nhwc";
  if (flags.in.empty() == flags.recipe.graph.empty())
    return UsageError("either a file to import or --graph RECIPE --weights FILE");
  if (!flags.recipe.graph.empty()) return RunRecipe(flags.recipe, options, flags.out, flags.quiet);
  ImportReport report;
  {
    Progress progress("importing " + flags.in);
    WHIT_RETURN_IF_ERROR(ImportModel(flags.in, flags.out, options, &report));
  }
  for (const std::string& warning : report.warnings) {
    std::fprintf(stderr, "whit import: warning: %s\n", Printable(warning).c_str());
  }
  if (flags.quiet) return OkStatus();
  for (const std::string& note : report.notes) std::printf("%s\n", Printable(note).c_str());
  std::error_code error;
  const auto bytes = std::filesystem::file_size(flags.out, error);
  std::printf("%s: %llu operators (%llu in %s), %s\n", flags.out.c_str(),
              static_cast<unsigned long long>(report.operators),
              static_cast<unsigned long long>(report.source_operators), flags.in.c_str(),
              HumanBytes(error ? 0 : bytes).c_str());
  return OkStatus();
}

Status RunImport(const ImportFlags& flags) {
  WHIT_RETURN_IF_ERROR(ImportOnly(flags));
  if (flags.golden.data.empty()) return OkStatus();
  const auto stored = StoreGolden(flags.out, flags.out, flags.golden, "");
  if (!stored.ok()) {
    return Status(stored.status())
        .WithContext("--golden (" + flags.out + " is written, without golden samples)");
  }
  if (!flags.quiet && !flags.recipe.json) {
    std::printf("%zu golden samples (whit verify --golden runs them)\n", stored->samples);
  }
  return OkStatus();
}

}  // namespace

void AddImport(CLI::App& app, Action* action) {
  auto [cli, flags] =
      AddCommand<ImportFlags>(app, action, "import", "Convert a .tflite or .onnx model to .whit",
                              "whit import mobilenet.tflite -o mobilenet.whit", RunImport);
  cli->add_option("IN", flags->in, "A .tflite or .onnx file; its content decides");
  cli->add_option("-o,--out", flags->out, "The .whit file to write")->required();
  cli->add_option("--name", flags->name, "Model name; default: the file's own, else its file name");
  cli->add_option("--shape", flags->shapes,
                  "NAME=1,224,224,3: an input whose dimensions the model leaves open")
      ->allow_extra_args(false);
  cli->add_option("--dim", flags->dims,
                  "NAME=128: the size of a dimension that an ONNX model leaves open by that name")
      ->allow_extra_args(false);
  cli->add_option("--layout", flags->layout,
                  "same: inputs and outputs as the model has them (default); nhwc: those of ONNX "
                  "images with channels last, so that nothing is turned at run time")
      ->check(CLI::IsMember({"same", "nhwc"}));
  RecipeFlags& recipe = flags->recipe;
  cli->add_option("--graph", recipe.graph,
                  "In place of IN: an architecture by name (see below), or a graph file");
  cli->add_option("--weights", recipe.weights, "Its weights, in a file of any framework");
  cli->add_option("--set", recipe.settings,
                  "NAME=NUMBER that the weights do not tell: sequence=128")
      ->allow_extra_args(false);
  cli->add_option("--rename", recipe.renames, kRenameHelp)->allow_extra_args(false);
  cli->add_option(
         "--epsilon", recipe.epsilon,
         "Of normalizations that --graph FILE.tflite has in its products, where the weights "
         "do not state it; default: the framework's (PyTorch 1e-5, Keras 1e-3)")
      ->check(CLI::NonNegativeNumber);
  cli->add_flag("--allow-extra", recipe.allow_extra,
                "Leave out tensors of the weights that the graph does not have");
  cli->add_flag("--json", recipe.json, "With --graph: what matched and what did not, as JSON");
  cli->footer(cli->get_footer() +
              "\n  whit import --graph resnet20 --weights resnet20.th -o resnet20.whit" +
              "\n\nGraphs:\n" + RecipeList());
  cli->add_option("--golden", flags->golden.data,
                  "Samples whose outputs the file is to prove on every device, as whit golden "
                  "stores them (--data there)");
  cli->add_flag("-q,--quiet", flags->quiet, "Print warnings and errors only");
}

}  // namespace whit::tools
