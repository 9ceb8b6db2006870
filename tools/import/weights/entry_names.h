// Names of foreign tensors as TensorEntry wants them: UTF-8 and unique in their file.
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_ENTRY_NAMES_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_ENTRY_NAMES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace whit::tools {

/// `text` with every byte that is no part of a UTF-8 sequence as U+FFFD.
std::string ToUtf8(std::string_view text);

/// Hands out the names of one file.
class EntryNames {
 public:
  /// ToUtf8(wanted), or `fallback` where it is empty. A name that is taken already gets "#2",
  /// "#3", ... behind it.
  std::string Take(std::string_view wanted, const std::string& fallback);

 private:
  std::unordered_map<std::string, uint64_t> uses_;  // name -> how often it was wanted or made
};

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_ENTRY_NAMES_H_
