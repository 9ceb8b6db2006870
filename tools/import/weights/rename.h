// Rules that turn the names of one framework's tensors into another's.
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_RENAME_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_RENAME_H_

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "platform/status.h"

namespace whit::tools {

/// For help texts.
inline constexpr char kRenameHelp[] =
    "PREFIX=>NEW or s/REGEX/TEXT/[g], in order: names of the weights to others (module.=> strips)";

/// A rule is one of
/// - PREFIX=>NEW: a name that begins with PREFIX begins with NEW instead; either may be empty.
/// - s/REGEX/TEXT/[g]: the first match (g: every one) of a POSIX extended regular expression
/// becomes
///   TEXT, in which \0 is the match and \1 .. \9 are its groups. Any character behind the s may
///   stand for the slash.
/// Rules apply in order, each to what the one before it made.
class RenameRules {
 public:
  RenameRules() = default;
  /// kInvalidArgument names the rule that is none.
  static Result<RenameRules> Parse(std::span<const std::string> rules);

  bool empty() const { return rules_.empty(); }
  std::string operator()(const std::string& name) const;

 private:
  struct Rule;
  std::vector<std::shared_ptr<const Rule>> rules_;
};

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_RENAME_H_
