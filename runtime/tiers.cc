#include "runtime/tiers.h"

#include "runtime/whit.h"

namespace whit {

std::vector<Tier> CpuTiers() { return {{"scalar", true, "portable C++, on every CPU"}}; }

Status CheckTier(const std::string& name) {
  if (name.empty()) return OkStatus();
  std::string usable;
  for (const Tier& tier : CpuTiers()) {
    if (tier.name == name) {
      if (tier.usable) return OkStatus();
      return Status(StatusCode::kUnsupported, "tier '" + name + "' cannot be used: " + tier.reason);
    }
    if (tier.usable) usable += (usable.empty() ? "" : ", ") + tier.name;
  }
  return Status(StatusCode::kInvalidArgument,
                "no tier '" + name + "' in this build; usable: " + usable);
}

}  // namespace whit
