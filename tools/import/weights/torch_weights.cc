// Checkpoints of PyTorch: zip archives (since 1.6; TorchScript too) and the format before.
//
// A zip holds <folder>/data.pkl, and the storage of key K as the entry <folder>/data/K. The older
// format is a row of pickles (a magic number, the version, sizes of C types, the object, the list
// of storage keys), then for every key the number of elements, 8 bytes, and the elements.
#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "tools/import/strided.h"
#include "tools/import/weights/byte_order.h"
#include "tools/import/weights/byte_reader.h"
#include "tools/import/weights/formats.h"
#include "tools/import/weights/torch_tensors.h"
#include "tools/import/weights/zip_directory.h"

namespace whit::tools {

namespace {

constexpr std::string_view kPickleEntry = "data.pkl";

// 0x1950a86a20f9469cfc6c, as protocol 2 writes it.
constexpr uint8_t kLegacyStart[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c,
                                    0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};

// Where a storage lies: plain bytes, or an entry that is packed.
struct Storage {
  std::span<const std::byte> bytes;
  const ZipEntry* packed = nullptr;
};

class TorchWeights : public WeightFile {
 public:
  Status OpenZip(WeightSource source, ZipDirectory zip) {
    limits_ = source.limits, mapping_ = std::move(source.file), zip_ = std::move(zip);
    format_ = "PyTorch zip";
    std::string folder;
    const ZipEntry* entry = FindPickle(&folder);
    if (entry == nullptr) {
      return Status(StatusCode::kInvalidModel, "a zip archive without data.pkl: no PyTorch file");
    }
    if (entry->size > limits_.header_bytes) return TooLarge(entry->size);
    WHIT_ASSIGN_OR_RETURN(const auto pickle, ZipContent(*entry, &pickle_bytes_));
    WHIT_RETURN_IF_ERROR(Describe(pickle));
    if (zip_.Find(folder + "constants.pkl") != nullptr) format_ = "TorchScript";
    const ZipEntry* order = zip_.Find(folder + "byteorder");
    big_endian_ = order != nullptr && order->stored.size() >= 3 &&
                  std::memcmp(order->stored.data(), "big", 3) == 0;
    for (const TorchTensor& t : found_) {
      PlaceStorage(t, folder);
      for (const TorchTensor& codes : t.channel_codes) PlaceStorage(codes, folder);
    }
    return Check();
  }

  Status OpenLegacy(WeightSource source) {
    limits_ = source.limits, mapping_ = std::move(source.file);
    format_ = "PyTorch legacy";
    std::span<const std::byte> rest = mapping_.bytes();
    for (int i = 0; i < 2; ++i) {
      WHIT_ASSIGN_OR_RETURN(const Pickle head, ReadPickle(rest));
      rest = rest.subspan(head.bytes);
    }
    WHIT_ASSIGN_OR_RETURN(const Pickle sizes, ReadPickle(rest));
    rest = rest.subspan(sizes.bytes);
    const PickleRef little = sizes.Find(sizes.root, "little_endian");
    big_endian_ =
        little >= 0 && sizes[little].kind == PickleKind::kBool && sizes[little].number == 0;
    WHIT_RETURN_IF_ERROR(Describe(rest));
    rest = rest.subspan(pickle_.bytes);
    WHIT_ASSIGN_OR_RETURN(keys_, ReadPickle(rest));
    rest = rest.subspan(keys_.bytes);
    WHIT_RETURN_IF_ERROR(PlaceStorages(rest));
    return Check();
  }

  Result<std::span<const std::byte>> ReadElements(size_t i,
                                                  std::vector<std::byte>* scratch) const override {
    return ReadView(found_[i], scratch);
  }

 private:
  Result<std::span<const std::byte>> ReadView(const TorchTensor& t,
                                              std::vector<std::byte>* scratch) const {
    const TensorEntry& entry = t.entry;
    std::vector<std::byte> unpacked;
    std::span<const std::byte> bytes = t.bytes;
    if (!t.storage.empty()) {
      const Storage& storage = storages_.at(t.storage);
      bytes = storage.bytes;
      if (storage.packed != nullptr) {
        WHIT_ASSIGN_OR_RETURN(bytes, ZipContent(*storage.packed, &unpacked));
      }
    }
    bytes = bytes.subspan(static_cast<size_t>(t.offset * ElementSize(entry.type)));
    const bool swap = t.storage.empty() ? t.big_endian : big_endian_;
    if (IsDense(t) && !swap && unpacked.empty())
      return bytes.first(static_cast<size_t>(entry.bytes()));
    scratch->resize(static_cast<size_t>(entry.bytes()));
    GatherStrided(bytes, entry.shape, t.stride, ElementSize(entry.type), *scratch);
    if (swap) SwapBytes(entry.type, scratch);
    return std::span<const std::byte>(*scratch);
  }

  static Status TooLarge(uint64_t bytes) {
    return Status(StatusCode::kOverBudget,
                  "a description of " + std::to_string(bytes) + " bytes, before any tensor");
  }

  // The one data.pkl, and what comes before it.
  const ZipEntry* FindPickle(std::string* folder) const {
    for (const ZipEntry& entry : zip_.entries()) {
      if (!entry.name.ends_with(kPickleEntry)) continue;
      *folder = entry.name.substr(0, entry.name.size() - kPickleEntry.size());
      if (folder->empty() || (folder->back() == '/' && folder->find('/') == folder->size() - 1))
        return &entry;
    }
    return nullptr;
  }

  Status Describe(std::span<const std::byte> bytes) {
    if (bytes.size() > limits_.header_bytes) bytes = bytes.first(limits_.header_bytes);
    WHIT_ASSIGN_OR_RETURN(pickle_, ReadPickle(bytes));
    WHIT_ASSIGN_OR_RETURN(found_, FindTorchTensors(pickle_, limits_));
    return OkStatus();
  }

  // Where the storage of t is in the archive, if it is there.
  void PlaceStorage(const TorchTensor& t, const std::string& folder) {
    if (t.storage.empty() || storages_.contains(t.storage)) return;
    const ZipEntry* data = zip_.Find(folder + "data/" + std::string(t.storage));
    if (data == nullptr) return;
    storages_.emplace(t.storage,
                      data->deflated ? Storage{{}, data} : Storage{data->stored, nullptr});
  }

  // The storages of the older format, by the order of their keys. How large an element is only
  // the tensors say.
  Status PlaceStorages(std::span<const std::byte> rest) {
    std::unordered_map<std::string_view, size_t> element;
    for (const TorchTensor& t : found_) {
      if (!t.storage.empty()) element.emplace(t.storage, ElementSize(t.storage_type));
      for (const TorchTensor& codes : t.channel_codes)
        element.emplace(codes.storage, ElementSize(codes.storage_type));
    }
    ByteReader in(rest);
    for (const PickleRef i : keys_[keys_.root].items) {
      const std::string_view key = keys_[i].text;
      const auto size = element.find(key);
      // A storage that no tensor reads: its size is not known, so nothing behind it can be found.
      if (size == element.end()) break;
      const uint64_t count = in.U64();
      if (count > in.left() / size->second) in.Skip(UINT64_MAX);
      const auto bytes = in.Take(in.ok() ? count * size->second : 0);
      if (!in.ok()) {
        return Status(StatusCode::kInvalidModel,
                      "storage '" + std::string(key.substr(0, 80)) + "' states " +
                          std::to_string(count) +
                          " elements, more than the file has left: it is cut");
      }
      storages_.emplace(key, Storage{bytes, nullptr});
    }
    return OkStatus();
  }

  // Whether every element lies in its storage.
  Status Check() {
    scales_left_ = mapping_.size();
    for (TorchTensor& t : found_) {
      if (t.entry.refused.empty()) t.entry.refused = Refusal(t);
      if (t.entry.refused.empty() && !t.channel_codes.empty()) t.entry.refused = ReadCodes(&t);
      if (!t.entry.refused.empty() && !t.channel_codes.empty()) t.entry.codes = {};
      tensors_.push_back(t.entry);
    }
    return OkStatus();
  }

  // Fills entry.codes from channel_codes; or why that cannot be.
  std::string ReadCodes(TorchTensor* t) {
    AffineCodes& codes = t->entry.codes;
    const TorchTensor &scales = t->channel_codes[0], &zeros = t->channel_codes[1];
    if (!IsFloating(scales.entry.type)) return "its scales are " + Named(scales);
    const bool wide = zeros.entry.type == ElementType::kInt64;
    if (!wide && zeros.entry.type != ElementType::kInt32)
      return "its zero points are " + Named(zeros);
    std::vector<std::byte> scratch;
    auto bytes = ReadPart(*t, scales, &scratch);
    if (!bytes.ok()) return "its scales: " + bytes.status().message();
    codes.scale.resize(static_cast<size_t>(scales.entry.elements()));
    ToFloats(scales.entry.type, *bytes, codes.scale);
    bytes = ReadPart(*t, zeros, &scratch);
    if (!bytes.ok()) return "its zero points: " + bytes.status().message();
    ByteReader in(*bytes);
    for (size_t c = 0; c < codes.scale.size(); ++c) {
      codes.zero_point.push_back(wide ? static_cast<int64_t>(in.U64())
                                      : static_cast<int32_t>(in.U32()));
    }
    return "";
  }

  // The scales or zero points of t.
  Result<std::span<const std::byte>> ReadPart(const TorchTensor& t, const TorchTensor& part,
                                              std::vector<std::byte>* scratch) {
    const std::vector<int64_t>& shape = t.entry.shape;
    const auto axis = static_cast<size_t>(t.entry.codes.axis);
    const auto bad = [](const std::string& what) {
      return Status(StatusCode::kInvalidModel, what);
    };
    if (axis >= shape.size()) {
      return bad("of axis " + std::to_string(axis) + ", the tensor has " +
                 std::to_string(shape.size()) + " axes");
    }
    if (part.entry.shape.size() != 1 || part.entry.shape[0] != shape[axis]) {
      return bad("of shape " + part.entry.ShapeText() + ", axis " + std::to_string(axis) + " has " +
                 std::to_string(shape[axis]) + " channels");
    }
    const std::string refused = part.entry.refused.empty() ? Refusal(part) : part.entry.refused;
    if (!refused.empty()) return bad(refused);
    if (!ChargeScales(part)) {
      return bad("more numbers than a file of " + std::to_string(mapping_.size()) +
                 " bytes has for all of its tensors");
    }
    return ReadView(part, scratch);
  }

  static std::string Named(const TorchTensor& t) { return ElementName(t.entry.type); }

  // Views may share a storage, or show one element without end, and what is packed is unpacked as a
  // whole: all scales together may be as many as the file has bytes.
  bool ChargeScales(const TorchTensor& part) {
    auto numbers = static_cast<uint64_t>(part.entry.elements());
    const auto storage = storages_.find(part.storage);
    if (storage != storages_.end() && storage->second.packed != nullptr)
      numbers = std::max(numbers, storage->second.packed->size / sizeof(double));
    if (numbers > scales_left_) return false;
    scales_left_ -= numbers;
    return true;
  }

  std::string Refusal(const TorchTensor& t) const {
    uint64_t size = t.bytes.size();
    if (!t.storage.empty()) {
      const auto found = storages_.find(t.storage);
      if (found == storages_.end())
        return "its storage '" + std::string(t.storage.substr(0, 80)) + "' is not in the file";
      const Storage& s = found->second;
      size = s.packed != nullptr ? s.packed->size : s.bytes.size();
    }
    const TensorEntry& e = t.entry;
    if (e.bytes() > limits_.tensor_bytes) return "more bytes than the limit";
    const uint64_t elements = size / ElementSize(e.type);
    uint64_t last = t.offset;
    bool fits = last <= elements;
    for (size_t k = 0; k < e.shape.size() && fits; ++k) {
      const auto steps = static_cast<uint64_t>(std::max<int64_t>(0, e.shape[k] - 1));
      const auto stride = static_cast<uint64_t>(t.stride[k]);
      if (steps == 0 || stride == 0) continue;
      fits = stride <= elements / steps;  // else the product may overflow
      if (fits) last += steps * stride;
      fits = fits && last < elements;
    }
    if (e.elements() == 0) return fits ? "" : "it starts behind its storage";
    if (fits && last < elements) return "";
    return "it reaches behind its storage of " + std::to_string(size) + " bytes";
  }

  static bool IsDense(const TorchTensor& t) {
    int64_t step = 1;
    for (size_t k = t.entry.shape.size(); k > 0; --k) {
      if (t.entry.shape[k - 1] == 0) return true;
      if (t.entry.shape[k - 1] > 1 && t.stride[k - 1] != step) return false;
      step *= t.entry.shape[k - 1];
    }
    return true;
  }

  WeightLimits limits_;
  ZipDirectory zip_;
  std::vector<std::byte> pickle_bytes_;  // where the pickle is packed
  Pickle pickle_, keys_;
  std::vector<TorchTensor> found_;
  std::unordered_map<std::string_view, Storage> storages_;
  bool big_endian_ = false;
  uint64_t scales_left_ = 0;
};

}  // namespace

Result<std::unique_ptr<WeightFile>> OpenTorchZip(WeightSource source, ZipDirectory zip) {
  auto file = std::make_unique<TorchWeights>();
  WHIT_RETURN_IF_ERROR(file->OpenZip(std::move(source), std::move(zip)));
  return std::unique_ptr<WeightFile>(std::move(file));
}

bool ClaimsTorchLegacy(std::span<const std::byte> file) {
  return file.size() > sizeof kLegacyStart &&
         std::memcmp(file.data(), kLegacyStart, sizeof kLegacyStart) == 0;
}

Result<std::unique_ptr<WeightFile>> OpenTorchLegacy(WeightSource source) {
  auto file = std::make_unique<TorchWeights>();
  WHIT_RETURN_IF_ERROR(file->OpenLegacy(std::move(source)));
  return std::unique_ptr<WeightFile>(std::move(file));
}

}  // namespace whit::tools
