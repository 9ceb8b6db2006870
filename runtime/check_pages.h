// Checking pages of a file on many threads.
#ifndef WHIT_RUNTIME_CHECK_PAGES_H_
#define WHIT_RUNTIME_CHECK_PAGES_H_

#include "platform/status.h"
#include "platform/thread_pool.h"
#include "schema/page_checker.h"

namespace whit {

/// Pages of the range, on the threads of `pool` (null: on this one). Allocates nothing where all
/// pass. The status is that of the first page that does not.
Status CheckInParallel(const PageChecker& pages, PageRange range, ThreadPool* pool);

/// Every page of the file, on as many threads as pay.
Status CheckAllPages(const PageChecker& pages);
/// The same of a file that has no checker yet; ok where it has no tree.
Status CheckAllPages(const ModelFile& file);

}  // namespace whit

#endif  // WHIT_RUNTIME_CHECK_PAGES_H_
