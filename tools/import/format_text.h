// Numbers in text.
#ifndef WHIT_TOOLS_IMPORT_FORMAT_TEXT_H_
#define WHIT_TOOLS_IMPORT_FORMAT_TEXT_H_

#include <string>

namespace whit::tools {

/// printf into a string, of at most 511 bytes: for numbers, not for names.
[[gnu::format(printf, 1, 2)]] std::string FormatText(const char* format, ...);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_FORMAT_TEXT_H_
