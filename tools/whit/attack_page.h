// The report of whit attack as one HTML page with a plot, which needs no other file.
#ifndef WHIT_TOOLS_WHIT_ATTACK_PAGE_H_
#define WHIT_TOOLS_WHIT_ATTACK_PAGE_H_

#include <string>

#include "tools/whit/attack.h"

namespace whit::tools {

std::string AttackPage(const AttackReport& report);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_WHIT_ATTACK_PAGE_H_
