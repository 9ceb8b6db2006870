#include "platform/thread_pool.h"

#define PTHREADPOOL_NO_DEPRECATED_API 1
#include <pthread.h>
#include <pthreadpool.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "platform/posix.h"

namespace whit {
namespace {

// ---- the control register ----

#if defined(__x86_64__) || defined(__SSE__)
// MXCSR at reset: all exceptions masked, round to nearest, no FTZ (bit 15), no DAZ (bit 6).
constexpr uint64_t kDefaultMode = 0x1f80;
constexpr uint64_t kModeMask = 0xffc0;  // the rest are sticky exception flags
uint64_t ReadMode() { return __builtin_ia32_stmxcsr(); }
void WriteMode(uint64_t mode) { __builtin_ia32_ldmxcsr(static_cast<unsigned>(mode)); }
#elif defined(__aarch64__)
// FPCR at zero: round to nearest, no FZ, FZ16, DN, no traps.
constexpr uint64_t kDefaultMode = 0;
constexpr uint64_t kModeMask = 0xffffffffu;
uint64_t ReadMode() {
  uint64_t mode;
  asm volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
void WriteMode(uint64_t mode) { asm volatile("msr fpcr, %0" : : "r"(mode)); }
#elif defined(__arm__) && defined(__ARM_FP)
// FPSCR: DN 25, FZ 24, RMode 23:22, traps 15 and 12:8; the condition and sticky flags are not ours.
constexpr uint64_t kDefaultMode = 0;
constexpr uint64_t kModeMask = 0x03c09f00u;
uint64_t ReadMode() {
  uint32_t mode;
  asm volatile("vmrs %0, fpscr" : "=r"(mode));
  return mode;
}
void WriteMode(uint64_t mode) {
  asm volatile("vmsr fpscr, %0" : : "r"(static_cast<uint32_t>(mode)));
}
#else
constexpr uint64_t kDefaultMode = 0;
constexpr uint64_t kModeMask = 0;
uint64_t ReadMode() { return 0; }
void WriteMode(uint64_t) {}
#endif

// ---- starting threads ----

struct Gate {
  std::mutex mutex;
  std::condition_variable opened;
  bool open = false;
};

void* WaitAtGate(void* arg) {
  Gate* gate = static_cast<Gate*>(arg);
  std::unique_lock<std::mutex> lock(gate->mutex);
  gate->opened.wait(lock, [gate] { return gate->open; });
  return nullptr;
}

// pthreadpool_create does not look whether its threads started and waits for ever for one that did
// not. So start as many of our own first: if the system has no room for them, it says so here.
Status ProbeThreads(int count) {
  Gate gate;
  std::vector<pthread_t> started;
  int error = 0;
  for (int i = 0; i < count && error == 0; ++i) {
    pthread_t thread;
    error = pthread_create(&thread, nullptr, WaitAtGate, &gate);
    if (error == 0) started.push_back(thread);
  }
  {
    std::lock_guard<std::mutex> lock(gate.mutex);
    gate.open = true;
  }
  gate.opened.notify_all();
  for (pthread_t thread : started) pthread_join(thread, nullptr);
  if (error == 0) return OkStatus();
  return Status(StatusCode::kOutOfMemory,
                "cannot start " + std::to_string(count) + " worker threads, the system gave " +
                    std::to_string(started.size()) + ": " + posix::ErrorText(error));
}

// Workers inherit the CPU set of the thread that creates them: this one takes the set on for that
// moment.
class AffinityGuard {
 public:
  ~AffinityGuard() {
#if defined(__linux__)
    if (active_) sched_setaffinity(0, sizeof(saved_), &saved_);
#endif
  }

  Status Set(std::span<const int> cpus) {
    if (cpus.empty()) return OkStatus();
#if defined(__linux__)
    cpu_set_t wanted;
    CPU_ZERO(&wanted);
    for (int cpu : cpus) {
      if (cpu < 0 || cpu >= CPU_SETSIZE) {
        return Status(
            StatusCode::kInvalidArgument,
            "CPU " + std::to_string(cpu) + " is outside of 0.." + std::to_string(CPU_SETSIZE - 1));
      }
      CPU_SET(cpu, &wanted);
    }
    if (sched_getaffinity(0, sizeof(saved_), &saved_) != 0 ||
        sched_setaffinity(0, sizeof(wanted), &wanted) != 0) {
      return Status(StatusCode::kInvalidArgument,
                    "none of the " + std::to_string(cpus.size()) +
                        " CPUs asked for is available to this process");
    }
    active_ = true;
    return OkStatus();
#else
    return Status(StatusCode::kUnsupported, "threads cannot be pinned to CPUs on this system");
#endif
  }

 private:
#if defined(__linux__)
  cpu_set_t saved_;
  bool active_ = false;
#endif
};

}  // namespace

FloatEnvGuard::FloatEnvGuard()
    : saved_(ReadMode()), changed_((saved_ & kModeMask) != kDefaultMode) {
  if (changed_) WriteMode((saved_ & ~kModeMask) | kDefaultMode);
}

FloatEnvGuard::~FloatEnvGuard() {
  if (changed_) WriteMode(saved_);
}

Result<std::unique_ptr<ThreadPool>> ThreadPool::Create(int threads, std::span<const int> cpus) {
  if (threads > kMaxThreads) {
    return Status(StatusCode::kInvalidArgument, std::to_string(threads) +
                                                    " threads asked for, at most " +
                                                    std::to_string(kMaxThreads) + " are possible");
  }
  if (threads <= 1) return std::unique_ptr<ThreadPool>(new ThreadPool(nullptr, 1));
  WHIT_RETURN_IF_ERROR(ProbeThreads(threads - 1));
  AffinityGuard affinity;
  WHIT_RETURN_IF_ERROR(affinity.Set(cpus));
  FloatEnvGuard
      float_env;  // workers inherit the mode too; libraries on native() then see the right one
  pthreadpool_t pool = pthreadpool_create(static_cast<size_t>(threads));
  if (pool == nullptr) {
    return Status(StatusCode::kOutOfMemory,
                  "cannot create a pool of " + std::to_string(threads) + " threads");
  }
  return std::unique_ptr<ThreadPool>(new ThreadPool(pool, threads));
}

ThreadPool::~ThreadPool() {
  if (pool_ != nullptr) pthreadpool_destroy(static_cast<pthreadpool_t>(pool_));
}

// Item `slot` of the pool's loop: takes ranges until none is left. A slot is run by one thread at a
// time, so it serves as the thread index (this version of pthreadpool does not tell its own).
void ThreadPool::RunSlot(void* arg, size_t slot) {
  Loop* loop = static_cast<Loop*>(arg);
  loop->started.load(std::memory_order_acquire);
  FloatEnvGuard guard;
  for (;;) {
    const int64_t begin = loop->next.fetch_add(loop->grain, std::memory_order_relaxed);
    if (begin >= loop->tasks) break;
    // A remainder and no sum: begin + grain might overflow.
    const int64_t count = std::min(loop->grain, loop->tasks - begin);
    loop->fn(loop->ctx, static_cast<int>(slot), begin, begin + count);
  }
  loop->finished.fetch_add(1, std::memory_order_release);
}

void ThreadPool::ParallelFor(int64_t tasks, int64_t grain, TaskFn fn, void* ctx, bool rest,
                             int most_threads) {
  if (tasks <= 0) return;
  loop_.next.store(0, std::memory_order_relaxed);
  loop_.tasks = tasks;
  // A grain above the number of tasks means the same as one equal to it, and keeps `next` from
  // overflowing: it never passes tasks + (threads + 1) * grain.
  loop_.grain =
      std::clamp<int64_t>(grain, 1, std::min<int64_t>(tasks, INT64_MAX / (2 * (kMaxThreads + 2))));
  loop_.fn = fn;
  loop_.ctx = ctx;
  loop_.started.fetch_add(1, std::memory_order_release);
  const int64_t ranges = (tasks - 1) / loop_.grain + 1;
  if (pool_ == nullptr || ranges == 1) return RunSlot(&loop_, 0);
  const size_t slots =
      static_cast<size_t>(std::min<int64_t>(std::min(threads_, most_threads), ranges));
  pthreadpool_parallelize_1d(static_cast<pthreadpool_t>(pool_), RunSlot, &loop_, slots,
                             rest ? PTHREADPOOL_FLAG_YIELD_WORKERS : 0);
  loop_.finished.load(std::memory_order_acquire);
}

}  // namespace whit
