// Threads and the floating-point environment they compute in.
#ifndef WHIT_PLATFORM_THREAD_POOL_H_
#define WHIT_PLATFORM_THREAD_POOL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "platform/status.h"

namespace whit {

/// While it lives, this thread rounds to nearest-even, keeps denormals and traps nothing, whatever
/// the caller had set; then the caller's mode comes back. A few cycles; writes the control register
/// only where it differs. (armv7 NEON always flushes denormals: docs/arithmetic.md lets no integer
/// output depend on that.)
class FloatEnvGuard {
 public:
  FloatEnvGuard();
  ~FloatEnvGuard();
  FloatEnvGuard(const FloatEnvGuard&) = delete;
  FloatEnvGuard& operator=(const FloatEnvGuard&) = delete;

 private:
  uint64_t saved_ = 0;
  bool changed_ = false;
};

/// A fixed number of threads, the caller's among them. Used by one thread at a time; ParallelFor
/// does not nest and allocates nothing.
class ThreadPool {
 public:
  /// Tasks [begin, end), run by thread `thread` in [0, threads()). Called with a FloatEnvGuard in
  /// force.
  using TaskFn = void (*)(void* ctx, int thread, int64_t begin, int64_t end);

  static constexpr int kMaxThreads = 256;

  /// threads <= 1: no pool at all, everything runs in the caller. kInvalidArgument above
  /// kMaxThreads, kOutOfMemory if the system refuses to start the threads. `cpus`: workers (not the
  /// caller) run on these CPUs only; empty: anywhere; kInvalidArgument if the system knows none of
  /// them, kUnsupported where it cannot pin.
  static Result<std::unique_ptr<ThreadPool>> Create(int threads, std::span<const int> cpus = {});
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }

  /// Calls fn over disjoint ranges that cover [0, tasks), each of at most `grain` tasks (grain < 1
  /// counts as 1), in any order and on any thread, and returns when all are done. Workers then wait
  /// for the next call by spinning for a moment, so that it finds them awake; after a call with
  /// `rest` they go to sleep at once. Threads are numbered below `most_threads`.
  void ParallelFor(int64_t tasks, int64_t grain, TaskFn fn, void* ctx, bool rest = false,
                   int most_threads = kMaxThreads);

  /// The pthreadpool_t below, for libraries that thread by themselves; null without a pool.
  void* native() const { return pool_; }

 private:
  ThreadPool(void* pool, int threads) : pool_(pool), threads_(threads) {}

  // The loop that runs now. Here and not on ParallelFor's stack: with the two counters, a thread
  // sanitizer then sees the order that pthreadpool (not instrumented) keeps.
  struct Loop {
    std::atomic<int64_t> next{0};      // first task that nobody took
    std::atomic<int64_t> started{0};   // counts loops: published with the fields below
    std::atomic<int64_t> finished{0};  // counts slots: published with what the tasks wrote
    int64_t tasks = 0;
    int64_t grain = 1;
    TaskFn fn = nullptr;
    void* ctx = nullptr;
  };
  static void RunSlot(void* loop, size_t slot);

  void* pool_ = nullptr;
  int threads_ = 1;
  Loop loop_;
};

}  // namespace whit

#endif  // WHIT_PLATFORM_THREAD_POOL_H_
