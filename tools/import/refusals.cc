#include "tools/import/refusals.h"

namespace whit::tools {

Status Refusals::Collect(const Status& status) {
  if (status.code() != StatusCode::kUnsupported) return status;
  found_[status.message()];
  return OkStatus();
}

Status Refusals::Refuse() const {
  if (found_.empty()) return OkStatus();
  std::string text;
  for (const auto& [what, names] : found_) {
    text += (text.empty() ? "not supported: " : "; ") + what;
    for (size_t i = 0; i < names.size(); ++i) text += (i == 0 ? " (" : ", ") + names[i];
    if (!names.empty()) text += ")";
  }
  return Status(StatusCode::kUnsupported, text);
}

}  // namespace whit::tools
