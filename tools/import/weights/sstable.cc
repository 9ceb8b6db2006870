#include "tools/import/weights/sstable.h"

#include "tools/import/protobuf.h"
#include "tools/import/weights/byte_reader.h"
#include "tools/import/weights/crc32c.h"
#include "tools/import/weights/snappy.h"

namespace whit::tools {

namespace {

constexpr uint64_t kTableMagic = 0xdb4775248b80fb57;
constexpr size_t kFooterBytes = 48;  // two handles of at most 20 bytes, and the magic number
constexpr size_t kTrailerBytes = 5;  // behind a block: its type and checksum

using EntryFn = std::function<Status(const std::string&, std::span<const std::byte>)>;

Status BadTable(const std::string& what) {
  return Status(StatusCode::kInvalidModel, "table: " + what);
}

// Where a block lies, without its trailer.
struct Handle {
  uint64_t offset = 0, size = 0;
};

bool TakeHandle(std::span<const std::byte>* bytes, Handle* handle) {
  return TakeVarint(bytes, &handle->offset) && TakeVarint(bytes, &handle->size);
}

class Table {
 public:
  Table(std::span<const std::byte> file, const WeightLimits& limits)
      : blocks_(file.first(file.size() - kFooterBytes)),
        limits_(limits),
        left_(limits.header_bytes) {}

  Status Read(std::span<const std::byte> footer, const EntryFn& entry) {
    Handle meta, index;
    if (!TakeHandle(&footer, &meta) || !TakeHandle(&footer, &index))
      return BadTable("its footer names no index");
    uint64_t end = 0;  // of the last block: data blocks follow each other
    const auto visit = [&](const std::string&, std::span<const std::byte> value) -> Status {
      Handle data;
      if (!TakeHandle(&value, &data)) return BadTable("its index names no block");
      if (data.offset < end) {
        return BadTable("a block at " + std::to_string(data.offset) +
                        " begins before the end of the " + "one before it, " + std::to_string(end));
      }
      WHIT_ASSIGN_OR_RETURN(const auto block, Block(data, &data_));
      end = data.offset + data.size;
      return ReadBlock(block, &key_, entry);
    };
    WHIT_ASSIGN_OR_RETURN(const auto block, Block(index, &index_));
    std::string separator;
    return ReadBlock(block, &separator, visit);
  }

 private:
  Status Charge(uint64_t bytes) {
    if (bytes > left_) {
      return Status(StatusCode::kOverBudget, "table: its keys and blocks have more than " +
                                                 std::to_string(limits_.header_bytes) + " bytes");
    }
    left_ -= bytes;
    return OkStatus();
  }

  // A block: where it lies, or unpacked into *scratch.
  Result<std::span<const std::byte>> Block(const Handle& at, std::vector<std::byte>* scratch) {
    const std::string name = "block at " + std::to_string(at.offset);
    if (at.offset > blocks_.size() || at.size > blocks_.size() - at.offset ||
        kTrailerBytes > blocks_.size() - at.offset - at.size) {
      return BadTable(name + " of " + std::to_string(at.size) + " bytes reaches behind the " +
                      std::to_string(blocks_.size()) + " bytes of blocks");
    }
    const auto whole = blocks_.subspan(static_cast<size_t>(at.offset),
                                       static_cast<size_t>(at.size) + kTrailerBytes);
    const auto stored = whole.first(static_cast<size_t>(at.size));
    ByteReader trailer(whole.subspan(stored.size()));
    const uint8_t type = trailer.U8();
    const uint32_t stated = trailer.U32();
    const uint32_t found = MaskedCrc32c(Crc32c(whole.first(stored.size() + 1)));
    if (stated != found) {
      return BadTable(name + " has the checksum " + std::to_string(found) + ", not " +
                      std::to_string(stated) + ": it is damaged");
    }
    WHIT_RETURN_IF_ERROR(Charge(stored.size()));
    if (type == 0) return stored;
    if (type != 1) {
      return Status(StatusCode::kUnsupported, "table: " + name + " is compressed by method " +
                                                  std::to_string(type) + ", known is 1, Snappy");
    }
    Status status = Unsnap(stored, left_, scratch);
    if (!status.ok()) return std::move(status).WithContext(name);
    WHIT_RETURN_IF_ERROR(Charge(scratch->size()));
    return std::span<const std::byte>(*scratch);
  }

  // Entries, each key behind what it has in common with the one before; then the offsets of those
  // that have nothing in common, which only a search needs, and their number.
  Status ReadBlock(std::span<const std::byte> block, std::string* key, const EntryFn& entry) {
    if (block.size() < 4) return BadTable("a block of " + std::to_string(block.size()) + " bytes");
    const uint64_t restarts = ByteReader(block.last(4)).U32();
    if (restarts > block.size() / 4 - 1) return BadTable("a block has no room for its restarts");
    auto rest = block.first(block.size() - 4 * static_cast<size_t>(restarts + 1));
    bool first = true;
    while (!rest.empty()) {
      uint64_t shared = 0, fresh = 0, size = 0;
      if (!TakeVarint(&rest, &shared) || !TakeVarint(&rest, &fresh) || !TakeVarint(&rest, &size) ||
          fresh > rest.size() || size > rest.size() - fresh || shared > (first ? 0 : key->size())) {
        return BadTable("an entry behind the key '" + Printed(*key) + "' is damaged");
      }
      if (shared + fresh > limits_.name_bytes) {
        return Status(StatusCode::kOverBudget,
                      "table: a key of " + std::to_string(shared + fresh) + " bytes, at most " +
                          std::to_string(limits_.name_bytes) + " are taken");
      }
      WHIT_RETURN_IF_ERROR(Charge(shared + fresh));
      const std::string before = *key;
      key->resize(static_cast<size_t>(shared));
      key->append(reinterpret_cast<const char*>(rest.data()), static_cast<size_t>(fresh));
      if (*key <= before && !(first && before.empty()))
        return BadTable("the key '" + Printed(*key) + "' stands behind '" + Printed(before) + "'");
      rest = rest.subspan(static_cast<size_t>(fresh));
      WHIT_RETURN_IF_ERROR(entry(*key, rest.first(static_cast<size_t>(size))));
      rest = rest.subspan(static_cast<size_t>(size));
      first = false;
    }
    return OkStatus();
  }

  static std::string Printed(const std::string& key) { return key.substr(0, 80); }

  std::span<const std::byte> blocks_;
  const WeightLimits& limits_;
  uint64_t left_;  // bytes of keys and blocks that may still be read
  std::string key_;
  std::vector<std::byte> index_, data_;
};

}  // namespace

bool ClaimsSstable(std::span<const std::byte> file) {
  return file.size() >= kFooterBytes && ByteReader(file.last(8)).U64() == kTableMagic;
}

Status ReadSstable(std::span<const std::byte> file, const WeightLimits& limits,
                   const EntryFn& entry) {
  if (!ClaimsSstable(file)) return BadTable("does not end as one");
  return Table(file, limits).Read(file.last(kFooterBytes), entry);
}

}  // namespace whit::tools
