// What flipped bits of a model do, and what is done about them: accuracy against flips without
// protection, detection and repair with it. docs/trust.md, Flips.
#ifndef WHIT_TOOLS_WHIT_ATTACK_H_
#define WHIT_TOOLS_WHIT_ATTACK_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "runtime/whit.h"
#include "tools/quantize/observe.h"

namespace whit::tools {

struct AttackOptions {
  uint64_t seed = 1;
  int trials = 5;              // of every curve, each with flips of its own
  uint64_t most_flips = 4096;  // of a curve
  uint64_t campaign = 1000;    // single flips, over all sites
  std::string isa;
  std::vector<size_t> classes;           // expected, one a sample; empty: the model's own answers
  std::function<void(double)> progress;  // share of the work that is done
};

/// Accuracy after 0, 1, 2, 4, ... flips that stay, as mean over the trials.
struct AttackCurve {
  std::string name;  // "random bits", "most significant bits"
  struct Point {
    uint64_t flips = 0;
    double accuracy = 0, least = 0, most = 0;
  };
  std::vector<Point> points;
  std::vector<uint64_t> to_chance;  // of each trial: flips at which chance was reached; 0: never
  // The flips at the end of each trial, under protection.
  uint64_t pages_hit = 0, pages_repaired = 0;
  double accuracy_repaired = 0;  // the least of all trials
  bool bytes_restored = true;
};

/// Single flips at one kind of place, each on its own.
struct AttackSite {
  std::string name;
  uint64_t bits = 0, flips = 0;
  uint64_t found_by_scrub = 0;  // in its next pass
  uint64_t changed_output = 0;  // of one sample, unprotected
  uint64_t found_in_run = 0;    // by self-check, of those that changed the output
  uint64_t found_at_all = 0;    // by self-check
  uint64_t wrong_answers = 0;   // that a self-checked run gave out
  uint64_t restored = 0;        // exact bytes again afterwards
};

struct AttackReport {
  std::string file;
  uint64_t seed = 0;
  size_t samples = 0, classes = 0;
  bool own_answers = false;
  double accuracy = 0, chance = 0;
  std::vector<AttackCurve> curves;
  std::vector<AttackSite> sites;
};

/// `path` is a .whit file with a hash tree, read twice into memory: once unprotected, once as a
/// program would use it.
Result<AttackReport> Attack(const std::string& path, const std::vector<Sample>& samples,
                            const AttackOptions& options);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_WHIT_ATTACK_H_
