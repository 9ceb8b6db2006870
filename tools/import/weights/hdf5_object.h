// Object headers: the messages that describe a group or a dataset (spec IV.A).
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_HDF5_OBJECT_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_HDF5_OBJECT_H_

#include <vector>

#include "tools/import/weights/hdf5_reader.h"

namespace whit::tools {

/// The kinds that are read; all others are passed over.
enum class Hdf5MessageType : uint16_t {
  kDataspace = 0x01,
  kLinkInfo = 0x02,
  kDatatype = 0x03,
  kOldFillValue = 0x04,
  kFillValue = 0x05,
  kLink = 0x06,
  kExternalFiles = 0x07,
  kLayout = 0x08,
  kFilters = 0x0b,
  kAttribute = 0x0c,
  kContinuation = 0x10,
  kSymbolTable = 0x11,
  kAttributeInfo = 0x15,
};

struct Hdf5Message {
  Hdf5MessageType type;
  bool shared = false;  // `data` says where the message is
  std::span<const std::byte> data;
};

struct Hdf5Object {
  uint64_t address = 0;
  std::vector<Hdf5Message> messages;

  /// The first message of that kind, or null.
  const Hdf5Message* Find(Hdf5MessageType type) const;
};

/// The messages of the header at an address, continuations included.
Result<Hdf5Object> ReadHdf5Object(Hdf5Reader& reader, uint64_t address);

/// The bytes of a message: its own, or where it is shared those of the object that it names
/// (a committed datatype).
Result<std::span<const std::byte>> ResolveHdf5Message(Hdf5Reader& reader,
                                                      const Hdf5Message& message);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_HDF5_OBJECT_H_
