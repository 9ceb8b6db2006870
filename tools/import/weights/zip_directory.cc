#include "tools/import/weights/zip_directory.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "tools/import/weights/byte_reader.h"
#include "tools/import/weights/inflate.h"

namespace whit::tools {

namespace {

// From PKWARE's APPNOTE: signatures, and sizes of the fixed parts.
constexpr uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50,
                   kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr size_t kEndBytes = 22, kLocator64Bytes = 20, kMaxComment = 65535;
constexpr uint32_t kIn64 = 0xffffffff;
constexpr uint16_t kEncrypted = 1;

Status BadZip(const std::string& what) {
  return Status(StatusCode::kInvalidModel, "zip archive: " + what);
}

struct Directory {
  uint64_t entries = 0, offset = 0, size = 0;
};

// A record of one entry as the directory has it.
struct ZipRecord {
  uint16_t flags = 0, method = 0;
  uint64_t stored = 0, size = 0, local = 0;
};

bool InRange(uint64_t offset, uint64_t size, uint64_t total) {
  return offset <= total && size <= total - offset;
}

Result<Directory> FindDirectory(std::span<const std::byte> file) {
  if (file.size() < kEndBytes) return BadZip("has no end record");
  const size_t last = file.size() - kEndBytes;
  const size_t first = last > kMaxComment ? last - kMaxComment : 0;
  for (size_t at = last + 1; at > first; --at) {
    ByteReader end(file.subspan(at - 1));
    if (end.U32() != kEnd) continue;
    const uint16_t disk = end.U16(), start_disk = end.U16(), here = end.U16();
    Directory d;
    d.entries = end.U16(), d.size = end.U32(), d.offset = end.U32();
    const uint16_t comment = end.U16();
    if (!end.ok() || comment != end.left()) continue;  // bytes that look like one
    if (disk != start_disk || (here != d.entries && here != 0xffff))
      return Status(StatusCode::kUnsupported, "zip archive: split over several files");
    if (d.entries != 0xffff && d.size != kIn64 && d.offset != kIn64) return d;
    if (at - 1 < kLocator64Bytes) return BadZip("has no locator of its 64-bit end record");
    ByteReader locator(file.subspan(at - 1 - kLocator64Bytes));
    if (locator.U32() != kLocator64) return BadZip("has no locator of its 64-bit end record");
    locator.Skip(4);
    const uint64_t at64 = locator.U64();
    if (at64 >= file.size()) return BadZip("its 64-bit end record lies behind the file");
    ByteReader end64(file.subspan(static_cast<size_t>(at64)));
    if (end64.U32() != kEnd64) return BadZip("has no 64-bit end record");
    end64.Skip(8 + 2 + 2 + 4 + 4 + 8);
    d.entries = end64.U64(), d.size = end64.U64(), d.offset = end64.U64();
    if (!end64.ok()) return BadZip("its 64-bit end record is cut");
    return d;
  }
  return BadZip("has no end record: it is cut, or no archive");
}

// Fields of 0xffffffff are in the extra field instead, in this order.
void Read64(std::span<const std::byte> extra, ZipRecord* r) {
  constexpr uint16_t kZip64 = 1;
  for (ByteReader in(extra); in.ok() && in.left() >= 4;) {
    const uint16_t id = in.U16();
    ByteReader field(in.Take(in.U16()));
    if (id != kZip64) continue;
    for (uint64_t* value : {&r->size, &r->stored, &r->local}) {
      if (*value != kIn64) continue;
      const uint64_t wide = field.U64();
      if (field.ok()) *value = wide;
    }
  }
}

Status CheckName(std::string_view name, const WeightLimits& limits) {
  if (name.size() > limits.name_bytes)
    return BadZip("a name of " + std::to_string(name.size()) + " bytes");
  const std::string shown = "'" + std::string(name.substr(0, 120)) + "'";
  if (name.empty() || name[0] == '/' || name.find('\\') != name.npos ||
      name.find('\0') != name.npos)
    return BadZip("the path " + shown + " leads out of the archive");
  for (size_t at = 0; at <= name.size();) {
    const size_t end = std::min(name.find('/', at), name.size());
    if (name.substr(at, end - at) == "..")
      return BadZip("the path " + shown + " leads out of the archive");
    at = end + 1;
  }
  return OkStatus();
}

// The content's place: behind the local header, whose name and extra field have sizes of their own.
Result<std::span<const std::byte>> Stored(std::span<const std::byte> file, const ZipRecord& r,
                                          const std::string& name) {
  if (r.local >= file.size()) return BadZip("'" + name + "' lies behind the file");
  ByteReader in(file.subspan(static_cast<size_t>(r.local)));
  const uint32_t signature = in.U32();
  in.Skip(2 + 2 + 2 + 4 + 4 + 4 + 4);
  const uint16_t name_bytes = in.U16(), extra_bytes = in.U16();
  in.Skip(name_bytes), in.Skip(extra_bytes);
  const auto stored = in.Take(r.stored);
  if (!in.ok() || signature != kLocal) {
    return BadZip("'" + name + "' has no header, or its " + std::to_string(r.stored) +
                  " bytes reach behind the file");
  }
  return stored;
}

}  // namespace

bool ZipDirectory::Claims(std::span<const std::byte> file) {
  ByteReader in(file);
  const uint32_t first = in.U32();
  return in.ok() && (first == kLocal || first == kEnd);
}

const ZipEntry* ZipDirectory::Find(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &entries_[found->second];
}

Result<ZipDirectory> ZipDirectory::Read(std::span<const std::byte> file,
                                        const WeightLimits& limits) {
  WHIT_ASSIGN_OR_RETURN(const Directory d, FindDirectory(file));
  if (!InRange(d.offset, d.size, file.size())) return BadZip("its directory lies behind the file");
  if (d.entries > limits.tensors + 65536) {
    return Status(StatusCode::kOverBudget,
                  "zip archive: " + std::to_string(d.entries) + " entries");
  }
  ZipDirectory zip;
  std::vector<std::pair<const std::byte*, const std::byte*>> places;
  ByteReader in(file.subspan(static_cast<size_t>(d.offset), static_cast<size_t>(d.size)));
  for (uint64_t i = 0; i < d.entries; ++i) {
    ZipRecord r;
    const uint32_t signature = in.U32();
    in.Skip(2 + 2);
    r.flags = in.U16(), r.method = in.U16();
    in.Skip(2 + 2 + 4);
    r.stored = in.U32(), r.size = in.U32();
    const uint16_t name_bytes = in.U16(), extra_bytes = in.U16(), comment_bytes = in.U16();
    in.Skip(2 + 2 + 4);
    r.local = in.U32();
    const auto name_at = in.Take(name_bytes);
    Read64(in.Take(extra_bytes), &r);
    in.Skip(comment_bytes);
    if (!in.ok() || signature != kCentral) return BadZip("its directory is damaged");
    const std::string name(reinterpret_cast<const char*>(name_at.data()), name_at.size());
    WHIT_RETURN_IF_ERROR(CheckName(name, limits));
    if (name.back() == '/') continue;  // a folder
    if ((r.flags & kEncrypted) != 0)
      return Status(StatusCode::kUnsupported, "zip archive: '" + name + "' is encrypted");
    if (r.method != 0 && r.method != 8) {
      return Status(StatusCode::kUnsupported, "zip archive: '" + name + "' is packed by method " +
                                                  std::to_string(r.method) + ", known are 0 and 8");
    }
    ZipEntry entry;
    entry.name = name, entry.deflated = r.method == 8, entry.size = r.size;
    WHIT_ASSIGN_OR_RETURN(entry.stored, Stored(file, r, name));
    const uint64_t most = entry.deflated ? MostInflated(entry.stored.size()) : entry.stored.size();
    if (r.size > most || r.size > limits.tensor_bytes) {
      return BadZip("'" + name + "' states " + std::to_string(r.size) + " bytes, of " +
                    std::to_string(entry.stored.size()) + " stored");
    }
    if (!entry.stored.empty())
      places.emplace_back(entry.stored.data(), entry.stored.data() + entry.stored.size());
    if (!zip.by_name_.emplace(name, zip.entries_.size()).second)
      return BadZip("two entries are called '" + name + "'");
    zip.entries_.push_back(std::move(entry));
  }
  std::sort(places.begin(), places.end());
  for (size_t i = 1; i < places.size(); ++i) {
    if (places[i].first < places[i - 1].second) return BadZip("two entries share bytes");
  }
  return zip;
}

Result<std::span<const std::byte>> ZipStart(const ZipEntry& entry, uint64_t count,
                                            std::vector<std::byte>* scratch) {
  count = std::min(count, entry.size);
  if (!entry.deflated) return entry.stored.first(static_cast<size_t>(count));
  const Status status = InflateStart(entry.stored, Wrapping::kNone, count, scratch);
  if (!status.ok()) return Status(status).WithContext(entry.name);
  if (scratch->size() != count)
    return BadZip("'" + entry.name + "' has fewer bytes than it states");
  return std::span<const std::byte>(*scratch);
}

Result<std::span<const std::byte>> ZipContent(const ZipEntry& entry,
                                              std::vector<std::byte>* scratch) {
  if (!entry.deflated || entry.size == 0)
    return entry.stored.first(entry.deflated ? 0 : static_cast<size_t>(entry.size));
  const Status status = Inflate(entry.stored, Wrapping::kNone, entry.size, scratch);
  if (!status.ok()) return Status(status).WithContext(entry.name);
  if (scratch->size() != entry.size)
    return BadZip("'" + entry.name + "' has fewer bytes than it states");
  return std::span<const std::byte>(*scratch);
}

}  // namespace whit::tools
