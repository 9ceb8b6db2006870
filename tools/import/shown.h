// Foreign text in messages.
#ifndef WHIT_TOOLS_IMPORT_SHOWN_H_
#define WHIT_TOOLS_IMPORT_SHOWN_H_

#include <string>

namespace whit::tools {

/// Foreign text for messages: short, without control characters.
std::string Shown(const std::string& text);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_SHOWN_H_
