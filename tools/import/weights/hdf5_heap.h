// Heaps: where names, strings of varying length and the links of large groups lie (spec III.D, E
// and G).
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_HDF5_HEAP_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_HDF5_HEAP_H_

#include <unordered_map>
#include <vector>

#include "tools/import/weights/hdf5_reader.h"

namespace whit::tools {

/// Names of an old group. The bytes of the heap's data segment.
Result<std::span<const std::byte>> OpenHdf5LocalHeap(Hdf5Reader& reader, uint64_t address);

/// Objects of the file's global heaps, each collection read once.
class Hdf5GlobalHeaps {
 public:
  /// Object `index` of the collection at an address.
  Result<std::span<const std::byte>> Object(Hdf5Reader& reader, uint64_t address, uint64_t index);

 private:
  using Collection = std::unordered_map<uint64_t, std::span<const std::byte>>;
  Result<Collection> Read(Hdf5Reader& reader, uint64_t address);

  std::unordered_map<uint64_t, Collection> collections_;
};

/// A fractal heap: one range of offsets over blocks whose sizes double from row to row.
class Hdf5FractalHeap {
 public:
  static Result<Hdf5FractalHeap> Open(Hdf5Reader& reader, uint64_t address);

  /// The object that an identifier of id_bytes() bytes names. kUnsupported for huge ones, which lie
  /// outside of the heap.
  Result<std::span<const std::byte>> Object(Hdf5Reader& reader,
                                            std::span<const std::byte> id) const;
  size_t id_bytes() const { return id_bytes_; }

 private:
  struct Block {
    uint64_t address, offset;  // in the file, in the heap
    uint64_t size;             // of a direct block
    uint64_t rows;             // of an indirect block, or 0
  };
  Result<std::span<const std::byte>> Managed(Hdf5Reader& reader, uint64_t offset,
                                             uint64_t length) const;
  Result<Block> Child(Hdf5Reader& reader, const Block& block, uint64_t offset) const;
  uint64_t RowBlockBytes(uint64_t row) const;

  uint64_t address_ = 0;
  size_t id_bytes_ = 0, offset_bytes_ = 0, length_bytes_ = 0;
  uint64_t width_ = 0, start_bytes_ = 0, most_bytes_ = 0;  // of direct blocks
  Block root_{};
};

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_HDF5_HEAP_H_
