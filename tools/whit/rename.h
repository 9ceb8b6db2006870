// Rules that turn names of tensors into others: --rename.
#ifndef WHIT_TOOLS_WHIT_RENAME_H_
#define WHIT_TOOLS_WHIT_RENAME_H_

#include <functional>
#include <string>
#include <vector>

#include "platform/status.h"

namespace whit::tools {

/// What one --rename takes, for help texts.
inline constexpr char kRenameHelp[] =
    "s/REGEX/REPLACEMENT/ or OLD=NEW (a beginning), one after the other: --rename module.= strips "
    "it";

/// The rules as one function. s/REGEX/REPLACEMENT/ replaces every match (ECMAScript, $1 is the
/// first group); OLD=NEW replaces OLD at the beginning of a name. kInvalidArgument names a rule
/// that is neither.
Result<std::function<std::string(const std::string&)>> RenameBy(
    const std::vector<std::string>& rules);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_WHIT_RENAME_H_
