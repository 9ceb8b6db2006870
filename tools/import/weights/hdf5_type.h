// Datatypes and dataspaces: what the elements are, and how many (spec IV.A.2.b and d).
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_HDF5_TYPE_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_HDF5_TYPE_H_

#include <string>
#include <vector>

#include "tools/import/weights/byte_reader.h"
#include "tools/import/weights/element_type.h"
#include "tools/import/weights/hdf5_reader.h"

namespace whit::tools {

struct Hdf5Type {
  enum class Kind : uint8_t {
    kNumber,       // `type`
    kFixedString,  // `size` bytes, ended or filled up by zeros or spaces
    kString,       // a reference into a global heap
    kOther,        // `refused` says what
  };
  Kind kind = Kind::kOther;
  ElementType type = ElementType::kUint8;
  bool big_endian = false;  // each number, or each part of a complex one
  uint32_t size = 0;        // bytes of an element in the file
  std::string refused;
};

struct Hdf5Space {
  std::vector<uint64_t> dims, max_dims;  // as many; kUndefined: unlimited
  bool null = false;                     // no elements, not even one

  /// Product of dims, or kUndefined where it has more than 62 bits.
  uint64_t elements() const;
};

/// Never fails: what cannot be read is of kind kOther.
Hdf5Type ParseHdf5Type(std::span<const std::byte> message);

Result<Hdf5Space> ParseHdf5Space(const Hdf5Reader& reader, std::span<const std::byte> message);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_HDF5_TYPE_H_
