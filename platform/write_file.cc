// WriteFileAtomically of mapping.h: a file exists whole or not at all.
#define _FILE_OFFSET_BITS 64

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "platform/mapping.h"
#include "platform/posix.h"

namespace whit {
namespace {

using posix::kMaxTransfer;

std::string FolderOf(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// A temporary file that removes itself unless it was renamed into place.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& target) : target_(target) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (fd_ >= 0) close(fd_);
    if (exists_) unlink(path_.c_str());
  }

  Status Create() {
    // Process and counter make the name ours; O_EXCL proves it. Not mkstemp: that makes files only
    // their owner can read.
    static std::atomic<unsigned> counter{0};
    for (int attempt = 0; attempt < 100; ++attempt) {
      path_ =
          target_ + ".tmp-" + std::to_string(getpid()) + "-" + std::to_string(counter.fetch_add(1));
      fd_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (fd_ >= 0) {
        exists_ = true;
        return OkStatus();
      }
      if (errno != EEXIST && errno != EINTR) break;
    }
    return Error("cannot create", errno);
  }

  Status Append(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t put = write(fd_, bytes.data(), std::min(bytes.size(), kMaxTransfer));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return Error("cannot write", errno);
      bytes = bytes.subspan(static_cast<size_t>(put));
    }
    return OkStatus();
  }

  Status RenameToTarget() {
    // Before the rename, else a power cut could leave the new name with old or no contents. Where a
    // file system cannot flush (EINVAL), there is nothing more to be had.
    if (fsync(fd_) != 0 && errno != EINVAL && errno != ENOTSUP) return Error("cannot write", errno);
    if (close(std::exchange(fd_, -1)) != 0) return Error("cannot write", errno);
    if (rename(path_.c_str(), target_.c_str()) != 0) return Error("cannot replace", errno);
    exists_ = false;
    return OkStatus();
  }

 private:
  Status Error(const std::string& what, int error) const {
    return posix::IoError(what, target_, error);
  }

  std::string target_, path_;
  int fd_ = -1;
  bool exists_ = false;
};

// The file to replace: behind a symbolic link its target, so that the link stays one. Refuses what
// is not a regular file: renaming over a device node would replace the device.
Result<std::string> ResolveTarget(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return path;  // new, or open() says what is wrong
  if (S_ISDIR(info.st_mode))
    return Status(StatusCode::kIo, "cannot write '" + path + "': it is a directory");
  if (!S_ISREG(info.st_mode)) {
    return Status(StatusCode::kIo,
                  "cannot write '" + path + "': it exists and is not a regular file");
  }
  char* resolved = realpath(path.c_str(), nullptr);
  if (resolved == nullptr) return path;
  std::string result = resolved;
  std::free(resolved);
  return result;
}

}  // namespace

Status WriteFileAtomically(const std::string& path,
                           std::span<const std::span<const std::byte>> chunks) {
  return WriteFileAtomically(path, [&](const AppendBytes& append) {
    for (std::span<const std::byte> chunk : chunks) WHIT_RETURN_IF_ERROR(append(chunk));
    return OkStatus();
  });
}

Status WriteFileAtomically(const std::string& path,
                           const std::function<Status(const AppendBytes&)>& fill) {
  WHIT_ASSIGN_OR_RETURN(const std::string target, ResolveTarget(path));
  TemporaryFile file(target);
  WHIT_RETURN_IF_ERROR(file.Create());
  WHIT_RETURN_IF_ERROR(fill([&](std::span<const std::byte> chunk) { return file.Append(chunk); }));
  WHIT_RETURN_IF_ERROR(file.RenameToTarget());
  // The new name is in the folder's own blocks. Best effort: the file is whole either way.
  const int folder = open(FolderOf(target).c_str(), O_RDONLY | O_CLOEXEC);
  if (folder >= 0) {
    (void)fsync(folder);
    close(folder);
  }
  return OkStatus();
}

}  // namespace whit
