// whit import: a foreign model to .whit.
#include <cstdio>
#include <filesystem>

#include "tools/import/import.h"
#include "tools/whit/command.h"
#include "tools/whit/progress.h"

namespace whit::tools {

namespace {

struct ImportFlags {
  std::string in, out, name;
  bool quiet = false;
};

Status RunImport(const ImportFlags& flags) {
  ImportOptions options;
  options.name = flags.name;
  ImportReport report;
  {
    Progress progress("importing " + flags.in);
    WHIT_RETURN_IF_ERROR(ImportTflite(flags.in, flags.out, options, &report));
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

}  // namespace

void AddImport(CLI::App& app, Action* action) {
  auto [cli, flags] =
      AddCommand<ImportFlags>(app, action, "import", "Convert a .tflite model to .whit",
                              "whit import mobilenet.tflite -o mobilenet.whit", RunImport);
  cli->add_option("IN", flags->in, "A .tflite file")->required();
  cli->add_option("-o,--out", flags->out, "The .whit file to write")->required();
  cli->add_option("--name", flags->name, "Model name; default: the file's own, else its file name");
  cli->add_flag("-q,--quiet", flags->quiet, "Print warnings and errors only");
}

}  // namespace whit::tools
