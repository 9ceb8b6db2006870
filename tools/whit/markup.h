// Foreign text in pictures and pages.
#ifndef WHIT_TOOLS_WHIT_MARKUP_H_
#define WHIT_TOOLS_WHIT_MARKUP_H_

#include <string>

namespace whit::tools {

/// As the text or an attribute of XML or HTML, without control characters.
std::string EscapedForXml(const std::string& text);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_WHIT_MARKUP_H_
