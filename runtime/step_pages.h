// Which pages of a file a step reads.
#ifndef WHIT_RUNTIME_STEP_PAGES_H_
#define WHIT_RUNTIME_STEP_PAGES_H_

#include <algorithm>
#include <cstddef>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "runtime/plan.h"
#include "schema/page_range.h"
#include "schema/sealed_weights.h"

namespace whit {

/// The same pages in order and each once.
inline std::vector<PageRange> Merged(std::vector<PageRange> ranges) {
  std::erase_if(ranges, [](const PageRange& r) { return r.begin == r.end; });
  std::sort(ranges.begin(), ranges.end(),
            [](const PageRange& a, const PageRange& b) { return a.begin < b.begin; });
  std::vector<PageRange> merged;
  for (const PageRange& r : ranges) {
    if (!merged.empty() && r.begin <= merged.back().end) {
      merged.back().end = std::max(merged.back().end, r.end);
    } else {
      merged.push_back(r);
    }
  }
  return merged;
}

/// In order and each once. `Pages` says which pages lie under bytes: PageChecker or SealedWeights.
template <typename Pages>
std::vector<PageRange> PagesOf(const Step& step, const Pages& pages) {
  std::vector<PageRange> ranges;
  const auto add = [&](const void* data, size_t size) {
    ranges.push_back(pages.PagesOf({static_cast<const std::byte*>(data), size}));
  };
  for (const BlobView& blob : step.reads) add(blob.data, blob.bytes);
  for (const Slot& slot : step.in) {
    if (slot.place.kind == Place::Kind::kConstant) add(slot.place.constant, slot.view.bytes());
  }
  return Merged(std::move(ranges));
}

/// For PlanOptions::open_blobs; the plan is made under a lease of `sealed`.
inline std::function<Status(std::span<const BlobView>)> OpenerOf(SealedWeights* sealed) {
  return [sealed](std::span<const BlobView> blobs) {
    std::vector<PageRange> ranges;
    for (const BlobView& b : blobs)
      ranges.push_back(sealed->PagesOf({static_cast<const std::byte*>(b.data), b.bytes}));
    return sealed->Open(Merged(std::move(ranges)), nullptr);
  };
}

}  // namespace whit

#endif  // WHIT_RUNTIME_STEP_PAGES_H_
