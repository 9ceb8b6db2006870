// CRC-32C (Castagnoli, RFC 3720 B.4), as the tables of LevelDB and TensorFlow have it.
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_CRC32C_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_CRC32C_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace whit::tools {

/// The checksum of `bytes` behind those whose checksum is `before`.
uint32_t Crc32c(std::span<const std::byte> bytes, uint32_t before = 0);

/// What is stored in place of a checksum, so that checksums of checksums stay checksums.
constexpr uint32_t MaskedCrc32c(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_CRC32C_H_
