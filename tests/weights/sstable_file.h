// Tables of LevelDB as tests want them, honest or not.
#ifndef WHIT_TESTS_WEIGHTS_SSTABLE_FILE_H_
#define WHIT_TESTS_WEIGHTS_SSTABLE_FILE_H_

#include <string>
#include <utility>
#include <vector>

#include "tests/weights/byte_writer.h"

namespace whit::tools {

inline std::string Varint(uint64_t value) {
  std::string text;
  for (; value > 127; value >>= 7) text += static_cast<char>((value & 127) | 128);
  return text + static_cast<char>(value);
}
inline std::string NumberField(int field, uint64_t value) {
  return Varint(static_cast<uint64_t>(field) << 3) + Varint(value);
}
inline std::string BytesField(int field, const std::string& bytes) {
  return Varint(static_cast<uint64_t>(field) << 3 | 2) + Varint(bytes.size()) + bytes;
}
inline std::string Fixed32(uint32_t value) {
  std::string text;
  for (int i = 0; i < 4; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

/// Masked, bit by bit.
inline uint32_t SlowChecksum(const std::string& bytes) {
  uint32_t crc = ~0u;
  for (char c : bytes) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
  }
  crc = ~crc;
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

class SstableFile {
 public:
  using Entries = std::vector<std::pair<std::string, std::string>>;

  /// A block of entries that share nothing.
  static std::string Plain(const Entries& entries) {
    std::string block;
    for (const auto& [key, value] : entries)
      block += Varint(0) + Varint(key.size()) + Varint(value.size()) + key + value;
    return block + Fixed32(0) + Fixed32(1);
  }
  /// Adds a block and its trailer; the handle that names it.
  std::string Add(const std::string& contents, int type = 0) {
    const std::string typed = contents + static_cast<char>(type);
    const std::string handle = Varint(file_.size()) + Varint(contents.size());
    file_ += typed + Fixed32(SlowChecksum(typed));
    return handle;
  }
  /// The file with `index` as its last block.
  std::vector<std::byte> With(const std::string& index) {
    const std::string meta = Add(Plain({}));
    return Ending(meta + Add(index));
  }
  std::vector<std::byte> Ending(std::string footer) const {
    footer.resize(40);
    ByteWriter w;
    w.Text(file_).Text(footer).U64(0xdb4775248b80fb57);
    return w.bytes();
  }
  /// One block of entries, and its index.
  static std::vector<std::byte> Of(const std::string& block, int type = 0) {
    SstableFile file;
    const std::string handle = file.Add(block, type);
    return file.With(Plain({{"~", handle}}));
  }

 private:
  std::string file_;
};

}  // namespace whit::tools

#endif  // WHIT_TESTS_WEIGHTS_SSTABLE_FILE_H_
