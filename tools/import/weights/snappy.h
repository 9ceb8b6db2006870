// Snappy's raw format ("Snappy compressed format description"), decoding only.
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_SNAPPY_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_SNAPPY_H_

#include <cstddef>
#include <span>
#include <vector>

#include "platform/status.h"

namespace whit::tools {

/// Makes *out what `in` stands for. kInvalidModel: damaged, or more than `most`
/// bytes are stated; nothing is allocated for what cannot be, 64 bytes of 3.
Status Unsnap(std::span<const std::byte> in, uint64_t most, std::vector<std::byte>* out);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_SNAPPY_H_
