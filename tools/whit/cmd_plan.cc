// whit plan: the steps of a run.
#include <cstdio>

#include "tools/whit/open_model.h"

namespace whit::tools {

namespace {

struct PlanFlags {
  std::string file;
  RunFlags run;
  bool json = false;
};

void PrintPlanJson(const Runner& runner, const std::vector<PlanStep>& steps) {
  Json list = Json::array();
  for (const PlanStep& s : steps) {
    list.push_back({{"node", s.node},
                    {"op", s.op},
                    {"implementation", s.implementation},
                    {"tier", s.tier},
                    {"why_not", s.why_not},
                    {"inputs", s.inputs},
                    {"outputs", s.outputs},
                    {"scratch_bytes", s.scratch_bytes},
                    {"macs", s.macs},
                    {"tasks", s.tasks},
                    {"threads", s.threads}});
  }
  PrintJson({{"peak_arena_bytes", runner.peak_arena_bytes()},
             {"exact", runner.exact()},
             {"tuning", runner.tuning_note()},
             {"steps", list}});
}

void PrintPlan(const Runner& runner, const std::vector<PlanStep>& steps) {
  for (size_t i = 0; i < steps.size(); ++i) {
    const PlanStep& s = steps[i];
    std::printf("%3zu  %-20s %s/%s  %s MACs, %lld tasks on %d thread%s, scratch %s  %s\n", i,
                s.op.c_str(), s.implementation.c_str(), s.tier.c_str(),
                HumanCount(static_cast<uint64_t>(s.macs)).c_str(), static_cast<long long>(s.tasks),
                s.threads, s.threads == 1 ? "" : "s", HumanBytes(s.scratch_bytes).c_str(),
                Printable(s.node).c_str());
    for (const std::string& in : s.inputs) std::printf("       <- %s\n", Printable(in).c_str());
    for (const std::string& out : s.outputs) std::printf("       -> %s\n", Printable(out).c_str());
    if (!s.why_not.empty()) std::printf("       not faster: %s\n", Printable(s.why_not).c_str());
  }
  if (!runner.tuning_note().empty()) {
    std::printf("tuning %s\n", std::string(runner.tuning_note()).c_str());
  }
  std::printf("%zu steps, arena %s (%llu bytes)\n", steps.size(),
              HumanBytes(runner.peak_arena_bytes()).c_str(),
              static_cast<unsigned long long>(runner.peak_arena_bytes()));
}

Status RunPlan(const PlanFlags& flags) {
  WHIT_ASSIGN_OR_RETURN(const OpenedModel opened, OpenModel(flags.file, flags.run.trust));
  auto runner = CreateRunner(opened.model, flags.file, flags.run);
  if (!runner.ok()) return runner.status();
  (flags.json ? PrintPlanJson : PrintPlan)(*runner, DescribePlan(*runner));
  return OkStatus();
}

}  // namespace

void AddPlan(CLI::App& app, Action* action) {
  auto [cli, flags] = AddCommand<PlanFlags>(
      app, action, "plan", "Steps of a run: implementations, memory offsets, peak arena",
      "whit plan mobilenet.whit --threads 2", RunPlan);
  cli->add_option("FILE", flags->file, "A .whit, .tflite or .onnx file")->required();
  flags->run.AddTo(cli);
  cli->add_flag("--json", flags->json, "One line of JSON");
}

}  // namespace whit::tools
