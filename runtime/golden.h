// Golden samples: inputs, and digests of what a run of them gives on every device. The plain
// executor makes them; any plan can be held against them, and the digests of operators say which of
// them is the first that differs.
#ifndef WHIT_RUNTIME_GOLDEN_H_
#define WHIT_RUNTIME_GOLDEN_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/impl.h"
#include "schema/trust_generated.h"

namespace whit {

/// A runner whose operators' results can be looked at. They are seen through the profile callback,
/// so a run that nobody looks at has no more to do. REQUIRES CryptoAvailable().
class GoldenRunner {
 public:
  /// `options` as for any runner; its profile callback is taken.
  static Result<std::unique_ptr<GoldenRunner>> Create(const Model& model, RunnerOptions options);

  /// Runs the sample, from fresh variables, and gives its record. kUnsupported where an output
  /// depends on float arithmetic.
  Result<fbs::GoldenT> Take(const std::string& name, std::span<const std::byte> inputs);
  /// Runs a sample of the model's file the same way and compares.
  Result<GoldenResult> Replay(const fbs::Golden& golden);

  Runner& runner() { return *runner_; }

 private:
  GoldenRunner() = default;
  Status Run(std::span<const std::byte> inputs, bool look);
  void Look(size_t step);
  Status CheckExact() const;
  const std::string* FirstDifferent(const fbs::Golden& golden) const;
  void NameOperator(const fbs::Golden& golden, GoldenResult* result) const;

  std::unique_ptr<Runner> runner_;
  bool look_ = false;
  std::vector<uint64_t> found_;  // a node: the part of its digest that is stored; 0: not seen
  std::vector<size_t> step_;     // a node: the step that it was seen at
};

}  // namespace whit

#endif  // WHIT_RUNTIME_GOLDEN_H_
