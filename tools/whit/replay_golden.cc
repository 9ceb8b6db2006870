#include "tools/whit/replay_golden.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <thread>

namespace whit::tools {

namespace {

// "node 'conv1' (Conv2D, panel) is the first that differs"
std::string Describe(const GoldenResult& r) {
  std::string text = Printable(r.sample) + ", output '" + Printable(r.output) + "': ";
  if (!r.repeats) return text + "differs, but not when run again";
  if (r.node.empty()) return text + "no operator that can be seen differs, its output does";
  return text + "node '" + Printable(r.node) + "' (" + r.op + ", " + r.implementation +
         ") is the first that differs";
}

std::string Describe(const GoldenReplay& replay) {
  return replay.tier + ", " + std::to_string(replay.threads) +
         (replay.threads == 1 ? " thread" : " threads");
}

}  // namespace

const GoldenResult* GoldenReplay::different() const {
  const auto found = std::ranges::find(samples, false, &GoldenResult::equal);
  return found == samples.end() ? nullptr : &*found;
}

Result<std::vector<GoldenReplay>> ReplayEverywhere(const Model& model) {
  std::vector<GoldenReplay> replays;
  const auto replay = [&](const std::string& tier, int threads) -> Status {
    RunnerOptions options;
    options.plain = tier == "plain";
    if (!options.plain) options.isa = tier;
    options.threads = threads;
    options.split_always = threads > 1;  // else small steps would run on one
    WHIT_ASSIGN_OR_RETURN(std::vector<GoldenResult> samples, ReplayGolden(model, options));
    replays.push_back({tier, threads, std::move(samples)});
    return OkStatus();
  };
  WHIT_RETURN_IF_ERROR(replay("plain", 1));
  std::set<int> counts = {1, 2};
  counts.insert(std::max(1, static_cast<int>(std::thread::hardware_concurrency())));
  for (const Tier& tier : CpuTiers()) {
    for (int threads : counts) {
      if (tier.usable) WHIT_RETURN_IF_ERROR(replay(tier.name, threads));
    }
  }
  return replays;
}

Json GoldenJson(const std::vector<GoldenReplay>& replays) {
  Json runs = Json::array();
  for (const GoldenReplay& replay : replays) {
    const GoldenResult* d = replay.different();
    const GoldenResult none;
    const GoldenResult& r = d == nullptr ? none : *d;
    runs.push_back({{"tier", replay.tier},
                    {"threads", replay.threads},
                    {"equal", d == nullptr},
                    {"sample", r.sample},
                    {"output", r.output},
                    {"node", r.node},
                    {"op", r.op},
                    {"implementation", r.implementation},
                    {"repeats", r.repeats}});
  }
  return {{"samples", replays.empty() ? 0 : replays[0].samples.size()},
          {"equal", CheckGolden(replays).ok()},
          {"runs", runs}};
}

void PrintGolden(const std::vector<GoldenReplay>& replays) {
  if (replays.empty()) return;
  std::printf("golden samples  %zu\n", replays[0].samples.size());
  for (const GoldenReplay& replay : replays) {
    const GoldenResult* d = replay.different();
    std::printf("  %-26s %s\n", Describe(replay).c_str(),
                d == nullptr ? "the same bytes" : ("OTHER BYTES: " + Describe(*d)).c_str());
  }
}

Status CheckGolden(const std::vector<GoldenReplay>& replays) {
  for (const GoldenReplay& replay : replays) {
    if (const GoldenResult* d = replay.different(); d != nullptr)
      return Status(StatusCode::kIntegrity, Describe(replay) + ": " + Describe(*d));
  }
  return OkStatus();
}

}  // namespace whit::tools
