// The directory of a zip archive in memory. Contents are not unpacked and stay where they lie.
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_ZIP_DIRECTORY_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_ZIP_DIRECTORY_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "platform/status.h"
#include "tools/import/weights/weights.h"

namespace whit::tools {

struct ZipEntry {
  std::string name;  // relative, '/' between folders, without ".."
  std::span<const std::byte> stored;
  bool deflated = false;
  uint64_t size = 0;  // unpacked; below MostInflated(stored.size()) and the limits
};

/// The entries of an archive, zip64 too, in the order of its directory. kInvalidModel where it is
/// damaged, names a path outside of itself, states sizes that cannot be, or lets two entries share
/// bytes. kUnsupported: encrypted, split, or packed by another method than deflate.
class ZipDirectory {
 public:
  static Result<ZipDirectory> Read(std::span<const std::byte> file, const WeightLimits& limits);
  /// Whether the bytes start like an archive.
  static bool Claims(std::span<const std::byte> file);

  const std::vector<ZipEntry>& entries() const { return entries_; }
  /// The entry of that name, or null.
  const ZipEntry* Find(const std::string& name) const;

 private:
  std::vector<ZipEntry> entries_;
  std::map<std::string, size_t> by_name_;
};

/// The first `count` bytes of an entry, or all where it has fewer: where they lie, or unpacked into
/// *scratch, and no more than these are.
Result<std::span<const std::byte>> ZipStart(const ZipEntry& entry, uint64_t count,
                                            std::vector<std::byte>* scratch);
/// What an entry holds: where it lies, or unpacked into *scratch.
Result<std::span<const std::byte>> ZipContent(const ZipEntry& entry,
                                              std::vector<std::byte>* scratch);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_ZIP_DIRECTORY_H_
