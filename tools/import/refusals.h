// What an importer cannot do, collected over the whole model for one message.
#ifndef WHIT_TOOLS_IMPORT_REFUSALS_H_
#define WHIT_TOOLS_IMPORT_REFUSALS_H_

#include <map>
#include <string>
#include <vector>

#include "platform/status.h"

namespace whit::tools {

class Refusals {
 public:
  /// `what` is not supported; it was met at `where`.
  void Add(const std::string& what, const std::string& where) { found_[what].push_back(where); }
  /// Keeps kUnsupported for the one message that lists everything; other errors end the import.
  Status Collect(const Status& status);
  /// kUnsupported that lists all that was added; OK where there is nothing.
  Status Refuse() const;

 private:
  std::map<std::string, std::vector<std::string>> found_;  // what: where
};

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_REFUSALS_H_
