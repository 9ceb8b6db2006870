// whit quantize: a float model to int8, on samples of its data.
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "platform/mapping.h"
#include "tools/import/import.h"
#include "tools/quantize/quantize.h"
#include "tools/whit/open_model.h"
#include "tools/whit/progress.h"
#include "tools/whit/samples.h"

namespace whit::tools {

namespace {

struct QuantizeFlags {
  std::string file, out;
  SampleFlags samples;
  std::string range = "mse", io = "float";
  double percentile = 99.99;
  bool no_bias_correction = false, json = false;
  std::vector<std::string> keep;
  int threads = 1;
};

QuantizeOptions OptionsOf(const QuantizeFlags& flags) {
  QuantizeOptions options;
  options.range.kind = flags.range == "minmax"       ? RangeRule::Kind::kMinMax
                       : flags.range == "percentile" ? RangeRule::Kind::kPercentile
                                                     : RangeRule::Kind::kMse;
  options.range.percentile = flags.percentile;
  options.bias_correction = !flags.no_bias_correction;
  options.integer_io = flags.io == "int8";
  options.keep = flags.keep;
  options.threads = flags.threads;
  return options;
}

// The bytes of the float model: of its own file, or imported.
Result<std::vector<std::byte>> SourceOf(const std::string& path, const OpenedModel& opened) {
  if (!opened.bytes.empty()) return opened.bytes;
  WHIT_ASSIGN_OR_RETURN(const Mapping file, Mapping::MapFile(path));
  return std::vector<std::byte>(file.bytes().begin(), file.bytes().end());
}

Json JsonOf(const QuantizeReport& report) {
  Json layers = Json::array();
  for (const LayerReport& l : report.layers) {
    Json item = {{"node", l.node}, {"op", l.op}, {"type", l.integer ? "int8" : "float32"}};
    if (l.integer) item["sqnr_db"] = l.sqnr_db ? Json(*l.sqnr_db) : Json();
    if (!l.integer) item["why"] = l.why_float;
    layers.push_back(std::move(item));
  }
  return layers;
}

void PrintReport(const QuantizeFlags& flags, const QuantizeReport& report, uint64_t before,
                 uint64_t after) {
  size_t integer = 0;
  std::vector<const LayerReport*> worst;
  for (const LayerReport& l : report.layers) {
    integer += l.integer ? 1 : 0;
    if (l.integer && l.sqnr_db) worst.push_back(&l);
  }
  std::printf("%s: %zu of %zu operators int8, %s (before: %s)\n", flags.out.c_str(), integer,
              report.layers.size(), HumanBytes(after).c_str(), HumanBytes(before).c_str());
  std::printf("on %zu %s: outputs %.1f dB above the noise", report.compared,
              flags.samples.crops > 0 ? "other crops" : "samples", report.output_sqnr_db);
  if (report.same_top) std::printf(", largest element the same in %zu", *report.same_top);
  std::printf("\n");
  std::stable_sort(worst.begin(), worst.end(), [](const LayerReport* a, const LayerReport* b) {
    return *a->sqnr_db < *b->sqnr_db;
  });
  constexpr size_t kShown = 5;
  if (worst.size() > kShown) worst.resize(kShown);
  if (!worst.empty()) std::printf("noisiest results:\n");
  for (const LayerReport* l : worst)
    std::printf("  %5.1f dB  %-18s %s\n", *l->sqnr_db, l->op.c_str(), Printable(l->node).c_str());
  size_t shown = 0;
  for (const LayerReport& l : report.layers) {
    if (l.integer || shown++ >= kShown) continue;
    std::printf("%s  %-18s %s: %s\n", shown == 1 ? "stays float:\n" : "", l.op.c_str(),
                Printable(l.node).c_str(), l.why_float.c_str());
  }
  if (shown > kShown) std::printf("  and %zu more (--json lists them)\n", shown - kShown);
}

Status RunQuantize(const QuantizeFlags& flags) {
  WHIT_ASSIGN_OR_RETURN(const OpenedModel opened, OpenModel(flags.file));
  WHIT_ASSIGN_OR_RETURN(const std::vector<Sample> samples, flags.samples.Read(opened.model));
  WHIT_ASSIGN_OR_RETURN(const std::vector<Sample> others, flags.samples.ReadOthers(opened.model));
  WHIT_ASSIGN_OR_RETURN(const std::vector<std::byte> source, SourceOf(flags.file, opened));
  QuantizeOptions options = OptionsOf(flags);
  QuantizeReport report;
  Result<std::vector<std::byte>> made = Status(StatusCode::kRuntime, "");
  {
    Progress progress("quantizing " + flags.file);
    options.progress = [&](double share) { progress.Set(share); };
    made = QuantizeModel(source, samples, others, options, &report);
  }
  if (!made.ok()) return Status(made.status()).WithContext(flags.file);
  const std::span<const std::byte> chunk(*made);
  WHIT_RETURN_IF_ERROR(WriteFileAtomically(flags.out, {&chunk, 1}));
  if (!flags.json) {
    PrintReport(flags, report, source.size(), made->size());
    return OkStatus();
  }
  PrintJson({{"file", flags.out},
             {"file_bytes", made->size()},
             {"source_bytes", source.size()},
             {"samples", samples.size()},
             {"compared", report.compared},
             {"held_out", !others.empty()},
             {"output_sqnr_db", report.output_sqnr_db},
             {"same_top", report.same_top ? Json(*report.same_top) : Json()},
             {"layers", JsonOf(report)}});
  return OkStatus();
}

}  // namespace

void AddQuantize(CLI::App& app, Action* action) {
  auto [cli, flags] = AddCommand<QuantizeFlags>(
      app, action, "quantize",
      "Make a float model int8: smaller and faster, on samples of its data",
      "whit quantize float.whit -o int8.whit --data photographs/ --crops 32", RunQuantize);
  cli->add_option("FILE", flags->file, "A float .whit, .tflite or .onnx file")->required();
  cli->add_option("-o,--out", flags->out, "The .whit file to write")->required();
  flags->samples.AddTo(cli);
  cli->add_option("--range", flags->range,
                  "How much of an activation's range the codes cover: what makes the squared error "
                  "least, all but a few of the values, or all")
      ->check(CLI::IsMember({"mse", "percentile", "minmax"}))
      ->capture_default_str();
  cli->add_option("--percentile", flags->percentile, "Share of the values, of --range percentile")
      ->check(CLI::Range(50.0, 100.0))
      ->capture_default_str();
  cli->add_flag("--no-bias-correction", flags->no_bias_correction,
                "Leave the mean error of rounded weights where it is");
  cli->add_option("--keep", flags->keep, "Operators that stay float, by name: 'block5*'")
      ->allow_extra_args(false);
  cli->add_option("--io", flags->io, "Inputs and outputs: float as before, or int8 codes")
      ->check(CLI::IsMember({"float", "int8"}))
      ->capture_default_str();
  cli->add_option("--threads", flags->threads, "Threads, at most")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  cli->add_flag("--json", flags->json, "One line of JSON: every operator");
}

}  // namespace whit::tools
