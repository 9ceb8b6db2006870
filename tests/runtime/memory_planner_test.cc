// The memory planner against its promises on many small random cases, and against the best order
// found by brute force.
#include "runtime/memory_planner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string>

namespace whit {
namespace {

uint64_t Aligned(uint64_t bytes) {
  return (bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
}

uint64_t SumOf(const std::vector<BufferLife>& buffers) {
  uint64_t sum = 0;
  for (const BufferLife& b : buffers) sum += Aligned(b.size);
  return sum;
}

// The most bytes alive in one step: no plan can be smaller.
uint64_t MostAlive(const std::vector<BufferLife>& buffers) {
  uint64_t most = 0;
  for (const BufferLife& at : buffers) {
    uint64_t alive = 0;
    for (const BufferLife& b : buffers) {
      if (b.first <= at.first && at.first <= b.last) alive += Aligned(b.size);
    }
    most = std::max(most, alive);
  }
  return most;
}

std::string Print(const std::vector<BufferLife>& buffers, const MemoryPlan& plan) {
  std::string text;
  for (size_t i = 0; i < buffers.size(); ++i) {
    text += std::to_string(buffers[i].size) + " bytes in steps " +
            std::to_string(buffers[i].first) + ".." + std::to_string(buffers[i].last) + " at " +
            std::to_string(plan.offsets[i]) + "; ";
  }
  return text + "total " + std::to_string(plan.total);
}

// What every plan owes, whoever made it.
void ExpectValid(const std::vector<BufferLife>& buffers, const MemoryPlan& plan) {
  ASSERT_EQ(plan.offsets.size(), buffers.size());
  for (size_t i = 0; i < buffers.size(); ++i) {
    EXPECT_EQ(plan.offsets[i] % kBufferAlignment, 0u);
    if (buffers[i].size > 0) {
      EXPECT_LE(plan.offsets[i] + buffers[i].size, plan.total);
    }
    for (size_t j = 0; j < i; ++j) {
      const BufferLife &a = buffers[i], &b = buffers[j];
      const bool meet = a.first <= b.last && b.first <= a.last && a.size > 0 && b.size > 0;
      const bool apart = plan.offsets[i] + a.size <= plan.offsets[j] ||
                         plan.offsets[j] + b.size <= plan.offsets[i];
      EXPECT_TRUE(!meet || apart) << "buffers " << j << " and " << i;
    }
  }
  EXPECT_LE(plan.total, SumOf(buffers));
  EXPECT_GE(plan.total, MostAlive(buffers));
}

std::vector<BufferLife> RandomBuffers(std::mt19937* rng, size_t most) {
  const auto random = [&](int lo, int hi) {
    return std::uniform_int_distribution<int>(lo, hi)(*rng);
  };
  std::vector<BufferLife> buffers(static_cast<size_t>(random(0, static_cast<int>(most))));
  for (BufferLife& b : buffers) {
    b.size = random(0, 9) == 0 ? 0 : static_cast<uint64_t>(random(1, 400));
    b.first = random(0, 8);
    b.last = b.first + random(0, 4);
  }
  return buffers;
}

TEST(MemoryPlannerTest, NothingThatMeetsOverlaps) {
  std::mt19937 rng(1);
  for (int i = 0; i < 3000; ++i) {
    const std::vector<BufferLife> buffers = RandomBuffers(&rng, 24);
    const MemoryPlan plan = PlanMemory(buffers);
    ExpectValid(buffers, plan);
    if (HasFailure()) FAIL() << "case " << i << ": " << Print(buffers, plan);
  }
}

// Lowest gap first over every order of up to 6 buffers: one of them is the smallest plan there is.
TEST(MemoryPlannerTest, StaysNearTheBestPlan) {
  std::mt19937 rng(2);
  uint64_t total = 0, best_total = 0;
  for (int i = 0; i < 300; ++i) {
    const std::vector<BufferLife> buffers = RandomBuffers(&rng, 6);
    std::vector<size_t> order(buffers.size());
    std::iota(order.begin(), order.end(), size_t{0});
    uint64_t best = SumOf(buffers);
    do {
      std::vector<uint64_t> offsets(buffers.size());
      uint64_t end = 0;
      for (size_t n = 0; n < order.size(); ++n) {
        const BufferLife& b = buffers[order[n]];
        uint64_t at = 0;
        for (bool moved = true;
             moved;) {  // up, until it rests on nothing that lives at the same time
          moved = false;
          for (size_t m = 0; m < n; ++m) {
            const BufferLife& a = buffers[order[m]];
            const uint64_t from = offsets[order[m]], to = from + Aligned(a.size);
            if (a.first > b.last || b.first > a.last || at >= to || at + Aligned(b.size) <= from)
              continue;
            at = to;
            moved = true;
          }
        }
        offsets[order[n]] = at;
        end = std::max(end, at + Aligned(b.size));
      }
      best = std::min(best, end);
    } while (std::next_permutation(order.begin(), order.end()));
    const uint64_t planned = PlanMemory(buffers).total;
    EXPECT_GE(planned, best) << "case " << i;
    EXPECT_LE(planned, best + best / 2)
        << "case " << i << ": " << Print(buffers, PlanMemory(buffers));
    total += planned;
    best_total += best;
  }
  EXPECT_LE(static_cast<double>(total), 1.03 * static_cast<double>(best_total));
}

TEST(MemoryPlannerTest, ReusesAndDoesNot) {
  const std::vector<BufferLife> chain = {{100, 0, 1}, {100, 1, 2}, {100, 2, 3}, {0, 0, 3}};
  EXPECT_EQ(PlanMemory(chain).total, 2 * Aligned(100));
  const MemoryPlan plain = PlanMemoryWithoutReuse(chain);
  EXPECT_EQ(plain.total, 3 * Aligned(100));
  EXPECT_EQ(plain.offsets,
            (std::vector<uint64_t>{0, Aligned(100), 2 * Aligned(100), 3 * Aligned(100)}));
  EXPECT_EQ(PlanMemory({}).total, 0u);
}

TEST(MemoryPlannerTest, WithoutReuseEveryBufferIsAlone) {
  std::mt19937 rng(3);
  for (int i = 0; i < 200; ++i) {
    std::vector<BufferLife> buffers = RandomBuffers(&rng, 12);
    const MemoryPlan plan = PlanMemoryWithoutReuse(buffers);
    for (BufferLife& b : buffers) b.first = 0, b.last = 100;
    ExpectValid(buffers, plan);
  }
}

TEST(MemoryPlannerTest, LargeSizesDoNotWrap) {
  const std::vector<BufferLife> buffers = {
      {uint64_t{1} << 40, 0, 1}, {uint64_t{1} << 40, 1, 2}, {1, 0, 2}};
  const MemoryPlan plan = PlanMemory(buffers);
  ExpectValid(buffers, plan);
  EXPECT_EQ(plan.total, (uint64_t{1} << 41) + kBufferAlignment);
}

}  // namespace
}  // namespace whit
