#include "tools/whit/markup.h"

#include "tools/whit/command.h"

namespace whit::tools {

std::string EscapedForXml(const std::string& text) {
  std::string out;
  for (const char c : Printable(text)) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '"') {
      out += "&quot;";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace whit::tools
