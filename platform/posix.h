// Small things that the files of platform/ share about POSIX calls. Not for other folders.
#ifndef WHIT_PLATFORM_POSIX_H_
#define WHIT_PLATFORM_POSIX_H_

#include <sys/resource.h>

#include <cstddef>
#include <string>
#include <system_error>

#include "platform/status.h"

namespace whit::posix {

/// One read or write call moves at most this much: some systems refuse more than 2^31 - 1 bytes.
inline constexpr size_t kMaxTransfer = size_t{1} << 30;

/// What an errno value means. Not strerror: that is not safe from several threads.
inline std::string ErrorText(int error) { return std::generic_category().message(error); }

/// kIo: "cannot open 'a.whit': No such file or directory".
inline Status IoError(const std::string& what, const std::string& name, int error) {
  return Status(StatusCode::kIo, what + " '" + name + "': " + ErrorText(error));
}

/// kOverBudget: mlock refused `bytes` of `what`.
inline Status LockError(const std::string& what, size_t bytes, int error) {
  rlimit limit{};
  std::string allowed = "unknown";
  if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0)
    allowed = limit.rlim_cur == RLIM_INFINITY ? "unlimited" : std::to_string(limit.rlim_cur);
  return Status(StatusCode::kOverBudget, "cannot lock " + std::to_string(bytes) + " bytes of " +
                                             what + " into RAM: " + ErrorText(error) +
                                             " (RLIMIT_MEMLOCK is " + allowed + ")");
}

}  // namespace whit::posix

#endif  // WHIT_PLATFORM_POSIX_H_
