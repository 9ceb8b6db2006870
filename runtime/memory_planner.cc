#include "runtime/memory_planner.h"

#include <algorithm>
#include <numeric>

namespace whit {

namespace {

bool LivesMeet(const BufferLife& a, const BufferLife& b) {
  return a.first <= b.last && b.first <= a.last;
}

}  // namespace

MemoryPlan PlanMemory(std::span<const BufferLife> buffers) {
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    if (buffers[a].size != buffers[b].size) return buffers[a].size > buffers[b].size;
    if (buffers[a].first != buffers[b].first) return buffers[a].first < buffers[b].first;
    return a < b;
  });
  MemoryPlan plan;
  plan.offsets.assign(buffers.size(), 0);
  std::vector<size_t> placed;  // ordered by offset
  for (size_t i : order) {
    const uint64_t size = AlignUp(buffers[i].size);
    if (size == 0) continue;
    uint64_t offset = 0;
    for (size_t j : placed) {
      if (!LivesMeet(buffers[i], buffers[j])) continue;
      if (plan.offsets[j] >= offset + size) break;  // the gap before j is large enough
      offset = std::max(offset, plan.offsets[j] + AlignUp(buffers[j].size));
    }
    plan.offsets[i] = offset;
    plan.total = std::max(plan.total, offset + size);
    auto later = std::upper_bound(placed.begin(), placed.end(), offset,
                                  [&](uint64_t at, size_t j) { return at < plan.offsets[j]; });
    placed.insert(later, i);
  }
  return plan;
}

MemoryPlan PlanMemoryWithoutReuse(std::span<const BufferLife> buffers) {
  MemoryPlan plan;
  for (const BufferLife& buffer : buffers) {
    plan.offsets.push_back(plan.total);
    plan.total += AlignUp(buffer.size);
  }
  return plan;
}

}  // namespace whit
