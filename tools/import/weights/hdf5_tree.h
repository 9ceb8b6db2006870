// The trees that lead from a group to its links and from a dataset to its chunks (spec III.A).
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_HDF5_TREE_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_HDF5_TREE_H_

#include <functional>

#include "tools/import/weights/hdf5_reader.h"

namespace whit::tools {

enum class Hdf5TreeType : uint8_t { kGroup = 0, kChunks = 1 };

/// Version 1: calls fn(key, child) for each child of each leaf, in order; the key is the one
/// before the child, `key_bytes` long.
Status WalkHdf5Tree(Hdf5Reader& reader, uint64_t address, Hdf5TreeType type, size_t key_bytes,
                    const std::function<Status(std::span<const std::byte>, uint64_t)>& fn);

/// Version 2: calls fn(record) for every record. The records' type must be `type`.
Status WalkHdf5RecordTree(Hdf5Reader& reader, uint64_t address, uint8_t type,
                          const std::function<Status(std::span<const std::byte>)>& fn);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_HDF5_TREE_H_
