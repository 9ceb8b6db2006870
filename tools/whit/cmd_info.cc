// whit info: what a model is, or what this CPU can do.
#include <cstdio>

#include "platform/cpu.h"
#include "tools/whit/open_model.h"
#include "tools/whit/provenance.h"

namespace whit::tools {

namespace {

struct InfoFlags {
  std::string file;
  RunFlags run;
  bool cpu = false, provenance = false, json = false;
};

Status InfoCpu(bool as_json) {
  const std::vector<Tier> tiers = CpuTiers();
  if (as_json) {
    Json list = Json::array();
    for (const Tier& tier : tiers) {
      list.push_back({{"name", tier.name}, {"usable", tier.usable}, {"reason", tier.reason}});
    }
    PrintJson({{"cpu", CpuName()}, {"tiers", list}});
    return OkStatus();
  }
  std::printf("%s\n", CpuName().c_str());
  for (const Tier& tier : tiers) {
    std::printf("  %-12s %-4s %s\n", tier.name.c_str(), tier.usable ? "yes" : "no",
                tier.reason.c_str());
  }
  return OkStatus();
}

std::vector<TensorView> Views(const Runner& runner, size_t count,
                              TensorView (Runner::*view)(size_t) const) {
  std::vector<TensorView> views;
  for (size_t i = 0; i < count; ++i) views.push_back((runner.*view)(i));
  return views;
}
std::vector<TensorView> InputsOf(const Runner& runner) {
  return Views(runner, runner.input_count(), &Runner::input);
}
std::vector<TensorView> OutputsOf(const Runner& runner) {
  return Views(runner, runner.output_count(), &Runner::output);
}

// The facts that only a plan knows.
struct PlanFacts {
  int64_t macs = 0;
  uint64_t interface_bytes = 0;
};

PlanFacts FactsOf(const Runner& runner) {
  PlanFacts facts;
  for (const PlanStep& step : DescribePlan(runner)) facts.macs += step.macs;
  for (const TensorView& view : InputsOf(runner)) facts.interface_bytes += view.data.size();
  for (const TensorView& view : OutputsOf(runner)) facts.interface_bytes += view.data.size();
  return facts;
}

Json InterfaceJson(std::span<const TensorView> views) {
  Json list = Json::array();
  for (const TensorView& view : views) {
    Json item = {{"name", view.name}, {"type", TypeName(view.type)}, {"shape", view.shape}};
    if (view.scale != 0) {
      item["scale"] = view.scale;
      item["zero_point"] = view.zero_point;
    }
    list.push_back(item);
  }
  return list;
}

size_t LabelCount(const Model& model) {
  size_t count = 0;
  for (size_t i = 0; i < model.outputs().size(); ++i)
    count = std::max(count, model.labels(i).size());
  return count;
}

void PrintInfoJson(const InfoFlags& flags, const Model& model, const Runner& runner) {
  const ModelInfo info = Describe(model);
  const PlanFacts facts = FactsOf(runner);
  Json counts = Json::object(), provenance = Json::object();
  for (const auto& [name, count] : info.operator_counts) counts[name] = count;
  for (const auto& [key, value] : info.provenance) provenance[key] = value;
  Json dims = Json::array();
  for (const NamedDimension& d : info.dims)
    dims.push_back({{"name", d.name}, {"value", d.value}, {"max", d.max}});
  PrintJson({{"file", flags.file},
             {"name", info.name},
             {"version", info.version},
             {"author", info.author},
             {"licence", info.licence},
             {"description", info.description},
             {"file_bytes", info.file_bytes},
             {"parameters", info.parameters},
             {"parameter_bytes", info.weight_bytes},
             {"macs", facts.macs},
             {"operators", info.operators},
             {"operator_counts", counts},
             {"tensors", info.tensors},
             {"peak_arena_bytes", runner.peak_arena_bytes()},
             {"interface_bytes", facts.interface_bytes},
             {"exact", runner.exact()},
             {"labels", LabelCount(model)},
             {"hash_tree", info.has_hash_tree},
             {"signature", info.has_signature},
             {"signer", info.signer},
             {"golden_samples", info.golden_samples},
             {"dims", dims},
             {"inputs", InterfaceJson(InputsOf(runner))},
             {"outputs", InterfaceJson(OutputsOf(runner))},
             {"provenance", provenance}});
}

void PrintInterface(const char* what, std::span<const TensorView> views) {
  for (const TensorView& view : views) {
    std::printf("%-11s %s %s", what, Printable(view.name).c_str(), TypeAndShape(view).c_str());
    if (view.scale != 0) std::printf("  real = %g * (stored %+d)", view.scale, -view.zero_point);
    std::printf("\n");
  }
}

void PrintText(const char* what, const std::string& text) {
  if (!text.empty()) std::printf("%-11s %s\n", what, Printable(text).c_str());
}

void PrintInfo(const InfoFlags& flags, const Model& model, const Runner& runner) {
  const ModelInfo info = Describe(model);
  const PlanFacts facts = FactsOf(runner);
  PrintText("file", flags.file + ", " + HumanBytes(info.file_bytes));
  PrintText("name", info.name);
  PrintText("version", info.version);
  PrintText("author", info.author);
  PrintText("licence", info.licence);
  PrintText("description", info.description);
  PrintInterface("input", InputsOf(runner));
  PrintInterface("output", OutputsOf(runner));
  for (const NamedDimension& d : info.dims) {
    std::printf("dimension   %s: 1 to %u, %u unless --dim says otherwise\n",
                Printable(d.name).c_str(), d.max, d.value);
  }
  if (const size_t labels = LabelCount(model); labels > 0) std::printf("labels      %zu\n", labels);
  std::printf("operators   %llu:", static_cast<unsigned long long>(info.operators));
  const char* separator = " ";
  for (const auto& [name, count] : info.operator_counts) {
    std::printf("%s%s %llu", separator, name.c_str(), static_cast<unsigned long long>(count));
    separator = ", ";
  }
  std::printf("\nMACs        %s\n", HumanCount(static_cast<uint64_t>(facts.macs)).c_str());
  std::printf("parameters  %s in %s of the file, used in place\n",
              HumanCount(info.parameters).c_str(), HumanBytes(info.weight_bytes).c_str());
  std::printf("peak RAM    %s, and %s of inputs and outputs\n",
              HumanBytes(runner.peak_arena_bytes()).c_str(),
              HumanBytes(facts.interface_bytes).c_str());
  std::printf("exact       %s\n", runner.exact() ? "yes: the same bytes on every device"
                                                 : "no: floating-point steps lead to an output");
  std::printf("trust       %s, %s\n",
              info.has_hash_tree ? "hash tree (whit verify checks all of it)" : "no hash tree",
              info.has_signature ? ("signed by " + info.signer).c_str() : "no signature");
  if (info.golden_samples > 0) {
    std::printf("golden      %llu samples (whit verify --golden runs them)\n",
                static_cast<unsigned long long>(info.golden_samples));
  }
  for (const auto& [key, value] : info.provenance) {
    std::printf("%-11s %s\n", Printable(key).c_str(), Printable(value).c_str());
  }
}

Status RunInfo(const InfoFlags& flags) {
  if (flags.cpu != flags.file.empty()) return UsageError("give either a model FILE or --cpu");
  if (flags.cpu) return InfoCpu(flags.json);
  WHIT_ASSIGN_OR_RETURN(const OpenedModel opened, OpenModel(flags.file));
  if (flags.provenance) return PrintProvenance(opened.model, flags.file, flags.json);
  auto runner = CreateRunner(opened.model, flags.file, flags.run);
  if (!runner.ok()) return runner.status();
  (flags.json ? PrintInfoJson : PrintInfo)(flags, opened.model, *runner);
  return OkStatus();
}

}  // namespace

void AddInfo(CLI::App& app, Action* action) {
  auto [cli, flags] = AddCommand<InfoFlags>(
      app, action, "info",
      "Inputs, outputs, operators, MACs, parameter bytes and peak RAM of a model; or this CPU",
      "whit info mobilenet.tflite\n  whit info --provenance mobilenet.whit\n  whit info --cpu",
      RunInfo);
  cli->add_option("FILE", flags->file, "A .whit, .tflite or .onnx file");
  flags->run.AddDims(cli);
  cli->add_flag("--provenance", flags->provenance,
                "Only where the model comes from: tools, digests of their sources, options, "
                "calibration, and who signed that");
  cli->add_flag("--cpu", flags->cpu, "The instruction-set tiers of this build on this CPU");
  cli->add_flag("--json", flags->json, "One line of JSON");
}

}  // namespace whit::tools
