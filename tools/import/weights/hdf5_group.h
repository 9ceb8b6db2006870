// What a group holds: its links to other objects, and its attributes (spec IV.A.2 and III.B).
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_HDF5_GROUP_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_HDF5_GROUP_H_

#include <string>
#include <vector>

#include "tools/import/weights/hdf5_heap.h"
#include "tools/import/weights/hdf5_object.h"
#include "tools/import/weights/hdf5_type.h"

namespace whit::tools {

struct Hdf5Link {
  std::string name;
  uint64_t address = 0;  // of the object's header
};

/// Hard links of a group, in the order of the file. Soft and external links are left out: what they
/// name is listed where it is.
Result<std::vector<Hdf5Link>> ReadHdf5Links(Hdf5Reader& reader, const Hdf5Object& group);

struct Hdf5Attribute {
  std::string name;
  Hdf5Type type;
  Hdf5Space space;
  std::span<const std::byte> data;
};

/// Attributes of an object, those that cannot be read left out.
Result<std::vector<Hdf5Attribute>> ReadHdf5Attributes(Hdf5Reader& reader, const Hdf5Object& object);

/// The strings of an attribute; empty where it holds something else.
Result<std::vector<std::string>> Hdf5Strings(Hdf5Reader& reader, Hdf5GlobalHeaps& heaps,
                                             const Hdf5Attribute& attribute);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_HDF5_GROUP_H_
