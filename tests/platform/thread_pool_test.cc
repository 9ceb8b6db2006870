#include "platform/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cfenv>
#include <limits>
#include <vector>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace whit {
namespace {

struct Visits {
  std::vector<std::atomic<int>> tasks, busy;
  int64_t grain = 1;
  std::atomic<bool> bad{false};
};

TEST(ThreadPoolTest, EveryTaskOnceAndThreadIndicesAreExclusive) {
  for (int threads : {-1, 0, 1, 2, 3, 7}) {
    auto pool = ThreadPool::Create(threads);
    ASSERT_TRUE(pool.ok()) << pool.status().message();
    EXPECT_EQ((*pool)->threads(), std::max(threads, 1));
    EXPECT_EQ((*pool)->native() == nullptr, threads <= 1);
    for (int64_t tasks : {0, 1, 2, 5, 1000}) {
      for (int64_t grain : {int64_t{0}, int64_t{1}, int64_t{3}, int64_t{1000}, INT64_MAX}) {
        Visits visits{std::vector<std::atomic<int>>(static_cast<size_t>(tasks)),
                      std::vector<std::atomic<int>>(static_cast<size_t>((*pool)->threads())),
                      std::max<int64_t>(grain, 1)};
        (*pool)->ParallelFor(
            tasks, grain,
            [](void* ctx, int thread, int64_t begin, int64_t end) {
              Visits& v = *static_cast<Visits*>(ctx);
              if (begin >= end || end - begin > v.grain) v.bad = true;
              if (v.busy[static_cast<size_t>(thread)].fetch_add(1) != 0) v.bad = true;
              for (int64_t i = begin; i < end; ++i) ++v.tasks[static_cast<size_t>(i)];
              v.busy[static_cast<size_t>(thread)].fetch_sub(1);
            },
            &visits);
        EXPECT_FALSE(visits.bad);
        for (const auto& count : visits.tasks) ASSERT_EQ(count, 1);
      }
    }
  }
}

TEST(ThreadPoolTest, TooManyThreadsIsAStatus) {
  auto pool = ThreadPool::Create(ThreadPool::kMaxThreads + 1);
  ASSERT_FALSE(pool.ok());
  EXPECT_NE(pool.status().message().find("257"), std::string::npos);
}

#if defined(__linux__)
TEST(ThreadPoolTest, PinsWorkersAndLeavesTheCallerAlone) {
  cpu_set_t before, after;
  sched_getaffinity(0, sizeof(before), &before);
  int first = 0;
  while (!CPU_ISSET(first, &before)) ++first;
  const int cpus[] = {first};
  auto pool = ThreadPool::Create(2, cpus);
  ASSERT_TRUE(pool.ok()) << pool.status().message();
  sched_getaffinity(0, sizeof(after), &after);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
  const int none[] = {CPU_SETSIZE - 1};
  EXPECT_FALSE(ThreadPool::Create(2, none).ok());
  const int negative[] = {-1};
  EXPECT_FALSE(ThreadPool::Create(2, negative).ok());
}
#endif

// 1/3 rounds differently in every mode; a denormal survives an addition only without flushing.
// Volatile: at run time.
bool ComputesAsPromised() {
  volatile float one = 1.0f, three = 3.0f, tiny = std::numeric_limits<float>::denorm_min();
  volatile float third = one / three, minus = -one / three, kept = tiny + tiny;
  return third == 0x1.555556p-2f && minus == -0x1.555556p-2f && kept != 0.0f;
}

void ExpectGuarded() {
  EXPECT_FALSE(
      ComputesAsPromised());  // else the mode was not really changed and the test proves nothing
  {
    FloatEnvGuard guard;
    EXPECT_TRUE(ComputesAsPromised());
  }
  EXPECT_FALSE(ComputesAsPromised());
  auto pool = ThreadPool::Create(3);
  ASSERT_TRUE(pool.ok());
  std::atomic<int> wrong{0};
  (*pool)->ParallelFor(
      100, 1,
      [](void* ctx, int, int64_t, int64_t) {
        if (!ComputesAsPromised()) ++*static_cast<std::atomic<int>*>(ctx);
      },
      &wrong);
  EXPECT_EQ(wrong, 0);
  EXPECT_FALSE(ComputesAsPromised());
}

TEST(FloatEnvTest, RoundingModes) {
  ASSERT_TRUE(ComputesAsPromised());
  for (int mode : {FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO}) {
    ASSERT_EQ(fesetround(mode), 0);
    ExpectGuarded();
    EXPECT_EQ(fegetround(), mode);
    fesetround(FE_TONEAREST);
  }
}

#if defined(__SSE__)
TEST(FloatEnvTest, FlushToZeroAndDenormalsAreZero) {
  const unsigned saved = _mm_getcsr();
  for (unsigned bit : {0x8000u, 0x0040u}) {
    _mm_setcsr(saved | bit);
    ExpectGuarded();
    EXPECT_EQ(_mm_getcsr() & bit, bit);
    _mm_setcsr(saved);
  }
}
#endif

}  // namespace
}  // namespace whit
