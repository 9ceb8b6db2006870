// Checkpoints of TensorFlow, version 2: PREFIX.index is a table (sstable.h) of names to
// BundleEntryProto (tensor_bundle.proto), and the bytes lie in shards beside it,
// PREFIX.data-00000-of-00002. Names of shards are made of the prefix and their number; no text of
// the file becomes a path.
#include <filesystem>
#include <map>
#include <optional>

#include "tools/import/protobuf.h"
#include "tools/import/shown.h"
#include "tools/import/weights/byte_order.h"
#include "tools/import/weights/crc32c.h"
#include "tools/import/weights/entry_names.h"
#include "tools/import/weights/formats.h"
#include "tools/import/weights/sstable.h"

namespace whit::tools {

namespace {

constexpr std::string_view kIndex = ".index", kShard = ".data-";
constexpr int64_t kMostShards = 99'999;  // five digits in their names
constexpr std::string_view kObjectGraph = "_CHECKPOINTABLE_OBJECT_GRAPH";

Status BadCheckpoint(const std::string& what) {
  return Status(StatusCode::kInvalidModel, "TensorFlow checkpoint: " + what);
}

// DataType of types.proto; false: its elements cannot be had, *refused says why.
bool TypeOf(int64_t type, ElementType* out, std::string* refused) {
  static constexpr std::pair<int64_t, ElementType> kDataTypes[] = {
      {1, ElementType::kFloat32},     {2, ElementType::kFloat64},
      {3, ElementType::kInt32},       {4, ElementType::kUint8},
      {5, ElementType::kInt16},       {6, ElementType::kInt8},
      {8, ElementType::kComplex64},   {9, ElementType::kInt64},
      {10, ElementType::kBool},       {11, ElementType::kInt8},
      {12, ElementType::kUint8},      {13, ElementType::kInt32},
      {14, ElementType::kBfloat16},   {15, ElementType::kInt16},
      {16, ElementType::kUint16},     {17, ElementType::kUint16},
      {18, ElementType::kComplex128}, {19, ElementType::kFloat16},
      {22, ElementType::kUint32},     {23, ElementType::kUint64},
      {24, ElementType::kFloat8E5M2}, {25, ElementType::kFloat8E4M3},
  };
  for (const auto& [number, element] : kDataTypes) {
    if (type == number) return *out = element, true;
  }
  *out = ElementType::kUint8;
  *refused = type == 7    ? "texts"
             : type == 20 ? "a handle of a resource"
             : type == 21 ? "a variant"
                          : "elements of type " + std::to_string(type);
  return false;
}

// BundleEntryProto.
struct Bundle {
  int64_t type = 0, shard = 0, offset = 0, size = 0;
  uint32_t crc = 0;  // masked
  size_t slices = 0;
  bool unknown_rank = false;
  std::vector<int64_t> shape;
};

void ReadShape(ProtoReader shape, Bundle* bundle, ProtoReader* parent) {
  for (ProtoField f; shape.Next(&f);) {
    if (f.number == 3) bundle->unknown_rank = shape.Int(f) != 0;
    if (f.number != 2) continue;
    ProtoReader dim = shape.Message(f, "a dimension");
    int64_t size = 0;
    for (ProtoField g; dim.Next(&g);) {
      if (g.number == 1) size = dim.Int(g);
    }
    shape.Fail(dim.status());
    bundle->shape.push_back(size);
  }
  parent->Fail(shape.status());
}

Result<Bundle> ReadBundle(std::span<const std::byte> value) {
  Bundle b;
  ProtoReader r(value, "the entry of a tensor");
  for (ProtoField f; r.Next(&f);) {
    if (f.number == 1) b.type = r.Int(f);
    if (f.number == 2) ReadShape(r.Message(f, "a shape"), &b, &r);
    if (f.number == 3) b.shard = r.Int(f);
    if (f.number == 4) b.offset = r.Int(f);
    if (f.number == 5) b.size = r.Int(f);
    if (f.number == 6 && f.type == WireType::kFixed32) b.crc = static_cast<uint32_t>(f.value);
    if (f.number == 7) ++b.slices;
  }
  WHIT_RETURN_IF_ERROR(r.status());
  return b;
}

std::string FiveDigits(int64_t number) {
  const std::string digits = std::to_string(number);
  return std::string(5 - std::min<size_t>(5, digits.size()), '0') + digits;
}

class TfCheckpoint : public WeightFile {
 public:
  Status Open(WeightSource source) {
    limits_ = source.limits;
    mapping_ = std::move(source.file);
    format_ = "TensorFlow checkpoint";
    if (source.path.ends_with(kIndex))
      prefix_ = source.path.substr(0, source.path.size() - kIndex.size());
    bool begun = false;
    WHIT_RETURN_IF_ERROR(ReadSstable(
        mapping_.bytes(), limits_, [&](const std::string& key, std::span<const std::byte> value) {
          if (begun) return Add(key, value);
          begun = true;
          if (!key.empty()) return BadCheckpoint("its first key is not the header of a bundle");
          return ReadHeader(value);
        }));
    return begun ? OkStatus() : BadCheckpoint("has no header");
  }

  Result<std::span<const std::byte>> ReadElements(size_t i,
                                                  std::vector<std::byte>* scratch) const override {
    const Place& place = places_[i];
    if (place.bytes.empty()) return place.bytes;
    const uint32_t found = MaskedCrc32c(Crc32c(place.bytes));
    if (found != place.crc) {
      return BadCheckpoint("'" + Shown(tensors_[i].name) + "' has the checksum " +
                           std::to_string(found) + ", not " + std::to_string(place.crc) +
                           ": its shard is damaged");
    }
    if (!big_endian_) return place.bytes;
    scratch->assign(place.bytes.begin(), place.bytes.end());
    SwapBytes(tensors_[i].type, scratch);
    return std::span<const std::byte>(*scratch);
  }
  void Drop(std::span<const std::byte> bytes) const override {
    for (const auto& [number, shard] : shards_) shard.file.Drop(bytes);
  }

 private:
  struct Place {
    std::span<const std::byte> bytes;
    uint32_t crc = 0;
  };
  struct Shard {
    Mapping file;
    std::string missing;  // why it is not there, or empty
  };

  // BundleHeaderProto.
  Status ReadHeader(std::span<const std::byte> value) {
    ProtoReader r(value, "the header of a bundle");
    for (ProtoField f; r.Next(&f);) {
      if (f.number == 1) shard_count_ = r.Int(f);
      if (f.number == 2) big_endian_ = r.Int(f) == 1;
    }
    if (!r.status().ok()) {
      return Status(StatusCode::kUnsupported, "TensorFlow checkpoint: no header of version 2 (" +
                                                  r.status().message() +
                                                  "); checkpoints of version 1 are not read");
    }
    if (shard_count_ < 1 || shard_count_ > kMostShards) {
      return BadCheckpoint("states " + std::to_string(shard_count_) +
                           " shards, there may be 1 to " + std::to_string(kMostShards));
    }
    metadata_.emplace_back("shards", std::to_string(shard_count_));
    return OkStatus();
  }

  Status Add(const std::string& key, std::span<const std::byte> value) {
    // Parts of a partitioned variable are keyed by a number 0 in an ordered code.
    if (key == kObjectGraph || key.starts_with('\0')) return OkStatus();
    auto read = ReadBundle(value);
    if (!read.ok()) return Status(read.status()).WithContext("'" + Shown(key) + "'");
    const Bundle& b = *read;
    TensorEntry entry;
    entry.name = names_.Take(key, "tensor " + std::to_string(tensors_.size()));
    entry.shape = b.shape;
    TypeOf(b.type, &entry.type, &entry.refused);
    WHIT_RETURN_IF_ERROR(CheckEntry(entry, tensors_.size(), limits_));
    Place place;
    if (entry.refused.empty()) entry.refused = Locate(b, entry, &place);
    tensors_.push_back(std::move(entry));
    places_.push_back(place);
    return OkStatus();
  }

  // Finds the bytes of a tensor; why there are none, or nothing.
  std::string Locate(const Bundle& b, const TensorEntry& entry, Place* place) {
    if (b.slices > 0) return "a variable in " + std::to_string(b.slices) + " partitions";
    if (b.unknown_rank) return "no shape";
    if (entry.bytes() > limits_.tensor_bytes) return "more bytes than the limit";
    if (b.size < 0 || static_cast<uint64_t>(b.size) != entry.bytes()) {
      return "states " + std::to_string(b.size) + " bytes, " + entry.ShapeText() + " needs " +
             std::to_string(entry.bytes());
    }
    if (b.shard < 0 || b.shard >= shard_count_) {
      return "lies in shard " + std::to_string(b.shard) + " of " + std::to_string(shard_count_);
    }
    if (b.size == 0) return "";
    const Shard& shard = ShardOf(b.shard);
    if (!shard.missing.empty()) return shard.missing;
    const auto all = shard.file.bytes();
    if (b.offset < 0 || static_cast<uint64_t>(b.offset) > all.size() ||
        static_cast<uint64_t>(b.size) > all.size() - static_cast<uint64_t>(b.offset)) {
      return std::to_string(b.size) + " bytes at " + std::to_string(b.offset) +
             " reach behind its shard of " + std::to_string(all.size());
    }
    *place = {all.subspan(static_cast<size_t>(b.offset), static_cast<size_t>(b.size)), b.crc};
    return "";
  }

  const Shard& ShardOf(int64_t number) {
    const auto [at, fresh] = shards_.try_emplace(number);
    if (!fresh) return at->second;
    Shard& shard = at->second;
    if (!prefix_) {
      shard.missing = "the shards lie beside a file that is called PREFIX.index; this one is not";
      return shard;
    }
    auto file = Mapping::MapFile(*prefix_ + std::string(kShard) + FiveDigits(number) + "-of-" +
                                 FiveDigits(shard_count_));
    if (file.ok()) {
      shard.file = std::move(file).value();
    } else {
      shard.missing = "its shard cannot be opened: " + file.status().message();
    }
    return shard;
  }

  WeightLimits limits_;
  EntryNames names_;
  std::optional<std::string> prefix_;  // of the path
  int64_t shard_count_ = 1;  // proto3 does not write what is 0; the writer always writes 1
  bool big_endian_ = false;
  std::map<int64_t, Shard> shards_;  // that tensors lie in
  std::vector<Place> places_;        // of each entry
};

}  // namespace

bool ClaimsTfCheckpoint(std::span<const std::byte> file) { return ClaimsSstable(file); }

Result<std::unique_ptr<WeightFile>> OpenTfCheckpoint(WeightSource source) {
  auto file = std::make_unique<TfCheckpoint>();
  WHIT_RETURN_IF_ERROR(file->Open(std::move(source)));
  return std::unique_ptr<WeightFile>(std::move(file));
}

std::string TfCheckpointIndex(const std::string& path) {
  std::error_code error;
  const size_t at = path.rfind(kShard);
  const bool shard = at != path.npos && path.find('/', at) == path.npos;
  if (!shard && std::filesystem::exists(path, error)) return path;
  const std::string index = path.substr(0, shard ? at : path.npos) + std::string(kIndex);
  return std::filesystem::is_regular_file(index, error) ? index : path;
}

}  // namespace whit::tools
