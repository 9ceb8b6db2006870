#include "runtime/tiers.h"

#include <cstdlib>

#include "runtime/whit.h"

namespace whit {

std::vector<Tier> CpuTiers() {
  std::vector<Tier> out;
  for (size_t i = 0; i < simd::Tiers().size(); ++i) {
    const simd::TierState& state = simd::StateOf(i);
    out.push_back({simd::Tiers()[i].name, state.usable, state.reason});
  }
  return out;
}

Result<const simd::Tier*> SelectTier(const std::string& name) {
  const char* from_environment = std::getenv("WHIT_ISA");
  const bool forced = name.empty() && from_environment != nullptr && *from_environment != '\0';
  const std::string wanted = forced ? from_environment : name;
  const std::span<const simd::Tier> tiers = simd::Tiers();
  std::string usable;
  for (size_t i = tiers.size(); i-- > 0;) {  // best first
    const simd::TierState& state = simd::StateOf(i);
    if (state.usable && wanted.empty()) return &tiers[i];
    if (wanted == tiers[i].name) {
      if (state.usable) return &tiers[i];
      return Status(StatusCode::kUnsupported, "tier '" + wanted + "'" +
                                                  (forced ? " (from WHIT_ISA)" : "") +
                                                  " cannot be used: " + state.reason);
    }
    if (state.usable) usable += (usable.empty() ? "" : ", ") + std::string(tiers[i].name);
  }
  return Status(StatusCode::kInvalidArgument, "no tier '" + wanted + "'" +
                                                  (forced ? " (from WHIT_ISA)" : "") +
                                                  " in this build; usable: " + usable);
}

}  // namespace whit
