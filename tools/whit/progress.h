// A sign of life on a terminal for work of more than a second.
#ifndef WHIT_TOOLS_WHIT_PROGRESS_H_
#define WHIT_TOOLS_WHIT_PROGRESS_H_

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace whit::tools {

/// While it lives and stderr is a terminal, a line "what ... 3 s" appears after one second and is
/// wiped at the end. Without a terminal it does nothing and starts no thread.
class Progress {
 public:
  explicit Progress(std::string what);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// How much of the work is done, 0 to 1; shown as a percentage once it is known.
  void Set(double share);

 private:
  void Show();

  std::string what_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool done_ = false;
  double share_ = -1;  // unknown
  std::thread thread_;
};

}  // namespace whit::tools

#endif  // WHIT_TOOLS_WHIT_PROGRESS_H_
