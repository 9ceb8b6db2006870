// Little-endian numbers one after the other: how tests make files of foreign formats.
#ifndef WHIT_TESTS_WEIGHTS_BYTE_WRITER_H_
#define WHIT_TESTS_WEIGHTS_BYTE_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace whit::tools {

class ByteWriter {
 public:
  std::vector<std::byte>& bytes() { return bytes_; }
  const std::vector<std::byte>& bytes() const { return bytes_; }
  uint64_t size() const { return bytes_.size(); }

  ByteWriter& Uint(uint64_t value, size_t size) {
    for (size_t i = 0; i < size; ++i)
      bytes_.push_back(static_cast<std::byte>(i < 8 ? value >> (8 * i) & 255 : 0));
    return *this;
  }
  ByteWriter& U8(uint64_t value) { return Uint(value, 1); }
  ByteWriter& U16(uint64_t value) { return Uint(value, 2); }
  ByteWriter& U32(uint64_t value) { return Uint(value, 4); }
  ByteWriter& U64(uint64_t value) { return Uint(value, 8); }
  ByteWriter& Zeros(size_t count) { return Uint(0, count); }
  ByteWriter& Text(std::string_view text) {
    for (char c : text) bytes_.push_back(static_cast<std::byte>(c));
    return *this;
  }
  ByteWriter& Append(const ByteWriter& other) {
    bytes_.insert(bytes_.end(), other.bytes_.begin(), other.bytes_.end());
    return *this;
  }
  template <typename T>
  ByteWriter& Values(const std::vector<T>& values) {
    const auto* from = reinterpret_cast<const std::byte*>(values.data());
    bytes_.insert(bytes_.end(), from, from + values.size() * sizeof(T));
    return *this;
  }
  ByteWriter& PadTo(size_t multiple) {
    while (bytes_.size() % multiple != 0) bytes_.push_back(std::byte{0});
    return *this;
  }
  /// Writes a number over `size` bytes that are there.
  void Patch(size_t at, uint64_t value, size_t size = 8) {
    for (size_t i = 0; i < size; ++i) bytes_[at + i] = static_cast<std::byte>(value >> (8 * i));
  }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace whit::tools

#endif  // WHIT_TESTS_WEIGHTS_BYTE_WRITER_H_
