// whit: the workstation's command. Exit status 0: done, 1: wrong usage, 2: bad input.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "tools/whit/command.h"

namespace whit::tools {
namespace {

// Edits (insert, delete, replace) from a to b.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

// The message for a first word that is no command, or empty if it is one (or an option).
std::string UnknownCommand(const CLI::App& app, const std::string& word) {
  if (word.empty() || word[0] == '-') return "";
  std::string nearest;
  size_t best = 3;  // more than two edits away is another word
  for (const CLI::App* sub : app.get_subcommands(nullptr)) {
    if (sub->get_name() == word) return "";
    const size_t distance = EditDistance(word, sub->get_name());
    if (distance < best) {
      best = distance;
      nearest = sub->get_name();
    }
  }
  std::string message = "no command '" + Printable(word) + "'";
  if (!nearest.empty()) message += "; did you mean '" + nearest + "'?";
  return message + " (whit --help lists them)";
}

int Fail(const std::string& who, const std::string& message, int code) {
  std::fflush(stdout);
  std::fprintf(stderr, "%s: %s\n", who.c_str(), Printable(message).c_str());
  return code;
}

int Main(int argc, char** argv) {
  CLI::App app(
      "whit: run quantized neural networks straight from a mapped file.\n"
      "Every FILE may be a .whit, a .tflite or an .onnx file.",
      "whit");
  app.require_subcommand(1);
  app.set_version_flag("--version", "whit " WHIT_VERSION);
  app.footer(
      "Example:\n  whit import mobilenet.tflite -o mobilenet.whit\n"
      "  whit classify mobilenet.whit photo.jpg --labels labels.txt\n"
      "Exit status: 0 done, 1 wrong usage, 2 bad input.");
  Action action;
  AddImport(app, &action);
  AddQuantize(app, &action);
  AddInfo(app, &action);
  AddRun(app, &action);
  AddClassify(app, &action);
  AddBench(app, &action);
  AddPlan(app, &action);
  AddOps(app, &action);
  AddTune(app, &action);
  AddKeygen(app, &action);
  AddSign(app, &action);
  AddGolden(app, &action);
  AddSeal(app, &action);
  AddUnseal(app, &action);
  AddVerify(app, &action);
  AddAttack(app, &action);
  AddWeights(app, &action);
  AddInspect(app, &action);

  if (argc > 1) {
    const std::string unknown = UnknownCommand(app, argv[1]);
    if (!unknown.empty()) return Fail("whit", unknown, 1);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 1;
  }
  const std::string who = "whit " + app.get_subcommands().front()->get_name();
  const Status status = action();
  if (!status.ok()) {
    return Fail(who, status.message(), status.code() == StatusCode::kInvalidArgument ? 1 : 2);
  }
  // A full disk or a closed pipe must not look like success.
  if (std::fflush(stdout) != 0) return Fail(who, std::string("stdout: ") + std::strerror(errno), 2);
  return 0;
}

}  // namespace
}  // namespace whit::tools

int main(int argc, char** argv) { return whit::tools::Main(argc, argv); }
