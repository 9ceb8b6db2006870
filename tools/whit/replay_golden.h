// Golden samples on everything that this CPU can run: `whit verify --golden`.
#ifndef WHIT_TOOLS_WHIT_REPLAY_GOLDEN_H_
#define WHIT_TOOLS_WHIT_REPLAY_GOLDEN_H_

#include <string>
#include <vector>

#include "runtime/whit.h"
#include "tools/whit/command.h"

namespace whit::tools {

/// All samples on one tier with one number of threads.
struct GoldenReplay {
  std::string tier;  // "plain": the plain executor
  int threads = 1;
  std::vector<GoldenResult> samples;

  /// The first sample that differs, or null.
  const GoldenResult* different() const;
};

/// The plain executor, then every usable tier with one, two and all threads.
Result<std::vector<GoldenReplay>> ReplayEverywhere(const Model& model);

Json GoldenJson(const std::vector<GoldenReplay>& replays);
void PrintGolden(const std::vector<GoldenReplay>& replays);
/// kIntegrity with the first difference.
Status CheckGolden(const std::vector<GoldenReplay>& replays);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_WHIT_REPLAY_GOLDEN_H_
