#include "tools/whit/npy.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <optional>

#include "platform/mapping.h"
#include "tools/whit/open_model.h"

namespace whit::tools {

namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr uint64_t kMaxArrayBytes = 4ull << 30;

struct TypeCode {
  Type type;
  std::string_view code;
};
// One byte has no order, hence '|'.
constexpr std::array<TypeCode, 8> kTypeCodes = {{{Type::kFloat32, "<f4"},
                                                 {Type::kInt8, "|i1"},
                                                 {Type::kUint8, "|u1"},
                                                 {Type::kInt16, "<i2"},
                                                 {Type::kInt32, "<i4"},
                                                 {Type::kInt64, "<i8"},
                                                 {Type::kBool, "|b1"},
                                                 {Type::kFloat16, "<f2"}}};

// Reads the header's Python literal {'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  Status Parse(NpyArray* array) {
    if (!Take('{')) return Wrong("starts with '{'");
    while (!Take('}')) {
      const auto key = String();
      if (!key || !Take(':')) return Wrong("is a dictionary");
      WHIT_RETURN_IF_ERROR(Value(*key, array));
      Take(',');
    }
    if (!have_type_ || !have_shape_ || !have_order_) {
      return BadInput("npy header: one of descr, fortran_order and shape is missing");
    }
    return OkStatus();
  }

 private:
  Status Value(std::string_view key, NpyArray* array) {
    if (key == "descr") return TypeValue(array);
    if (key == "shape") return ShapeValue(array);
    if (key != "fortran_order") return BadInput("npy header: unknown key '" + Printable(key) + "'");
    if (Word("True")) {
      return BadInput("npy array is in Fortran order; save numpy.ascontiguousarray(a) instead");
    }
    if (!Word("False")) return Wrong("says True or False for fortran_order");
    have_order_ = true;
    return OkStatus();
  }

  Status TypeValue(NpyArray* array) {
    const auto code = String();
    if (!code)
      return BadInput("npy array has a structured element type; one plain type is expected");
    for (const TypeCode& known : kTypeCodes) {
      // '|', '<' and '=' mean the same where a type has one byte.
      const bool same = known.code == *code || (known.code[0] == '|' && code->size() == 3 &&
                                                known.code.substr(1) == code->substr(1));
      if (!same) continue;
      array->type = known.type;
      have_type_ = true;
      return OkStatus();
    }
    return BadInput("npy element type '" + Printable(*code) +
                    "' is none of float32, float16, int8, uint8, int16, int32, int64, bool "
                    "(little-endian)");
  }

  Status ShapeValue(NpyArray* array) {
    if (!Take('(')) return Wrong("has a tuple as shape");
    array->shape.clear();
    while (!Take(')')) {
      SkipSpace();
      uint64_t dim = 0;
      size_t digits = 0;
      for (; at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_])); ++at_) {
        dim = dim * 10 + static_cast<uint64_t>(text_[at_] - '0');
        if (++digits > 15) return Wrong("has dimensions below 10^15");
      }
      if (digits == 0) return Wrong("has non-negative whole numbers in its shape");
      array->shape.push_back(static_cast<int64_t>(dim));
      if (array->shape.size() > 32) return Wrong("has at most 32 dimensions");
      Take(',');
    }
    have_shape_ = true;
    return OkStatus();
  }

  static Status Wrong(const std::string& rule) {
    return BadInput("npy header is broken: it " + rule);
  }

  void SkipSpace() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  bool Take(char c) {
    SkipSpace();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool Word(std::string_view word) {
    SkipSpace();
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  std::optional<std::string_view> String() {
    SkipSpace();
    if (at_ >= text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) return std::nullopt;
    const size_t end = text_.find(text_[at_], at_ + 1);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view word = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return word;
  }

  std::string_view text_;
  size_t at_ = 0;
  bool have_type_ = false, have_shape_ = false, have_order_ = false;
};

uint32_t LittleEndian(std::span<const std::byte> bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < bytes.size(); ++i) value |= std::to_integer<uint32_t>(bytes[i]) << (8 * i);
  return value;
}

Status CheckSize(const NpyArray& array, uint64_t available) {
  uint64_t expected = TypeSize(array.type);
  for (int64_t dim : array.shape) {
    if (__builtin_mul_overflow(expected, static_cast<uint64_t>(dim), &expected)) {
      return BadInput("npy shape " + ShapeText(array.shape) + " is too large");
    }
  }
  if (expected == available) return OkStatus();
  return BadInput("npy data: " + std::to_string(expected) + " bytes expected for " +
                  TypeName(array.type) + ShapeText(array.shape) + ", " + std::to_string(available) +
                  " follow the header");
}

// Shape without its leading ones: what must agree.
std::span<const int64_t> Essential(std::span<const int64_t> shape) {
  while (!shape.empty() && shape.front() == 1) shape = shape.subspan(1);
  return shape;
}

}  // namespace

Result<NpyArray> ParseNpy(std::span<const std::byte> file) {
  if (file.size() < 10 || std::memcmp(file.data(), kMagic.data(), kMagic.size()) != 0) {
    return BadInput("not an .npy file (" + std::to_string(file.size()) +
                    " bytes, no \\x93NUMPY at the start)");
  }
  const int version = std::to_integer<int>(file[6]);
  if (version < 1 || version > 3) {
    return BadInput("npy format version " + std::to_string(version) + "; 1 to 3 are known");
  }
  const size_t length_bytes = version == 1 ? 2 : 4;
  const size_t prefix = 8 + length_bytes;
  if (file.size() < prefix) return BadInput("npy file ends inside its header");
  const uint64_t length = LittleEndian(file.subspan(8, length_bytes));
  if (length > file.size() - prefix) {
    return BadInput("npy header says " + std::to_string(length) + " bytes, the file has " +
                    std::to_string(file.size() - prefix) + " left");
  }
  NpyArray array;
  const auto header = file.subspan(prefix, length);
  WHIT_RETURN_IF_ERROR(
      HeaderParser({reinterpret_cast<const char*>(header.data()), header.size()}).Parse(&array));
  const auto data = file.subspan(prefix + length);
  WHIT_RETURN_IF_ERROR(CheckSize(array, data.size()));
  array.data.assign(data.begin(), data.end());
  return array;
}

Result<NpyArray> ReadNpy(const std::string& path) {
  WHIT_ASSIGN_OR_RETURN(const std::vector<std::byte> file, ReadWholeFile(path, kMaxArrayBytes));
  auto array = ParseNpy(file);
  if (!array.ok()) return Status(array.status()).WithContext(path);
  return array;
}

Status WriteNpy(const std::string& path, Type type, std::span<const int64_t> shape,
                std::span<const std::byte> data) {
  std::string dims;
  for (int64_t dim : shape) dims += std::to_string(dim) + ", ";
  if (shape.size() > 1) dims.resize(dims.size() - 2);
  const auto code = std::find_if(kTypeCodes.begin(), kTypeCodes.end(),
                                 [&](const TypeCode& known) { return known.type == type; });
  std::string header = "{'descr': '" + std::string(code->code) +
                       "', 'fortran_order': False, 'shape': (" + dims + "), }";
  // The data starts at a multiple of 64, the header ends with a newline (NumPy's own rule).
  const size_t prefix = kMagic.size() + 4;
  header.append(63 - (prefix + header.size()) % 64, ' ');
  header += '\n';
  const auto length = static_cast<uint16_t>(header.size());
  std::string start(kMagic);
  start += {'\x01', '\x00', static_cast<char>(length & 0xff), static_cast<char>(length >> 8)};
  start += header;
  const std::array<std::span<const std::byte>, 2> chunks = {
      std::as_bytes(std::span(start.data(), start.size())), data};
  return WriteFileAtomically(path, chunks);
}

Status LoadInput(const std::string& path, const TensorView& input) {
  WHIT_ASSIGN_OR_RETURN(const NpyArray array, ReadNpy(path));
  const auto have = Essential(array.shape), want = Essential(input.shape);
  const bool fits =
      array.type == input.type && std::equal(have.begin(), have.end(), want.begin(), want.end());
  if (!fits || array.data.size() != input.data.size()) {
    return BadInput(path + ": holds " + TypeName(array.type) + ShapeText(array.shape) +
                    ", input '" + std::string(input.name) + "' takes " + TypeAndShape(input));
  }
  std::copy(array.data.begin(), array.data.end(), input.data.begin());
  return OkStatus();
}

}  // namespace whit::tools
