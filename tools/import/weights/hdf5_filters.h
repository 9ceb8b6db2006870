// The filters that chunks go through, backwards (spec IV.A.2.l).
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_HDF5_FILTERS_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_HDF5_FILTERS_H_

#include <string>
#include <vector>

#include "platform/status.h"
#include "tools/import/weights/byte_reader.h"

namespace whit::tools {

/// A file that breaks a rule, which `what` names.
inline Status BadHdf5(const std::string& what) { return Status(StatusCode::kInvalidModel, what); }

struct Hdf5Filter {
  enum Id : uint16_t { kDeflate = 1, kShuffle = 2, kFletcher32 = 3 };
  uint16_t id = 0;
  std::vector<uint32_t> parameters;
};

/// The filters in the order in which they were applied.
Result<std::vector<Hdf5Filter>> ParseHdf5Filters(std::span<const std::byte> message);

/// Why chunks of these filters cannot be read, or empty.
std::string RefusedHdf5Filter(const std::vector<Hdf5Filter>& filters);

/// What lies in a stored chunk, `size` bytes, in *out or in `stored` itself. A set bit of `mask`
/// leaves out the filter of its number. Checks that the stored bytes can be of that size before
/// anything is allocated, and checksums. REQUIRES that RefusedHdf5Filter finds nothing.
Result<std::span<const std::byte>> DecodeHdf5Chunk(const std::vector<Hdf5Filter>& filters,
                                                   std::span<const std::byte> stored, uint32_t mask,
                                                   uint64_t size, std::vector<std::byte>* out);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_HDF5_FILTERS_H_
