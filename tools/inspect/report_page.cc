#include "tools/inspect/report_page.h"

#include <span>

#include "platform/mapping.h"

namespace whit::tools {

namespace {

// In JSON these stand in strings alone, where an escape is the same text.
std::string Inert(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (const char c : json) {
    switch (c) {
      case '<':
        out += "\\u003c";
        break;
      case '>':
        out += "\\u003e";
        break;
      case '&':
        out += "\\u0026";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace

Status WriteReportPage(const std::string& path, std::string_view json) {
  const std::string data = Inert(json);
  return WriteFileAtomically(path, [&](const AppendBytes& append) -> Status {
    const auto add = [&](std::string_view text) {
      return append(std::as_bytes(std::span(text.data(), text.size())));
    };
    // The places stand in the template in this order, so that nothing in the data is taken for one.
    std::string_view rest = kReportHtml;
    for (const auto& [place, text] :
         {std::pair<std::string_view, std::string_view>{"@STYLE@", kReportCss},
          {"@DATA@", data},
          {"@SCRIPT@", kReportJs}}) {
      const size_t at = rest.find(place);
      WHIT_RETURN_IF_ERROR(add(rest.substr(0, at)));
      WHIT_RETURN_IF_ERROR(add(text));
      rest = rest.substr(at + place.size());
    }
    return add(rest);
  });
}

}  // namespace whit::tools
