// Which instruction-set tier a plan uses.
#ifndef WHIT_RUNTIME_TIERS_H_
#define WHIT_RUNTIME_TIERS_H_

#include <string>

#include "kernels/simd/tiers.h"
#include "platform/status.h"

namespace whit {

/// The tier of that name; empty: the one that the environment variable WHIT_ISA names, else the
/// best usable one. A tier that is not usable is an error that lists those which are.
Result<const simd::Tier*> SelectTier(const std::string& name);

}  // namespace whit

#endif  // WHIT_RUNTIME_TIERS_H_
