#include "tools/import/weights/hdf5_filters.h"

#include <algorithm>
#include <limits>

#include "tools/import/weights/hdf5_reader.h"
#include "tools/import/weights/inflate.h"

namespace whit::tools {

namespace {

constexpr size_t kChecksumBytes = 4;

// The k-th bytes of all elements lay together; what is no whole element lies behind.
void Unshuffle(Hdf5Bytes in, uint32_t element, std::vector<std::byte>* out) {
  out->resize(in.size());
  const size_t count = in.size() / element;
  // Without a whole element there is nothing to turn, and `element` may be any number of the file.
  for (size_t k = 0; count > 0 && k < element; ++k) {
    const std::byte* from = in.data() + k * count;
    std::byte* to = out->data() + k;
    for (size_t i = 0; i < count; ++i) to[i * element] = from[i];
  }
  std::copy(in.begin() + static_cast<long>(count * element), in.end(),
            out->begin() + static_cast<long>(count * element));
}

// Fletcher's sum over big-endian words of 16 bits; a last single byte is the upper half of one.
uint32_t Fletcher32(Hdf5Bytes in) {
  uint32_t a = 0, b = 0;
  for (size_t i = 0; i < in.size(); i += 2) {
    const uint32_t low = i + 1 < in.size() ? std::to_integer<uint32_t>(in[i + 1]) : 0;
    a = (a + (std::to_integer<uint32_t>(in[i]) << 8 | low)) % 65535;
    b = (b + a) % 65535;
  }
  return b << 16 | a;
}

// Equal sums may be stored with 65535 for 0, as folding instead of dividing leaves it.
bool SameSum(uint32_t a, uint32_t b) {
  return (a >> 16) % 65535 == (b >> 16) % 65535 && (a & 65535) % 65535 == (b & 65535) % 65535;
}

Result<Hdf5Bytes> WithoutChecksum(Hdf5Bytes in) {
  if (in.size() < kChecksumBytes) return BadHdf5("a chunk is shorter than its checksum");
  const Hdf5Bytes data = in.first(in.size() - kChecksumBytes);
  const uint32_t stored = ByteReader(in.last(kChecksumBytes)).U32();
  if (!SameSum(Fletcher32(data), stored))
    return Status(StatusCode::kIntegrity, "a chunk is damaged: its checksum differs");
  return data;
}

}  // namespace

Result<std::vector<Hdf5Filter>> ParseHdf5Filters(std::span<const std::byte> message) {
  ByteReader in(message);
  const int version = in.U8();
  const int count = in.U8();
  constexpr int kMaxFilters = 32;  // bits of a chunk's mask
  if (version < 1 || version > 2 || count > kMaxFilters)
    return BadHdf5("a filter message of version " + std::to_string(version) + " with " +
                   std::to_string(count) + " filters");
  if (version == 1) in.Skip(6);
  std::vector<Hdf5Filter> filters(static_cast<size_t>(count));
  for (Hdf5Filter& filter : filters) {
    filter.id = in.U16();
    // Known filters have no name from version 2 on.
    const bool named = version == 1 || filter.id >= 256;
    const uint64_t name_bytes = named ? in.U16() : 0;
    in.Skip(2);  // flags
    const uint16_t parameters = in.U16();
    in.Skip(version == 1 ? (name_bytes + 7) / 8 * 8 : name_bytes);
    for (int i = 0; i < parameters && in.ok(); ++i) filter.parameters.push_back(in.U32());
    if (version == 1 && parameters % 2 == 1) in.Skip(4);
  }
  if (!in.ok()) return BadHdf5("a filter message is cut off");
  return filters;
}

std::string RefusedHdf5Filter(const std::vector<Hdf5Filter>& filters) {
  static constexpr struct {
    uint16_t id;
    const char* name;
  } kNames[] = {{4, "szip"},      {5, "nbit"},    {6, "scale-offset"},   {32000, "lzf"},
                {32001, "blosc"}, {32004, "lz4"}, {32008, "bitshuffle"}, {32015, "zstd"}};
  for (const Hdf5Filter& filter : filters) {
    if (filter.id == Hdf5Filter::kDeflate || filter.id == Hdf5Filter::kFletcher32) continue;
    if (filter.id == Hdf5Filter::kShuffle) {
      if (!filter.parameters.empty() && filter.parameters[0] > 0) continue;
      return "shuffled without the size of an element";
    }
    for (const auto& known : kNames) {
      if (known.id == filter.id) return std::string("compressed with ") + known.name;
    }
    return "filter " + std::to_string(filter.id);
  }
  return "";
}

Result<Hdf5Bytes> DecodeHdf5Chunk(const std::vector<Hdf5Filter>& filters, Hdf5Bytes stored,
                                  uint32_t mask, uint64_t size, std::vector<std::byte>* out) {
  Hdf5Bytes data = stored;
  std::vector<std::byte> other;
  // What is left to undo may still take checksums off.
  uint64_t most = size;
  for (size_t i = 0; i < filters.size(); ++i)
    most += filters[i].id == Hdf5Filter::kFletcher32 ? kChecksumBytes : 0;
  for (size_t i = filters.size(); i-- > 0;) {
    if ((mask >> i & 1) != 0) continue;
    const Hdf5Filter& filter = filters[i];
    if (filter.id == Hdf5Filter::kFletcher32) {
      WHIT_ASSIGN_OR_RETURN(data, WithoutChecksum(data));
      continue;
    }
    if (filter.id == Hdf5Filter::kDeflate) {
      if (size > MostInflated(data.size())) {
        return BadHdf5("a chunk of " + std::to_string(size) + " bytes cannot come from " +
                       std::to_string(data.size()) + " deflated ones");
      }
      WHIT_RETURN_IF_ERROR(Inflate(data, Wrapping::kZlib, most, &other));
    } else {
      Unshuffle(data, filter.parameters[0], &other);
    }
    out->swap(other);
    data = *out;
  }
  if (data.size() != size) {
    return BadHdf5("a chunk has " + std::to_string(data.size()) + " bytes, " +
                   std::to_string(size) + " expected");
  }
  return data;
}

}  // namespace whit::tools
