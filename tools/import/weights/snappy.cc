#include "tools/import/weights/snappy.h"

#include <string>

#include "tools/import/protobuf.h"
#include "tools/import/weights/byte_reader.h"

namespace whit::tools {

namespace {

Status BadSnappy(const std::string& what) {
  return Status(StatusCode::kInvalidModel, "compressed by Snappy: " + what);
}

// An element of the stream: literal bytes, or a copy of bytes that came out before.
struct Element {
  bool literal = false;
  uint64_t size = 0, distance = 0;
};

// Tags have the kind in their two low bits.
Element ReadElement(ByteReader& in) {
  const uint8_t tag = in.U8();
  const uint64_t high = tag >> 2;
  switch (tag & 3) {
    case 0:  // up to 60 in the tag, else its size in 1 to 4 bytes
      return {true, high < 60 ? high + 1 : in.Uint(high - 59) + 1, 0};
    case 1:
      return {false, 4 + (high & 7), (high >> 3) << 8 | in.U8()};
    case 2:
      return {false, high + 1, in.U16()};
    default:
      return {false, high + 1, in.U32()};
  }
}

}  // namespace

Status Unsnap(std::span<const std::byte> in, uint64_t most, std::vector<std::byte>* out) {
  constexpr uint64_t kMostOfOne = 64 / 3 + 1;  // a copy: 64 bytes of 3
  uint64_t size = 0;
  if (!TakeVarint(&in, &size)) return BadSnappy("states no size");
  if (size > most || size > kMostOfOne * in.size()) {
    return BadSnappy("states " + std::to_string(size) + " bytes, of " + std::to_string(in.size()) +
                     " stored; at most " + std::to_string(most) + " are taken");
  }
  out->clear();
  out->reserve(static_cast<size_t>(size));
  for (ByteReader bytes(in); bytes.left() > 0;) {
    const Element e = ReadElement(bytes);
    const auto literal = bytes.Take(e.literal ? e.size : 0);
    if (!bytes.ok()) return BadSnappy("is cut");
    if (e.size > size - out->size())
      return BadSnappy("has more than the " + std::to_string(size) + " bytes that it states");
    if (e.literal) {
      out->insert(out->end(), literal.begin(), literal.end());
      continue;
    }
    if (e.distance == 0 || e.distance > out->size()) {
      return BadSnappy("copies from " + std::to_string(e.distance) + " bytes before byte " +
                       std::to_string(out->size()));
    }
    // One by one: a copy may reach into itself.
    for (uint64_t i = 0; i < e.size; ++i)
      out->push_back((*out)[out->size() - static_cast<size_t>(e.distance)]);
  }
  if (out->size() == size) return OkStatus();
  return BadSnappy("has " + std::to_string(out->size()) + " of the " + std::to_string(size) +
                   " bytes that it states");
}

}  // namespace whit::tools
