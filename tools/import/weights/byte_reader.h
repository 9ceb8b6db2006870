// Little-endian numbers from foreign bytes, one after the other. A step behind the end gives zeros
// and is remembered, so that a parser asks once, after the fields that belong together.
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_BYTE_READER_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_BYTE_READER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace whit::tools {

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  /// False from the first step behind the end on.
  bool ok() const { return ok_; }
  size_t left() const { return bytes_.size() - at_; }
  size_t position() const { return at_; }

  /// An unsigned number of `size` bytes, at most 8.
  uint64_t Uint(size_t size) {
    const std::span<const std::byte> bytes = Take(size);
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.size(); ++i)
      value |= uint64_t{std::to_integer<uint8_t>(bytes[i])} << (8 * i);
    return value;
  }
  uint8_t U8() { return static_cast<uint8_t>(Uint(1)); }
  uint16_t U16() { return static_cast<uint16_t>(Uint(2)); }
  uint32_t U32() { return static_cast<uint32_t>(Uint(4)); }
  uint64_t U64() { return Uint(8); }

  /// The next `size` bytes; empty, with ok() false, where there are fewer.
  std::span<const std::byte> Take(uint64_t size) {
    if (!ok_ || size > left()) {
      ok_ = false;
      return {};
    }
    const auto taken = bytes_.subspan(at_, static_cast<size_t>(size));
    at_ += taken.size();
    return taken;
  }
  void Skip(uint64_t size) { (void)Take(size); }
  /// Everything that is left.
  std::span<const std::byte> Rest() { return Take(left()); }

  /// Text up to a zero, which is taken too; without one, ok() becomes false.
  std::string_view Text() {
    const auto rest = bytes_.subspan(at_);
    for (size_t i = 0; ok_ && i < rest.size(); ++i) {
      if (rest[i] != std::byte{0}) continue;
      Skip(i + 1);
      return {reinterpret_cast<const char*>(rest.data()), i};
    }
    ok_ = false;
    return {};
  }

  /// Whether the next bytes are these; takes them.
  bool Matches(std::string_view text) {
    const auto bytes = Take(text.size());
    return ok_ &&
           std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()) == text;
  }

 private:
  std::span<const std::byte> bytes_;
  size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_BYTE_READER_H_
