// safetensors: 8 bytes with the size of a JSON header, the header, the elements of all tensors
// without gaps. Of every tensor the header says dtype, shape and data_offsets, counted from the
// header's end; "__metadata__" is a map of texts.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/import/weights/byte_reader.h"
#include "tools/import/weights/entry_names.h"
#include "tools/import/weights/formats.h"
#include "tools/import/weights/safetensors_type.h"

namespace whit::tools {

namespace {

constexpr size_t kSizeBytes = 8;
constexpr std::string_view kMetadata = "__metadata__";

Status BadSafetensors(const std::string& what) {
  return Status(StatusCode::kInvalidModel, "safetensors: " + what);
}

struct Stated {
  std::string name, dtype;
  std::vector<uint64_t> shape, offsets;
};

// What the header says, as it is read: no tree of JSON values is made.
class Header : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Header(const WeightLimits& limits) : limits_(limits) {}

  bool null() override { return Fail("a null"); }
  bool boolean(bool) override { return Fail("a boolean"); }
  bool number_float(double, const std::string&) override { return Fail("a fraction"); }
  bool binary(binary_t&) override { return Fail("binary data"); }
  bool number_integer(int64_t) override { return Fail("a number below 0"); }
  bool number_unsigned(uint64_t value) override {
    if (numbers_ == nullptr || numbers_->size() >= kMostNumbers) return Fail("a number too many");
    numbers_->push_back(value);
    return true;
  }
  bool string(std::string& text) override {
    if (in_metadata_ && depth_ == 2) {
      metadata.emplace_back(key_, text);
      return true;
    }
    if (depth_ != 2 || key_ != "dtype") return Fail("a text in the place of something else");
    tensors.back().dtype = text;
    return true;
  }
  bool start_object(size_t) override {
    if (++depth_ > 2 || numbers_ != nullptr) return Fail("objects inside of objects");
    if (depth_ == 2 && !in_metadata_) {
      if (tensors.size() >= limits_.tensors) return Fail("too many tensors");
      tensors.push_back({key_, "", {}, {}});
    }
    return true;
  }
  bool key(std::string& key) override {
    key_ = key;
    if (depth_ == 1) in_metadata_ = key == kMetadata;
    return true;
  }
  bool end_object() override {
    --depth_;
    return true;
  }
  bool start_array(size_t) override {
    const bool of_tensor = depth_ == 2 && !in_metadata_ && numbers_ == nullptr;
    if (of_tensor && key_ == "shape") {
      numbers_ = &tensors.back().shape;
    } else if (of_tensor && key_ == "data_offsets") {
      numbers_ = &tensors.back().offsets;
    } else {
      return Fail("an array in the place of something else");
    }
    return true;
  }
  bool end_array() override {
    numbers_ = nullptr;
    return true;
  }
  bool parse_error(size_t at, const std::string&, const nlohmann::detail::exception&) override {
    return Fail("no JSON at byte " + std::to_string(at));
  }

  std::vector<Stated> tensors;
  std::vector<std::pair<std::string, std::string>> metadata;
  std::string error;

 private:
  static constexpr size_t kMostNumbers = 64;  // dimensions

  bool Fail(const std::string& what) {
    if (error.empty()) error = what + (key_.empty() ? "" : ", at '" + key_.substr(0, 80) + "'");
    return false;
  }

  const WeightLimits& limits_;
  std::string key_;
  int depth_ = 0;
  bool in_metadata_ = false;
  std::vector<uint64_t>* numbers_ = nullptr;
};

class Safetensors : public WeightFile {
 public:
  Status Open(WeightSource source) {
    format_ = "safetensors";
    limits_ = source.limits, mapping_ = std::move(source.file);
    ByteReader in(mapping_.bytes());
    const uint64_t size = in.U64();
    if (size > limits_.header_bytes)
      return BadSafetensors("a header of " + std::to_string(size) + " bytes");
    const auto bytes = in.Take(size);
    if (!in.ok()) return BadSafetensors("its header of " + std::to_string(size) + " bytes is cut");
    data_ = in.Rest();
    Header header(limits_);
    const auto* text = reinterpret_cast<const char*>(bytes.data());
    const bool parsed = nlohmann::json::sax_parse(text, text + bytes.size(), &header);
    if (!parsed || !header.error.empty()) return BadSafetensors("its header has " + header.error);
    for (auto& [key, value] : header.metadata) metadata_.emplace_back(ToUtf8(key), ToUtf8(value));
    for (const Stated& stated : header.tensors) WHIT_RETURN_IF_ERROR(Add(stated));
    return CheckPlaces();
  }

  Result<std::span<const std::byte>> ReadElements(size_t i,
                                                  std::vector<std::byte>*) const override {
    const TensorEntry& entry = tensors_[i];
    return data_.subspan(static_cast<size_t>(begin_[i]), static_cast<size_t>(entry.bytes()));
  }

 private:
  Status Add(const Stated& stated) {
    TensorEntry entry;
    entry.name = names_.Take(stated.name, "tensor");
    const std::string label = "tensor '" + stated.name.substr(0, 120) + "': ";
    if (!SafetensorsTypeNamed(stated.dtype, &entry.type))
      entry.refused = "elements of type " + ToUtf8(stated.dtype.substr(0, 40));
    for (const uint64_t d : stated.shape) {
      if (d > INT64_MAX) return BadSafetensors(label + "a dimension of " + std::to_string(d));
      entry.shape.push_back(static_cast<int64_t>(d));
    }
    WHIT_RETURN_IF_ERROR(CheckEntry(entry, tensors_.size(), limits_));
    if (stated.offsets.size() != 2 || stated.offsets[0] > stated.offsets[1] ||
        stated.offsets[1] > data_.size()) {
      return BadSafetensors(label + "its bytes do not lie in the file of " +
                            std::to_string(data_.size()) +
                            " bytes behind the header: it is cut, or the header is wrong");
    }
    const uint64_t has = stated.offsets[1] - stated.offsets[0];
    if (entry.refused.empty() && has != entry.bytes()) {
      return BadSafetensors(label + entry.ShapeText() + " " + ElementName(entry.type) + " needs " +
                            std::to_string(entry.bytes()) + " bytes, has " + std::to_string(has));
    }
    begin_.push_back(stated.offsets[0]), end_.push_back(stated.offsets[1]);
    tensors_.push_back(std::move(entry));
    return OkStatus();
  }

  // No two tensors share bytes.
  Status CheckPlaces() const {
    std::vector<size_t> order(tensors_.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return std::pair(begin_[a], end_[a]) < std::pair(begin_[b], end_[b]);
    });
    for (size_t i = 1; i < order.size(); ++i) {
      if (begin_[order[i]] < end_[order[i - 1]]) {
        return BadSafetensors("tensors '" + tensors_[order[i - 1]].name.substr(0, 80) + "' and '" +
                              tensors_[order[i]].name.substr(0, 80) + "' share bytes");
      }
    }
    return OkStatus();
  }

  WeightLimits limits_;
  EntryNames names_;
  std::span<const std::byte> data_;
  std::vector<uint64_t> begin_, end_;  // of each tensor in data_
};

}  // namespace

bool ClaimsSafetensors(std::span<const std::byte> file) {
  ByteReader in(file);
  in.Skip(kSizeBytes);
  return in.U8() == '{';
}

Result<std::unique_ptr<WeightFile>> OpenSafetensors(WeightSource source) {
  auto file = std::make_unique<Safetensors>();
  WHIT_RETURN_IF_ERROR(file->Open(std::move(source)));
  return std::unique_ptr<WeightFile>(std::move(file));
}

}  // namespace whit::tools
