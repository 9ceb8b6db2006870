// NumPy's .npy (one array) and .npz (a zip of them). The header of an array is a Python dict in
// text: 'descr', 'fortran_order' and 'shape' are read of it, and nothing else may be in it.
#include <algorithm>
#include <charconv>
#include <string_view>

#include "tools/import/strided.h"
#include "tools/import/weights/byte_order.h"
#include "tools/import/weights/byte_reader.h"
#include "tools/import/weights/entry_names.h"
#include "tools/import/weights/formats.h"
#include "tools/import/weights/numpy_type.h"
#include "tools/import/weights/zip_directory.h"

namespace whit::tools {

namespace {

constexpr std::string_view kNumpyMagic = "\x93NUMPY";
constexpr size_t kMostHeader = 65536;
constexpr size_t kUsualHeader = 256;  // of an array without records; NumPy pads to 64

struct Array {
  TensorEntry entry;
  size_t data = 0;  // where the elements begin
  bool big_endian = false, columns_first = false;
};

Status BadArray(const std::string& what) {
  return Status(StatusCode::kInvalidModel, "array: " + what);
}

// What stands behind 'key': in the header.
std::string_view Value(std::string_view header, std::string_view key) {
  const std::string quoted = "'" + std::string(key) + "'";
  const size_t at = header.find(quoted);
  if (at == header.npos) return {};
  const size_t colon = header.find_first_not_of(" :", at + quoted.size());
  return colon == header.npos ? std::string_view() : header.substr(colon);
}

bool ReadShape(std::string_view text, std::vector<int64_t>* shape) {
  if (!text.starts_with('(')) return false;
  text.remove_prefix(1);
  while (true) {
    const size_t at = text.find_first_not_of(", ");
    if (at == text.npos) return false;
    text.remove_prefix(at);
    if (text[0] == ')') return true;
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc()) return false;
    shape->push_back(value);
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    if (text.starts_with('L')) text.remove_prefix(1);  // Python 2
  }
}

// Magic number, version and header by what the first bytes say, at most kMostHeader and those 12.
size_t HeaderBytes(std::span<const std::byte> start) {
  ByteReader in(start);
  in.Skip(kNumpyMagic.size());
  const bool first = in.U8() == 1;
  in.Skip(1);
  const uint64_t size = first ? in.U16() : in.U32();
  return in.ok() ? in.position() + std::min<uint64_t>(size, kMostHeader) : 0;
}

// Fills all of an array but its name. The type of an unknown element is refused, not an error.
Result<Array> ReadHeader(std::span<const std::byte> file) {
  ByteReader in(file);
  if (!in.Matches(kNumpyMagic)) return BadArray("does not begin as one");
  const uint8_t major = in.U8();
  in.Skip(1);
  const uint64_t size = major == 1 ? in.U16() : in.U32();
  if (major < 1 || major > 3)
    return BadArray("version " + std::to_string(major) + ", known are 1 to 3");
  if (size > kMostHeader) return BadArray("a header of " + std::to_string(size) + " bytes");
  const auto bytes = in.Take(size);
  if (!in.ok()) return BadArray("its header is cut");
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  Array a;
  a.data = in.position();
  a.columns_first = Value(header, "fortran_order").starts_with("True");
  std::string_view descr = Value(header, "descr");
  if (!ReadShape(Value(header, "shape"), &a.entry.shape))
    return BadArray("its header states no shape");
  if (descr.size() < 2 || descr[0] != '\'') {
    a.entry.refused = "elements that are records";
  } else {
    descr = descr.substr(1, descr.find('\'', 1) - 1);
    if (!NumpyType(descr, &a.entry.type, &a.big_endian))
      a.entry.refused = "elements of type " + ToUtf8(descr.substr(0, 40));
  }
  return a;
}

// Elements to the next one along each axis, where the first index runs fastest.
std::vector<int64_t> ColumnStrides(const std::vector<int64_t>& shape) {
  std::vector<int64_t> stride(shape.size(), 1);
  for (size_t k = 1; k < shape.size(); ++k) stride[k] = stride[k - 1] * shape[k - 1];
  return stride;
}

class NumpyWeights : public WeightFile {
 public:
  // Of what is packed only the headers are unpacked: a damaged rest shows when it is read.
  Status OpenZip(WeightSource source, ZipDirectory zip) {
    format_ = "NumPy zip";
    limits_ = source.limits, mapping_ = std::move(source.file), zip_ = std::move(zip);
    for (const ZipEntry& entry : zip_.entries()) {
      std::string_view name = entry.name;
      if (!name.ends_with(".npy")) continue;
      name.remove_suffix(4);
      std::vector<std::byte> scratch;
      WHIT_ASSIGN_OR_RETURN(auto start, ZipStart(entry, kUsualHeader, &scratch));
      if (HeaderBytes(start) > start.size()) {
        WHIT_ASSIGN_OR_RETURN(start, ZipStart(entry, HeaderBytes(start), &scratch));
      }
      WHIT_RETURN_IF_ERROR(Add(start, entry.size, name, &entry));
    }
    return OkStatus();
  }

  Status OpenArray(WeightSource source) {
    format_ = "NumPy array";
    limits_ = source.limits, mapping_ = std::move(source.file);
    return Add(mapping_.bytes(), mapping_.size(), "array", nullptr);
  }

  Result<std::span<const std::byte>> ReadElements(size_t i,
                                                  std::vector<std::byte>* scratch) const override {
    const Array& a = arrays_[i];
    std::span<const std::byte> bytes = mapping_.bytes();
    std::vector<std::byte> unpacked;
    if (packed_[i] != nullptr) {
      WHIT_ASSIGN_OR_RETURN(bytes, ZipContent(*packed_[i], &unpacked));
    }
    bytes = bytes.subspan(a.data, static_cast<size_t>(a.entry.bytes()));
    if (!a.columns_first && !a.big_endian && unpacked.empty()) return bytes;
    if (a.columns_first) {
      const std::vector<int64_t> stride = ColumnStrides(a.entry.shape);
      scratch->resize(bytes.size());
      GatherStrided(bytes, a.entry.shape, stride, ElementSize(a.entry.type), *scratch);
    } else {
      scratch->assign(bytes.begin(), bytes.end());
    }
    if (a.big_endian) SwapBytes(a.entry.type, scratch);
    return std::span<const std::byte>(*scratch);
  }

 private:
  // `start`: its header and perhaps more, of `size` bytes.
  Status Add(std::span<const std::byte> start, uint64_t size, std::string_view name,
             const ZipEntry* packed) {
    auto read = ReadHeader(start);
    if (!read.ok()) return Status(read.status()).WithContext(std::string(name.substr(0, 120)));
    Array a = std::move(read).value();
    a.entry.name = names_.Take(name, "array");
    WHIT_RETURN_IF_ERROR(CheckEntry(a.entry, tensors_.size(), limits_));
    if (a.entry.refused.empty() && a.entry.bytes() > size - a.data) {
      return Status(StatusCode::kInvalidModel, a.entry.name + ": " + a.entry.ShapeText() +
                                                   " needs " + std::to_string(a.entry.bytes()) +
                                                   " bytes, the file has " +
                                                   std::to_string(size - a.data) + ": it is cut");
    }
    tensors_.push_back(a.entry);
    arrays_.push_back(std::move(a));
    packed_.push_back(packed);
    return OkStatus();
  }

  WeightLimits limits_;
  ZipDirectory zip_;
  EntryNames names_;
  std::vector<Array> arrays_;
  std::vector<const ZipEntry*> packed_;  // of each array; null: the file is the array
};

}  // namespace

bool ClaimsNumpy(std::span<const std::byte> file) { return ByteReader(file).Matches(kNumpyMagic); }

Result<std::unique_ptr<WeightFile>> OpenNumpyWeights(WeightSource source) {
  auto file = std::make_unique<NumpyWeights>();
  WHIT_RETURN_IF_ERROR(file->OpenArray(std::move(source)));
  return std::unique_ptr<WeightFile>(std::move(file));
}

Result<std::unique_ptr<WeightFile>> OpenNumpyZip(WeightSource source, ZipDirectory zip) {
  auto file = std::make_unique<NumpyWeights>();
  WHIT_RETURN_IF_ERROR(file->OpenZip(std::move(source), std::move(zip)));
  return std::unique_ptr<WeightFile>(std::move(file));
}

}  // namespace whit::tools
