#include "tools/import/weights/hdf5_heap.h"

#include <algorithm>
#include <bit>

namespace whit::tools {

namespace {

constexpr char kFractal[] = "fractal heap";

Status TooNew(const char* kind, uint64_t address, int version) {
  return BadHdf5(kind, address, "version " + std::to_string(version) + ", which is not known");
}

bool IsPowerOf2(uint64_t value) { return std::has_single_bit(value); }

}  // namespace

Result<std::span<const std::byte>> OpenHdf5LocalHeap(Hdf5Reader& reader, uint64_t address) {
  constexpr char kKind[] = "local heap";
  WHIT_ASSIGN_OR_RETURN(
      const auto head,
      reader.Bytes(kKind, address, 8 + 2 * reader.length_size() + reader.offset_size()));
  ByteReader in(head);
  if (!in.Matches("HEAP")) return BadHdf5(kKind, address, "has not its signature");
  if (const int version = in.U8(); version != 0) return TooNew(kKind, address, version);
  in.Skip(3);
  const uint64_t size = reader.Length(in);
  in.Skip(reader.length_size());  // free list
  // Names are counted when they are read: many groups may share a heap.
  return reader.Data(kKind, reader.Offset(in), size);
}

Result<Hdf5GlobalHeaps::Collection> Hdf5GlobalHeaps::Read(Hdf5Reader& reader, uint64_t address) {
  constexpr char kKind[] = "global heap";
  WHIT_ASSIGN_OR_RETURN(const auto head, reader.Bytes(kKind, address, 8 + reader.length_size()));
  ByteReader in(head);
  if (!in.Matches("GCOL")) return BadHdf5(kKind, address, "has not its signature");
  if (const int version = in.U8(); version != 1) return TooNew(kKind, address, version);
  in.Skip(3);
  const uint64_t size = reader.Length(in);
  if (size < head.size()) return BadHdf5(kKind, address, "is smaller than its own head");
  WHIT_ASSIGN_OR_RETURN(const auto body,
                        reader.Bytes(kKind, address + head.size(), size - head.size()));
  Collection objects;
  ByteReader list(body);
  while (list.left() >= 8 + reader.length_size()) {
    const uint16_t index = list.U16();
    list.Skip(2 + 4);  // references
    const uint64_t bytes = reader.Length(list);
    if (index == 0) break;  // free space, always last
    const auto data = list.Take(bytes);
    if (!list.ok())
      return BadHdf5(kKind, address, "object " + std::to_string(index) + " leaves it");
    objects[index] = data;
    list.Skip(std::min<uint64_t>((8 - bytes % 8) % 8, list.left()));
  }
  return objects;
}

Result<std::span<const std::byte>> Hdf5GlobalHeaps::Object(Hdf5Reader& reader, uint64_t address,
                                                           uint64_t index) {
  auto known = collections_.find(address);
  if (known == collections_.end()) {
    WHIT_ASSIGN_OR_RETURN(Collection read, Read(reader, address));
    known = collections_.emplace(address, std::move(read)).first;
  }
  const auto object = known->second.find(index);
  if (object == known->second.end())
    return BadHdf5("global heap", address, "has no object " + std::to_string(index));
  return object->second;
}

Result<Hdf5FractalHeap> Hdf5FractalHeap::Open(Hdf5Reader& reader, uint64_t address) {
  const size_t o = reader.offset_size(), l = reader.length_size();
  // Spec III.G: head, counters, the doubling table; a checksum ends it.
  WHIT_ASSIGN_OR_RETURN(const auto bytes, reader.Bytes(kFractal, address, 14 + 12 * l + 3 * o + 8));
  ByteReader in(bytes);
  Hdf5FractalHeap heap;
  heap.address_ = address;
  if (!in.Matches("FRHP")) return BadHdf5(kFractal, address, "has not its signature");
  if (const int version = in.U8(); version != 0) return TooNew(kFractal, address, version);
  heap.id_bytes_ = in.U16();
  const uint16_t filter_bytes = in.U16();
  in.Skip(1);  // whether blocks have checksums
  const uint64_t largest_object = in.U32();
  in.Skip(l + o);          // huge objects
  in.Skip(l + o + 4 * l);  // free space, counters of managed objects
  in.Skip(4 * l);          // counters of huge and tiny objects
  heap.width_ = in.U16();
  heap.start_bytes_ = reader.Length(in);
  heap.most_bytes_ = reader.Length(in);
  const uint16_t heap_bits = in.U16();
  in.Skip(2);  // rows of the root when it was made
  heap.root_.address = reader.Offset(in);
  heap.root_.rows = in.U16();
  heap.root_.size = heap.start_bytes_;
  if (filter_bytes != 0)
    return Status(StatusCode::kUnsupported, "a fractal heap whose blocks are compressed");
  if (!in.ok() || heap_bits == 0 || heap_bits > 64 || !IsPowerOf2(heap.width_) ||
      !IsPowerOf2(heap.start_bytes_) || !IsPowerOf2(heap.most_bytes_) ||
      heap.start_bytes_ > heap.most_bytes_ || heap.most_bytes_ > reader.file_bytes()) {
    return BadHdf5(kFractal, address,
                   "blocks of " + std::to_string(heap.start_bytes_) + " to " +
                       std::to_string(heap.most_bytes_) + " bytes, " + std::to_string(heap.width_) +
                       " a row, offsets of " + std::to_string(heap_bits) + " bits");
  }
  heap.offset_bytes_ = (heap_bits + 7u) / 8;
  heap.length_bytes_ = std::min(Hdf5BytesFor(heap.most_bytes_), Hdf5BytesFor(largest_object));
  return heap;
}

Result<std::span<const std::byte>> Hdf5FractalHeap::Object(Hdf5Reader& reader,
                                                           std::span<const std::byte> id) const {
  ByteReader in(id);
  const uint8_t head = in.U8();
  const int kind = head >> 4 & 3;
  if (kind == 2) {  // tiny: in the identifier itself
    const bool extended = id_bytes_ > 18;
    const uint64_t length = (extended ? (uint64_t{head & 15u} << 8 | in.U8()) : head & 15u) + 1;
    const auto data = in.Take(length);
    if (!in.ok()) return BadHdf5(kFractal, address_, "a tiny object leaves its identifier");
    return data;
  }
  if (kind != 0 || head >> 6 != 0)
    return Status(StatusCode::kUnsupported, "a huge object of a fractal heap");
  const uint64_t offset = in.Uint(offset_bytes_);
  const uint64_t length = in.Uint(length_bytes_);
  if (!in.ok()) return BadHdf5(kFractal, address_, "identifiers are too short");
  return Managed(reader, offset, length);
}

// Blocks of a row: the first two rows have the start size, then each has twice that of the row
// before. 0: larger than any block may be.
uint64_t Hdf5FractalHeap::RowBlockBytes(uint64_t row) const {
  const uint64_t doublings = row < 2 ? 0 : row - 1;
  const int start_bits = std::bit_width(start_bytes_) - 1;
  return doublings + static_cast<uint64_t>(start_bits) > 62 ? 0 : start_bytes_ << doublings;
}

// The child of an indirect block that covers a heap offset.
Result<Hdf5FractalHeap::Block> Hdf5FractalHeap::Child(Hdf5Reader& reader, const Block& block,
                                                      uint64_t offset) const {
  uint64_t begin = block.offset;
  for (uint64_t row = 0; row < block.rows; ++row) {
    const uint64_t size = RowBlockBytes(row);
    if (size == 0 || size > (uint64_t{1} << 62) / width_) break;
    const uint64_t row_bytes = size * width_;
    if (offset - begin >= row_bytes) {
      begin += row_bytes;
      continue;
    }
    const uint64_t column = (offset - begin) / size;
    const uint64_t head = 4 + 1 + reader.offset_size() + offset_bytes_;
    const uint64_t entry = (row * width_ + column) * reader.offset_size();
    WHIT_ASSIGN_OR_RETURN(const auto bytes, reader.Bytes(kFractal, block.address,
                                                         head + entry + reader.offset_size()));
    ByteReader in(bytes);
    if (!in.Matches("FHIB"))
      return BadHdf5(kFractal, block.address, "has not the signature of an indirect block");
    in.Skip(head - 4 + entry);
    Block child;
    child.address = reader.Offset(in);
    child.offset = begin + column * size;
    child.size = size;
    // A child that is too large to be direct has rows up to its own size.
    const int first_row_bits = std::bit_width(start_bytes_) + std::bit_width(width_) - 2;
    const int size_bits = std::bit_width(size) - 1;
    child.rows = size <= most_bytes_ ? 0
                 : size_bits < first_row_bits
                     ? 1
                     : static_cast<uint64_t>(size_bits - first_row_bits) + 1;
    return child;
  }
  return BadHdf5(kFractal, address_, "no block has the offset " + std::to_string(offset));
}

Result<std::span<const std::byte>> Hdf5FractalHeap::Managed(Hdf5Reader& reader, uint64_t offset,
                                                            uint64_t length) const {
  Block block = root_;
  // Rows fall by the bits of the width from block to block, and there are at most 64.
  for (int depth = 0; block.rows > 0; ++depth) {
    if (depth > 64) return BadHdf5(kFractal, address_, "blocks are nested without end");
    WHIT_ASSIGN_OR_RETURN(block, Child(reader, block, offset));
  }
  const uint64_t within = offset - block.offset;
  if (within > block.size || length > block.size - within) {
    return BadHdf5(kFractal, address_,
                   std::to_string(length) + " bytes at offset " + std::to_string(offset) +
                       " leave their block of " + std::to_string(block.size));
  }
  WHIT_ASSIGN_OR_RETURN(const auto head, reader.Bytes(kFractal, block.address, 4));
  if (!ByteReader(head).Matches("FHDB"))
    return BadHdf5(kFractal, block.address, "has not the signature of a direct block");
  WHIT_RETURN_IF_ERROR(reader.Charge(length));
  WHIT_ASSIGN_OR_RETURN(const auto bytes, reader.Data(kFractal, block.address, block.size));
  return bytes.subspan(static_cast<size_t>(within), static_cast<size_t>(length));
}

}  // namespace whit::tools
