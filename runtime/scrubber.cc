#include "runtime/scrubber.h"

#include <algorithm>
#include <string>

#include "platform/clock.h"

namespace whit {

Status Scrubber::ScrubPage(uint64_t page, ScrubReport* report) {
  ++report->pages;
  checked_.fetch_add(1, std::memory_order_relaxed);
  if (pages_.StillHolds(page)) return OkStatus();
  WHIT_ASSIGN_OR_RETURN(const bool changed, pages_.Repair(page));
  if (!changed) return OkStatus();
  ++report->repaired;
  repaired_.fetch_add(1, std::memory_order_relaxed);
  if (log_) {
    log_(kLogWarning, "weights, page " + std::to_string(page) +
                          " had flipped bits and was repaired from storage; results since the "
                          "last pass of the scrubber may be wrong");
  }
  return OkStatus();
}

Result<ScrubReport> Scrubber::Scrub(uint64_t count) {
  ScrubReport report;
  const PageRange all = pages_.weight_pages();
  const uint64_t pass = pages();
  if (pass == 0) return report;
  count = std::min(count, pass);
  const uint64_t first = next_.fetch_add(count, std::memory_order_relaxed);
  for (uint64_t i = first; i < first + count; ++i) {
    WHIT_RETURN_IF_ERROR(ScrubPage(all.begin + i % pass, &report));
    if ((i + 1) % pass == 0) ++report.passes;
  }
  return report;
}

Result<ScrubReport> Scrubber::ScrubRange(PageRange range) {
  ScrubReport report;
  const PageRange all = pages_.weight_pages();
  const uint64_t end = std::min(range.end, all.end);
  for (uint64_t page = std::max(range.begin, all.begin); page < end; ++page)
    WHIT_RETURN_IF_ERROR(ScrubPage(page, &report));
  return report;
}

ScrubReport Scrubber::total() const {
  ScrubReport report;
  report.pages = checked_.load(std::memory_order_relaxed);
  report.repaired = repaired_.load(std::memory_order_relaxed);
  report.passes = pages() == 0 ? 0 : next_.load(std::memory_order_relaxed) / pages();
  return report;
}

Status ScrubBudget::Spend(Scrubber* scrubber) {
  const uint64_t pass = scrubber->pages();
  if (pass == 0 || credit_ns_ < page_ns_) return OkStatus();
  // More than a pass at once finds nothing more, so credit for that lapses.
  credit_ns_ = std::min(credit_ns_, page_ns_ * static_cast<double>(pass));
  const auto count = std::max<uint64_t>(1, static_cast<uint64_t>(credit_ns_ / page_ns_));
  const uint64_t start = NowNs();
  auto report = scrubber->Scrub(count);
  if (!report.ok()) return report.status();
  const auto spent = static_cast<double>(NowNs() - start);
  credit_ns_ -= spent;
  page_ns_ = std::max(1.0, spent / static_cast<double>(count));
  return OkStatus();
}

}  // namespace whit
