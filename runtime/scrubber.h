// Looks again at weights that were checked once: memory flips bits. Cheap sums find a page that has
// changed, the tree and storage make it right again (schema/page_checker.h). docs/trust.md, Flips.
#ifndef WHIT_RUNTIME_SCRUBBER_H_
#define WHIT_RUNTIME_SCRUBBER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string_view>

#include "platform/status.h"
#include "runtime/whit.h"
#include "schema/page_checker.h"

namespace whit {

/// Goes round and round the pages of weights, for all runners of a model together. Any number of
/// threads may use it. Borrows from the model.
class Scrubber {
 public:
  using Log = std::function<void(int level, std::string_view message)>;
  Scrubber(const PageChecker& pages, Log log) : pages_(pages), log_(std::move(log)) {}

  /// Pages of a pass.
  uint64_t pages() const { return pages_.weight_pages().end - pages_.weight_pages().begin; }
  /// The next `count` pages, at most a whole pass. kIntegrity where one cannot be made right.
  Result<ScrubReport> Scrub(uint64_t count);
  /// Pages of a range at once, whatever their turn.
  Result<ScrubReport> ScrubRange(PageRange range);
  /// All that was done since the model was opened.
  ScrubReport total() const;

 private:
  Status ScrubPage(uint64_t page, ScrubReport* report);

  const PageChecker& pages_;
  const Log log_;
  std::atomic<uint64_t> next_{0};  // pages taken, over all passes
  std::atomic<uint64_t> checked_{0}, repaired_{0};
};

/// What share of the time of runs one runner has left for the scrubber.
class ScrubBudget {
 public:
  explicit ScrubBudget(double share = 0) : share_(share) {}
  bool on() const { return share_ > 0; }
  void Earn(uint64_t run_ns) { credit_ns_ += share_ * static_cast<double>(run_ns); }
  /// As many pages as the credit pays for: none, where it is less than the last one took.
  Status Spend(Scrubber* scrubber);

 private:
  double share_;
  double credit_ns_ = 0;
  double page_ns_ = 20'000;  // of one page, until it was measured: the tree, 16 KiB at 0.8 GB/s
};

}  // namespace whit

#endif  // WHIT_RUNTIME_SCRUBBER_H_
