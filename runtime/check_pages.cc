#include "runtime/check_pages.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>

namespace whit {

namespace {

// Fewer pages are checked before other threads are awake: 64 KiB take some 60 us.
constexpr uint64_t kFewPages = 4;
// Starting threads takes longer than 256 pages do.
constexpr uint64_t kManyPages = 256;
constexpr uint64_t kMostThreads = 8;  // beyond that memory is the limit

struct Work {
  const PageChecker* pages;
  uint64_t first;
  std::atomic<bool> failed{false};
};

void CheckSome(void* arg, int, int64_t begin, int64_t end) {
  Work& work = *static_cast<Work*>(arg);
  for (int64_t i = begin; i < end; ++i) {
    if (!work.pages->Check(work.first + static_cast<uint64_t>(i)).ok())
      work.failed.store(true, std::memory_order_relaxed);
  }
}

}  // namespace

Status CheckInParallel(const PageChecker& pages, PageRange range, ThreadPool* pool) {
  const uint64_t count = range.end - range.begin;
  if (pool == nullptr || count <= kFewPages) return pages.CheckRange(range);
  Work work{&pages, range.begin};
  pool->ParallelFor(static_cast<int64_t>(count), 1, &CheckSome, &work);
  if (!work.failed.load(std::memory_order_relaxed)) return OkStatus();
  return pages.CheckRange(range);  // once more, for the message
}

Status CheckAllPages(const PageChecker& pages) {
  const PageRange all{0, pages.pages()};
  const uint64_t cpus = std::min<uint64_t>(std::thread::hardware_concurrency(), kMostThreads);
  if (all.end < kManyPages || cpus < 2) return pages.CheckRange(all);
  WHIT_ASSIGN_OR_RETURN(const std::unique_ptr<ThreadPool> pool,
                        ThreadPool::Create(static_cast<int>(cpus)));
  return CheckInParallel(pages, all, pool.get());
}

Status CheckAllPages(const ModelFile& file) {
  WHIT_ASSIGN_OR_RETURN(const std::unique_ptr<PageChecker> pages, PageChecker::Create(file));
  return pages == nullptr ? OkStatus() : CheckAllPages(*pages);
}

}  // namespace whit
