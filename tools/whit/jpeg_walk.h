// What a JPEG file asks its decoder to do, read from its markers before anything is decoded.
#ifndef WHIT_TOOLS_WHIT_JPEG_WALK_H_
#define WHIT_TOOLS_WHIT_JPEG_WALK_H_

#include <cstddef>
#include <span>

namespace whit::tools {

struct JpegWork {
  size_t scans = 0;
  /// Of one Huffman table, at most. JPEG needs 176; stb_image of 2022 reads wrong places from 256 on
  /// and writes behind its table from 257 on.
  size_t most_codes = 0;
  /// A scan names a table that nothing before it defines: stb_image would use what is in memory.
  bool undefined_table = false;
};

/// All scans and tables that a decoder may come across, whatever the bytes: what is no marker is
/// passed over as stb_image does.
JpegWork WalkJpeg(std::span<const std::byte> file);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_WHIT_JPEG_WALK_H_
