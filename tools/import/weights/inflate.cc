#include "tools/import/weights/inflate.h"

#if WHIT_ZLIB
#include <zlib.h>
#endif

#include <algorithm>
#include <limits>
#include <string>

namespace whit::tools {

#if WHIT_ZLIB
namespace {

// Up to `most` bytes; *ended: whether the stream ended with them.
Status InflateUpTo(std::span<const std::byte> in, Wrapping wrapping, uint64_t most,
                   std::vector<std::byte>* out, bool* ended) {
  z_stream stream{};
  // Negative: no header and no checksum.
  if (inflateInit2(&stream, wrapping == Wrapping::kNone ? -MAX_WBITS : MAX_WBITS) != Z_OK)
    return Status(StatusCode::kOutOfMemory, "zlib could not start");
  out->resize(static_cast<size_t>(most));
  size_t read = 0, written = 0;
  int result = Z_OK;
  // zlib counts in 32 bits: pieces of at most 1 GiB.
  constexpr size_t kPiece = size_t{1} << 30;
  while (result == Z_OK) {
    const size_t from = std::min(kPiece, in.size() - read),
                 to = std::min(kPiece, out->size() - written);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data() + read));
    stream.next_out = reinterpret_cast<Bytef*>(out->data() + written);
    stream.avail_in = static_cast<uInt>(from), stream.avail_out = static_cast<uInt>(to);
    result = inflate(&stream, Z_NO_FLUSH);
    read += from - stream.avail_in, written += to - stream.avail_out;
    if (from == stream.avail_in && to == stream.avail_out) break;  // no way on
  }
  inflateEnd(&stream);
  out->resize(written);
  *ended = result == Z_STREAM_END;
  return OkStatus();
}

}  // namespace

Status Inflate(std::span<const std::byte> in, Wrapping wrapping, uint64_t most,
               std::vector<std::byte>* out) {
  bool ended = false;
  WHIT_RETURN_IF_ERROR(InflateUpTo(in, wrapping, most, out, &ended));
  if (ended) return OkStatus();
  return Status(StatusCode::kInvalidModel, "deflated data are damaged, or have more than the " +
                                               std::to_string(most) + " bytes that were stated");
}

Status InflateStart(std::span<const std::byte> in, Wrapping wrapping, uint64_t count,
                    std::vector<std::byte>* out) {
  bool ended = false;
  WHIT_RETURN_IF_ERROR(InflateUpTo(in, wrapping, count, out, &ended));
  if (ended || out->size() == count) return OkStatus();
  return Status(StatusCode::kInvalidModel,
                "deflated data are damaged after " + std::to_string(out->size()) + " bytes");
}
#else
Status Inflate(std::span<const std::byte>, Wrapping, uint64_t, std::vector<std::byte>*) {
  return Status(StatusCode::kUnsupported, "deflated data: this build has no zlib");
}
Status InflateStart(std::span<const std::byte>, Wrapping, uint64_t, std::vector<std::byte>*) {
  return Inflate({}, Wrapping::kNone, 0, nullptr);
}
#endif

}  // namespace whit::tools
