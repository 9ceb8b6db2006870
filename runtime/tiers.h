// The instruction-set tiers of this build and whether this CPU may use them.
#ifndef WHIT_RUNTIME_TIERS_H_
#define WHIT_RUNTIME_TIERS_H_

#include <string>

#include "platform/status.h"

namespace whit {

/// Ok if `name` is empty (the best usable tier) or names a usable one; else the list of what is
/// usable.
Status CheckTier(const std::string& name);

}  // namespace whit

#endif  // WHIT_RUNTIME_TIERS_H_
