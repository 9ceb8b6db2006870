// LevelDB's sorted tables (its doc/table_format.md), which TensorFlow keeps the index of a
// checkpoint in: keys in order, each with a value.
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_SSTABLE_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_SSTABLE_H_

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "platform/status.h"
#include "tools/import/weights/weights.h"

namespace whit::tools {

/// Whether the bytes end as a table does.
bool ClaimsSstable(std::span<const std::byte> file);

/// Calls `entry` with each key and value, in order; what it returns ends the walk unless it is OK.
/// Values are valid during the call. Blocks may lie in any place but not in each other, checksums
/// are checked, keys rise. Together, keys and unpacked blocks may have limits.header_bytes.
/// kInvalidModel: damaged. kOverBudget: more than the limits. kUnsupported: compressed by something
/// else than Snappy.
Status ReadSstable(
    std::span<const std::byte> file, const WeightLimits& limits,
    const std::function<Status(const std::string& key, std::span<const std::byte> value)>& entry);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_SSTABLE_H_
