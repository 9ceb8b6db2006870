// A report of a file for a terminal.
#ifndef WHIT_TOOLS_WHIT_INSPECT_TEXT_H_
#define WHIT_TOOLS_WHIT_INSPECT_TEXT_H_

#include <span>
#include <string>

#include "tools/whit/inspect_json.h"

namespace whit::tools {

/// Whether the locale's characters are UTF-8 (LC_ALL, LC_CTYPE, LANG).
bool Utf8Locale();

/// One character for each part of the counts, which are joined to `columns`: eighths of a block, or
/// " .:-=+*#" where not `utf8`. What is not empty is not blank.
std::string Sparkline(std::span<const int64_t> counts, size_t columns, bool utf8);

enum class InspectOrder : uint8_t {
  kFindings,
  kFile,
  kName,
  kSize,
  kOutliers,
  kZeros,
  kInt8,
  kOutput
};

/// Findings first, then a table of `top` tensors in that order.
void PrintReport(const FileReport& report, InspectOrder order, size_t top);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_WHIT_INSPECT_TEXT_H_
