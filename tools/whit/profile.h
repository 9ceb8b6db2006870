// Where the time of a run goes, step by step: as a table, as JSON, as a picture.
#ifndef WHIT_TOOLS_WHIT_PROFILE_H_
#define WHIT_TOOLS_WHIT_PROFILE_H_

#include <cstdio>
#include <map>
#include <string>

#include "runtime/whit.h"
#include "tools/whit/command.h"

namespace whit::tools {

/// One step: the shortest time of all runs, for on a machine with other work a mean says more about
/// that work.
struct StepTime {
  std::string node, op, implementation, tier;
  uint64_t ns = UINT64_MAX;
  int64_t macs = 0;
  bool floats = false;  // judged by the machine's float peak, else by its int8 peak
  int threads = 1;
};

struct Profile {
  std::map<size_t, StepTime>
      steps;         // by place in the plan; those of the first run alone are not there
  MachinePeak peak;  // of one thread
  std::string title;

  /// Takes what the runner's profile callback sees.
  void Add(const StepProfile& step);
  /// What only the plan knows.
  void AddPlan(const Runner& runner);
  /// Sum of all steps, at least 1.
  uint64_t total_ns() const;
};

/// Share of the peak that a step reaches, 0..1 and above where a clock rises; 0: no product.
double ShareOfPeak(const Profile& profile, const StepTime& step);

void PrintProfile(const Profile& profile, FILE* to);
/// [{"step", "node", "op", "implementation", "tier", "us", "share", "gmacs", "peak_share"}]
Json ProfileJson(const Profile& profile);
/// A bar a step, as long as its time; the dark part is what the peak would take.
std::string ProfileSvg(const Profile& profile);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_WHIT_PROFILE_H_
