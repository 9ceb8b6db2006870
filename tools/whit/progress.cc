#include "tools/whit/progress.h"

#include <chrono>
#include <cstdio>
#include <utility>

#include "tools/whit/command.h"

namespace whit::tools {

Progress::Progress(std::string what) : what_(std::move(what)) {
  if (IsTerminal(2)) thread_ = std::thread([this] { Show(); });
}

Progress::~Progress() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    done_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Progress::Set(double share) {
  std::lock_guard lock(mutex_);
  share_ = share;
}

void Progress::Show() {
  std::unique_lock lock(mutex_);
  int seconds = 0;
  while (!wake_.wait_for(lock, std::chrono::seconds(1), [this] { return done_; })) {
    ++seconds;
    std::fprintf(stderr, "\r%s ... ", what_.c_str());
    if (share_ >= 0) std::fprintf(stderr, "%.0f %%, ", 100 * share_);
    std::fprintf(stderr, "%d s ", seconds);
  }
  if (seconds > 0) std::fprintf(stderr, "\r\033[K");
}

}  // namespace whit::tools
