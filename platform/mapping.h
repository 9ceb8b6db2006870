// Files as bytes: map or read one for reading, write one so that it exists whole or not at all.
// POSIX only.
#ifndef WHIT_PLATFORM_MAPPING_H_
#define WHIT_PLATFORM_MAPPING_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "platform/aligned_buffer.h"
#include "platform/status.h"

namespace whit {

/// How the bytes of a file get into memory. Values equal whit::Residency of runtime/whit.h.
enum class MapMode : uint8_t {
  kMap = 0,   // private read-only mapping, paged in on demand
  kRead = 1,  // read into owned, 64-aligned memory
  kLock = 2,  // mapped and locked into RAM (mlock; fails with kOverBudget over RLIMIT_MEMLOCK)
};

/// A read-only range of bytes and what keeps it alive. Move-only; unmaps or frees on destruction.
/// Immutable, so any number of threads may read it. A file that is truncated while it is mapped
/// raises SIGBUS on access: outside of what whit promises (schema/README.md).
class Mapping {
 public:
  /// Bytes [offset, offset + size) of a regular file; size 0: everything from offset on. The offset
  /// need not be a multiple of the page size. One clear Status for a missing file, a directory, an
  /// empty file, a range outside of it.
  static Result<Mapping> MapFile(const std::string& path, MapMode mode = MapMode::kMap,
                                 uint64_t offset = 0, uint64_t size = 0);
  /// The same of an open descriptor, which stays the caller's and may be closed afterwards. `name`
  /// is for messages.
  static Result<Mapping> MapFd(int fd, MapMode mode = MapMode::kMap, uint64_t offset = 0,
                               uint64_t size = 0, const std::string& name = "");
  /// A view of the caller's memory, which must outlive the mapping.
  static Mapping Borrow(std::span<const std::byte> bytes);

  Mapping() = default;
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  std::span<const std::byte> bytes() const { return bytes_; }
  const std::byte* data() const { return bytes_.data(); }
  size_t size() const { return bytes_.size(); }
  /// Gives the memory of `part` back until it is read again, where the file is mapped and not
  /// locked; else nothing happens. For passes over files larger than memory.
  void Drop(std::span<const std::byte> part) const;

  // Repair of memory whose bits have flipped (mapping_repair.cc). `part` lies in bytes().

  /// Gives up the copy of `part` in memory, the page cache's too where nobody else uses it, so that
  /// the next read comes from storage. Nothing happens where the file is not mapped, or is locked.
  void Forget(std::span<const std::byte> part) const;
  /// What storage has at `part`, read past the page cache where the system can do so. `into` is as
  /// long as `part`.
  Status ReadStored(std::span<const std::byte> part, std::span<std::byte> into) const;
  /// Makes memory at the very same addresses hold `right`, as long as `part`; a mapped page becomes
  /// a private copy. One call at a time; other threads may read meanwhile and see old or new bytes.
  Status Overwrite(std::span<const std::byte> part, std::span<const std::byte> right) const;
  /// True if the bytes lie in a mapping of the file (kMap, kLock), so that pages are shared between
  /// processes.
  bool mapped() const { return base_ != nullptr; }

 private:
  std::span<const std::byte> bytes_;
  void* base_ = nullptr;  // start of the mmap (page-aligned, at or before bytes_), or null
  size_t base_bytes_ = 0;
  AlignedBuffer owned_;  // kRead
  int fd_ = -1;          // of our own, to read storage again; -1: borrowed bytes
  uint64_t offset_ = 0;  // of bytes_ in the file
};

/// A whole regular file; kOverBudget if it has more than max_bytes.
Result<std::vector<std::byte>> ReadWholeFile(const std::string& path, uint64_t max_bytes);

/// Writes the chunks one after the other to a temporary file in the folder of `path`, flushes it to
/// the device and renames it to `path`. On any failure the temporary file is removed and an older
/// `path` is as it was.
Status WriteFileAtomically(const std::string& path,
                           std::span<const std::span<const std::byte>> chunks);

/// The same for what is made piece by piece: `fill` calls its argument with one chunk after the
/// other; a status that is not ok, of either, ends it.
using AppendBytes = std::function<Status(std::span<const std::byte>)>;
Status WriteFileAtomically(const std::string& path,
                           const std::function<Status(const AppendBytes&)>& fill);

}  // namespace whit

#endif  // WHIT_PLATFORM_MAPPING_H_
