// Datasets: where their elements lie, and reading them (spec IV.A.2.i).
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_HDF5_DATASET_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_HDF5_DATASET_H_

#include <string>
#include <vector>

#include "tools/import/weights/hdf5_filters.h"
#include "tools/import/weights/hdf5_object.h"
#include "tools/import/weights/hdf5_type.h"

namespace whit::tools {

struct Hdf5Layout {
  enum class Kind : uint8_t { kCompact, kContiguous, kChunked };
  /// How the chunks of a dataset are found.
  enum class Index : uint8_t { kTree = 0, kSingle = 1, kImplicit = 2, kFixedArray = 3 };
  Kind kind = Kind::kContiguous;
  std::span<const std::byte> compact;
  uint64_t address = Hdf5Reader::kUndefined;  // of the elements, or of the index
  uint64_t size = Hdf5Reader::kUndefined;     // of contiguous elements, where it is stated
  std::vector<uint64_t> chunk;                // shape, in elements
  Index index = Index::kTree;
  bool plain_edges = false;   // chunks that the border cuts go through no filter
  uint64_t single_bytes = 0;  // kSingle: as stored; 0: no filters
  uint32_t single_mask = 0;
};

struct Hdf5Dataset {
  Hdf5Type type;
  Hdf5Space space;
  Hdf5Layout layout;
  std::vector<Hdf5Filter> filters;
  std::span<const std::byte> fill;  // an element where nothing is stored; empty: zeros
  std::string refused;              // why the elements cannot be had, or empty

  uint64_t bytes() const { return space.elements() * type.size; }  // REQUIRES that they fit
  /// Whether Read gives bytes of the file as they lie there.
  bool in_place() const {
    return layout.kind != Hdf5Layout::Kind::kChunked && !type.big_endian &&
           (layout.kind == Hdf5Layout::Kind::kCompact || layout.address != Hdf5Reader::kUndefined);
  }
};

/// Reads the description of a dataset; *is_dataset is false for other objects. What is valid but
/// not supported ends up in Hdf5Dataset::refused.
Result<Hdf5Dataset> ReadHdf5Dataset(Hdf5Reader& reader, const Hdf5Object& object, bool* is_dataset);

/// The elements, row-major and little-endian: in the file, or in *scratch. REQUIRES nothing is
/// refused, that bytes() is what the caller allows, and a reader with a fresh allowance.
Result<std::span<const std::byte>> ReadHdf5Elements(Hdf5Reader& reader, const Hdf5Dataset& dataset,
                                                    std::vector<std::byte>* scratch);

/// Fills `out`, of dataset.bytes(), from the chunks that are stored.
Status ReadHdf5Chunks(Hdf5Reader& reader, const Hdf5Dataset& dataset, std::span<std::byte> out);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_HDF5_DATASET_H_
