// From a dataset's index to its chunks, and from those to its elements (spec IV.A.2.i, III.A.1 and
// VII.C).
//
// In a file that holds each chunk once, the chunks of a dataset take no more bytes than the file
// has. That bounds the work here: who names a chunk again and again runs out of bytes.
#include <algorithm>
#include <cstring>

#include "tools/import/weights/hdf5_dataset.h"
#include "tools/import/weights/hdf5_tree.h"

namespace whit::tools {

namespace {

using Index = Hdf5Layout::Index;

class ChunkReader {
 public:
  ChunkReader(Hdf5Reader& reader, const Hdf5Dataset& dataset, std::span<std::byte> out)
      : reader_(reader),
        dataset_(dataset),
        dims_(dataset.space.dims),
        chunk_(dataset.layout.chunk),
        out_(out),
        stored_left_(reader.file_bytes()) {}

  Status Read() {
    WHIT_RETURN_IF_ERROR(Measure());
    const Hdf5Layout& layout = dataset_.layout;
    if (layout.address == Hdf5Reader::kUndefined) return OkStatus();  // nothing was written yet
    switch (layout.index) {
      case Index::kTree:
        return ReadTree();
      case Index::kSingle: {
        const uint64_t size = layout.single_bytes == 0 ? chunk_bytes_ : layout.single_bytes;
        return ReadChunk(std::vector<uint64_t>(dims_.size()), layout.address, size,
                         layout.single_mask);
      }
      case Index::kImplicit:
        return ReadImplicit();
      case Index::kFixedArray:
        return ReadFixedArray();
    }
    return OkStatus();
  }

 private:
  static constexpr char kArray[] = "fixed array";

  // The size of a chunk, and the grid that chunks make.
  Status Measure() {
    chunk_bytes_ = dataset_.type.size;
    for (size_t a = 0; a < dims_.size(); ++a) {
      if (chunk_[a] > (uint64_t{1} << 40) / chunk_bytes_)
        return BadHdf5("chunks of 2^40 bytes or more");
      chunk_bytes_ *= chunk_[a];
    }
    // Arrays have a place for each chunk of the largest shape that the dataset may grow to.
    cells_ = 1;
    for (size_t a = 0; a < dims_.size(); ++a) {
      const uint64_t most = dataset_.space.max_dims[a] == Hdf5Reader::kUndefined
                                ? dims_[a]
                                : std::max(dims_[a], dataset_.space.max_dims[a]);
      grid_.push_back(most / chunk_[a] + (most % chunk_[a] != 0 ? 1 : 0));
      if (grid_[a] != 0 && cells_ > (uint64_t{1} << 40) / grid_[a])
        return BadHdf5("2^40 chunks or more");
      cells_ *= grid_[a];
    }
    return OkStatus();
  }

  // Where cell `i` of the grid begins; false outside of the dataset as it is now.
  bool CellAt(uint64_t i, std::vector<uint64_t>* origin) const {
    origin->resize(dims_.size());
    bool inside = true;
    for (size_t a = dims_.size(); a-- > 0;) {
      (*origin)[a] = i % grid_[a] * chunk_[a];
      i /= grid_[a];
      inside = inside && (*origin)[a] < dims_[a];
    }
    return inside;
  }

  Status ReadTree() {
    // Size, mask, a place for each axis and one for the bytes of an element.
    const size_t key_bytes = 4 + 4 + 8 * (dims_.size() + 1);
    return WalkHdf5Tree(reader_, dataset_.layout.address, Hdf5TreeType::kChunks, key_bytes,
                        [&](Hdf5Bytes key, uint64_t address) -> Status {
                          ByteReader in(key);
                          const uint32_t size = in.U32(), mask = in.U32();
                          std::vector<uint64_t> origin(dims_.size());
                          for (size_t a = 0; a < origin.size(); ++a) {
                            origin[a] = in.U64();
                            if (origin[a] % chunk_[a] != 0)
                              return BadHdf5("a chunk begins at " + std::to_string(origin[a]) +
                                             ", which is no multiple of " +
                                             std::to_string(chunk_[a]));
                            // Left over from when the dataset was larger.
                            if (origin[a] >= dims_[a]) return OkStatus();
                          }
                          return ReadChunk(origin, address, size, mask);
                        });
  }

  Status ReadImplicit() {
    uint64_t address = dataset_.layout.address;
    std::vector<uint64_t> origin;
    for (uint64_t i = 0; i < cells_; ++i) {
      if (CellAt(i, &origin)) WHIT_RETURN_IF_ERROR(ReadChunk(origin, address, chunk_bytes_, 0));
      // What is too large for the file was refused before it could overflow.
      if (address > reader_.file_bytes()) return BadHdf5("chunks leave the file");
      address += chunk_bytes_;
    }
    return OkStatus();
  }

  // An array of addresses, or of addresses, sizes and masks; long ones in pages.
  Status ReadFixedArray() {
    const size_t o = reader_.offset_size();
    WHIT_ASSIGN_OR_RETURN(const Hdf5Bytes head, reader_.Bytes(kArray, dataset_.layout.address,
                                                              8 + reader_.length_size() + o));
    ByteReader in(head);
    const bool signature = in.Matches("FAHD");
    if (!signature || in.U8() != 0)
      return BadHdf5(kArray, dataset_.layout.address, "has not its signature");
    const bool filtered = in.U8() == 1;
    const size_t entry_bytes = in.U8();
    const int page_bits = in.U8();
    const uint64_t entries = reader_.Length(in);
    const uint64_t block = reader_.Offset(in);
    if (entry_bytes < o + (filtered ? 5 : 0) || entry_bytes > o + (filtered ? 12 : 0) ||
        page_bits > 32 || entries < cells_) {
      return BadHdf5(kArray, dataset_.layout.address,
                     std::to_string(entries) + " entries of " + std::to_string(entry_bytes) +
                         " bytes for " + std::to_string(cells_) + " chunks");
    }
    if (block == Hdf5Reader::kUndefined) return OkStatus();
    const uint64_t page_entries = uint64_t{1} << page_bits;
    const bool paged = entries > page_entries;
    const uint64_t pages = paged ? (entries - 1) / page_entries + 1 : 1;
    const uint64_t bitmap_bytes = paged ? pages / 8 + (pages % 8 != 0) : 0;
    const uint64_t prefix = 6 + o;
    WHIT_ASSIGN_OR_RETURN(const Hdf5Bytes start,
                          reader_.Bytes(kArray, block, prefix + bitmap_bytes));
    if (!ByteReader(start).Matches("FADB")) return BadHdf5(kArray, block, "has not its signature");
    uint64_t at = block + start.size() + (paged ? kChecksum : 0);
    for (uint64_t p = 0; p < pages; ++p) {
      const uint64_t count = std::min(page_entries, entries - p * page_entries);
      const bool made = !paged || (std::to_integer<int>(start[prefix + p / 8]) >> (7 - p % 8) & 1);
      if (made) {
        WHIT_ASSIGN_OR_RETURN(const Hdf5Bytes page, reader_.Bytes(kArray, at, count * entry_bytes));
        WHIT_RETURN_IF_ERROR(ReadEntries(page, filtered, entry_bytes, p * page_entries, count));
      }
      at += count * entry_bytes + kChecksum;
    }
    return OkStatus();
  }

  Status ReadEntries(Hdf5Bytes page, bool filtered, size_t entry_bytes, uint64_t first,
                     uint64_t count) {
    ByteReader in(page);
    std::vector<uint64_t> origin;
    for (uint64_t i = 0; i < count && first + i < cells_; ++i) {
      const uint64_t address = reader_.Offset(in);
      uint64_t size = chunk_bytes_;
      uint32_t mask = 0;
      if (filtered) {
        size = in.Uint(entry_bytes - reader_.offset_size() - 4);
        mask = in.U32();
      }
      if (address == Hdf5Reader::kUndefined || !CellAt(first + i, &origin)) continue;
      WHIT_RETURN_IF_ERROR(ReadChunk(origin, address, size, mask));
    }
    return OkStatus();
  }

  Status ReadChunk(const std::vector<uint64_t>& origin, uint64_t address, uint64_t size,
                   uint32_t mask) {
    if (size == 0 || size > stored_left_) {
      return BadHdf5("the chunks of one dataset take more bytes than the file has (" +
                     std::to_string(reader_.file_bytes()) + "), or none");
    }
    stored_left_ -= size;
    WHIT_ASSIGN_OR_RETURN(const Hdf5Bytes stored, reader_.Data("chunk", address, size));
    bool cut = false;
    for (size_t a = 0; a < origin.size(); ++a) cut = cut || dims_[a] - origin[a] < chunk_[a];
    if (cut && dataset_.layout.plain_edges) mask = ~uint32_t{0};
    WHIT_ASSIGN_OR_RETURN(const Hdf5Bytes data,
                          DecodeHdf5Chunk(dataset_.filters, stored, mask, chunk_bytes_, &buffer_));
    Copy(origin, data);
    return OkStatus();
  }

  // The part of a chunk that is inside the dataset, one stretch of the last axis at a time.
  void Copy(const std::vector<uint64_t>& origin, Hdf5Bytes data) {
    const size_t rank = dims_.size(), element = dataset_.type.size;
    std::vector<uint64_t> inside(rank), at(rank);  // shape of the part; place in it
    for (size_t a = 0; a < rank; ++a) inside[a] = std::min(chunk_[a], dims_[a] - origin[a]);
    const size_t stretch = static_cast<size_t>(inside[rank - 1]) * element;
    for (;;) {
      uint64_t from = 0, to = 0;
      for (size_t a = 0; a < rank; ++a) {
        from = from * chunk_[a] + at[a];
        to = to * dims_[a] + origin[a] + at[a];
      }
      std::memcpy(out_.data() + to * element, data.data() + from * element, stretch);
      size_t a = rank - 1;
      while (a > 0 && ++at[a - 1] == inside[a - 1]) at[--a] = 0;
      if (a == 0) return;
    }
  }

  static constexpr uint64_t kChecksum = 4;

  Hdf5Reader& reader_;
  const Hdf5Dataset& dataset_;
  const std::vector<uint64_t>&dims_, &chunk_;
  std::span<std::byte> out_;
  uint64_t stored_left_;  // bytes of chunks that may still be read
  uint64_t chunk_bytes_ = 0, cells_ = 0;
  std::vector<uint64_t> grid_;  // chunks along each axis
  std::vector<std::byte> buffer_;
};

}  // namespace

Status ReadHdf5Chunks(Hdf5Reader& reader, const Hdf5Dataset& dataset, std::span<std::byte> out) {
  return ChunkReader(reader, dataset, out).Read();
}

}  // namespace whit::tools
