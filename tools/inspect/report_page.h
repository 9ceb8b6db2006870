// The page of `whit inspect --html`: page/report.html with its style, its script and the data.
#ifndef WHIT_TOOLS_INSPECT_REPORT_PAGE_H_
#define WHIT_TOOLS_INSPECT_REPORT_PAGE_H_

#include <string>
#include <string_view>

#include "platform/status.h"

namespace whit::tools {

/// The files of page/, put here by the build.
extern const std::string_view kReportHtml, kReportCss, kReportJs;

/// Writes one file that needs no other: whole or not at all. `json`: what page/report.js reads,
/// UTF-8. Characters that could end its element, or the script, are escaped here.
Status WriteReportPage(const std::string& path, std::string_view json);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_INSPECT_REPORT_PAGE_H_
