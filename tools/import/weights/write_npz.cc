// .npz: a zip archive of .npy arrays, stored as they are. Sizes of 4 GiB and more take the 64-bit
// forms of the archive (PKWARE's APPNOTE, 4.3 and 4.5.3).
#if WHIT_ZLIB
#include <zlib.h>
#endif

#include <algorithm>
#include <initializer_list>

#include "tools/import/weights/numpy_type.h"
#include "tools/import/weights/write_weights.h"

namespace whit::tools {

namespace {

constexpr uint64_t kMost32 = 0xffffffff, kMostEntries16 = 0xffff;
constexpr uint16_t kVersion = 45;  // with 64-bit sizes
constexpr uint16_t kUtf8Names = 0x800;
constexpr uint32_t kDate = 0x00210000;  // the first that an archive can state, 1980-01-01

class Record {
 public:
  template <typename T>
  Record& Add(T value) {
    for (size_t i = 0; i < sizeof(T); ++i)
      bytes_.push_back(static_cast<std::byte>(static_cast<uint64_t>(value) >> (8 * i) & 255));
    return *this;
  }
  Record& Text(const std::string& text) {
    for (const char c : text) bytes_.push_back(static_cast<std::byte>(c));
    return *this;
  }
  Record& Append(const Record& other) {
    bytes_.insert(bytes_.end(), other.bytes_.begin(), other.bytes_.end());
    return *this;
  }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

uint32_t At32(uint64_t value) { return static_cast<uint32_t>(std::min(value, kMost32)); }

std::string NpyHeader(const TensorEntry& entry) {
  std::string shape = "(";
  for (const int64_t d : entry.shape) shape += std::to_string(d) + ",";
  shape += ")";
  if (entry.shape.size() > 1) shape.erase(shape.size() - 2, 1);  // (2,3), but (2,)
  std::string text = "{'descr': '" + NumpyName(entry.type) +
                     "', 'fortran_order': False, 'shape': " + shape + ", }";
  // The elements begin at a multiple of 64, behind 10 bytes and a line's end.
  text.append(63 - (10 + text.size()) % 64, ' ');
  text += '\n';
  const auto size = static_cast<uint16_t>(text.size());
  const std::string bytes{static_cast<char>(size & 255), static_cast<char>(size >> 8)};
  return std::string("\x93NUMPY\x01", 7) + std::string(1, '\0') + bytes + text;
}

#if WHIT_ZLIB
uint32_t Checksum(const std::string& header, std::span<const std::byte> data) {
  uLong crc = crc32_z(0, reinterpret_cast<const Bytef*>(header.data()), header.size());
  crc = crc32_z(crc, reinterpret_cast<const Bytef*>(data.data()), data.size());
  return static_cast<uint32_t>(crc);
}
#endif

struct Place {
  std::string name;
  uint64_t size = 0, offset = 0;
  uint32_t checksum = 0;
};

// 64-bit fields of the extra record, each only where its 32 bits are full.
Record Extra64(std::initializer_list<uint64_t> values) {
  uint16_t count = 0;
  for (const uint64_t v : values) count += v >= kMost32;
  Record r;
  if (count == 0) return r;
  r.Add(uint16_t{1}).Add(static_cast<uint16_t>(8 * count));
  for (const uint64_t v : values) {
    if (v >= kMost32) r.Add(v);
  }
  return r;
}

Record LocalHeader(const Place& p) {
  const Record extra = Extra64({p.size, p.size});
  Record r;
  r.Add(uint32_t{0x04034b50}).Add(kVersion).Add(kUtf8Names).Add(uint16_t{0}).Add(kDate);
  r.Add(p.checksum).Add(At32(p.size)).Add(At32(p.size));
  r.Add(static_cast<uint16_t>(p.name.size())).Add(static_cast<uint16_t>(extra.bytes().size()));
  return r.Text(p.name).Append(extra);
}

Record DirectoryRecord(const Place& p) {
  const Record extra = Extra64({p.size, p.size, p.offset});
  Record r;
  r.Add(uint32_t{0x02014b50}).Add(kVersion).Add(kVersion).Add(kUtf8Names).Add(uint16_t{0});
  r.Add(kDate).Add(p.checksum).Add(At32(p.size)).Add(At32(p.size));
  r.Add(static_cast<uint16_t>(p.name.size())).Add(static_cast<uint16_t>(extra.bytes().size()));
  r.Add(uint16_t{0}).Add(uint16_t{0}).Add(uint16_t{0}).Add(uint32_t{0}).Add(At32(p.offset));
  return r.Text(p.name).Append(extra);
}

Record EndRecords(uint64_t entries, uint64_t offset, uint64_t size) {
  Record r;
  if (entries >= kMostEntries16 || offset >= kMost32 || size >= kMost32) {
    r.Add(uint32_t{0x06064b50}).Add(uint64_t{44}).Add(kVersion).Add(kVersion);
    r.Add(uint32_t{0}).Add(uint32_t{0}).Add(entries).Add(entries).Add(size).Add(offset);
    r.Add(uint32_t{0x07064b50}).Add(uint32_t{0}).Add(offset + size).Add(uint32_t{1});
  }
  const auto count = static_cast<uint16_t>(std::min(entries, kMostEntries16));
  r.Add(uint32_t{0x06054b50}).Add(uint16_t{0}).Add(uint16_t{0}).Add(count).Add(count);
  return r.Add(At32(size)).Add(At32(offset)).Add(uint16_t{0});
}

// Names become paths in the archive: NumPy shows them without ".npy".
Status CheckName(const std::string& name) {
  if (name.size() + 4 <= 0xffff && !name.starts_with('/') && name.find("..") == name.npos &&
      name.find('\\') == name.npos) {
    return OkStatus();
  }
  return Status(StatusCode::kUnsupported,
                "the name '" + name.substr(0, 120) + "' cannot be a path in a .npz; rename it");
}

}  // namespace

#if WHIT_ZLIB
Status WriteNpz(const WeightSelection& s, const std::string& path) {
  uint64_t total = 0;
  for (size_t k = 0; k < s.tensors.size(); ++k) {
    WHIT_RETURN_IF_ERROR(CheckName(s.names[k]));
    total += s.file->tensors()[s.tensors[k]].bytes();
  }
  return WriteFileAtomically(path, [&](const AppendBytes& append) {
    std::vector<Place> places;
    std::vector<std::byte> scratch;
    uint64_t at = 0, done = 0;
    const auto put = [&](std::span<const std::byte> bytes) {
      at += bytes.size();
      return append(bytes);
    };
    for (size_t k = 0; k < s.tensors.size(); ++k) {
      WHIT_ASSIGN_OR_RETURN(const auto bytes, s.file->Read(s.tensors[k], &scratch));
      const std::string header = NpyHeader(s.file->tensors()[s.tensors[k]]);
      places.push_back(
          {s.names[k] + ".npy", header.size() + bytes.size(), at, Checksum(header, bytes)});
      WHIT_RETURN_IF_ERROR(put(LocalHeader(places.back()).bytes()));
      WHIT_RETURN_IF_ERROR(put(std::as_bytes(std::span(header))));
      WHIT_RETURN_IF_ERROR(put(bytes));
      done += bytes.size();
      s.file->Drop(bytes);
      s.progress(static_cast<double>(done) / static_cast<double>(std::max<uint64_t>(1, total)));
    }
    const uint64_t directory = at;
    for (const Place& p : places) WHIT_RETURN_IF_ERROR(put(DirectoryRecord(p).bytes()));
    return put(EndRecords(places.size(), directory, at - directory).bytes());
  });
}
#else
Status WriteNpz(const WeightSelection&, const std::string&) {
  return Status(StatusCode::kUnsupported, ".npz needs checksums: this build has no zlib");
}
#endif

}  // namespace whit::tools
