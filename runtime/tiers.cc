#include "runtime/tiers.h"

#include <algorithm>
#include <cstdlib>

#include "platform/clock.h"
#include "runtime/whit.h"

namespace whit {

namespace {

// Best of some stretches that are long beside the clock's resolution and short beside a time slice.
double GmacsOf(const simd::PeakLoop& loop) {
  if (loop.run == nullptr) return 0;
  constexpr uint64_t kStretchNs = 50'000;
  constexpr int kStretches = 32;
  int64_t rounds = 64;
  for (uint64_t ns = 0; ns < kStretchNs; rounds *= 2) {
    const uint64_t start = NowNs();
    loop.run(rounds);
    ns = NowNs() - start;
  }
  double best = 0;
  for (int i = 0; i < kStretches; ++i) {
    const uint64_t start = NowNs();
    loop.run(rounds);
    const uint64_t ns = std::max<uint64_t>(1, NowNs() - start);
    best = std::max(best, static_cast<double>(rounds * loop.macs) / static_cast<double>(ns));
  }
  return best;
}

}  // namespace

Result<MachinePeak> MeasurePeak(const std::string& isa) {
  WHIT_ASSIGN_OR_RETURN(const simd::Tier* tier, SelectTier(isa));
  if (tier->kernels == nullptr) return MachinePeak{};
  return MachinePeak{GmacsOf(tier->kernels->peak_i8), GmacsOf(tier->kernels->peak_f32)};
}

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
  const std::string from = forced ? " (from WHIT_ISA)" : "";
  for (size_t i = tiers.size(); i-- > 0;) {  // best first; known answers only of those that matter
    if (!wanted.empty() && wanted != tiers[i].name) continue;
    const simd::TierState& state = simd::StateOf(i);
    if (state.usable) return &tiers[i];
    if (wanted.empty()) continue;
    return Status(StatusCode::kUnsupported,
                  "tier '" + wanted + "'" + from + " cannot be used: " + state.reason);
  }
  std::string usable;
  for (size_t i = tiers.size(); i-- > 0;) {
    if (simd::StateOf(i).usable)
      usable += (usable.empty() ? "" : ", ") + std::string(tiers[i].name);
  }
  return Status(StatusCode::kInvalidArgument,
                "no tier '" + wanted + "'" + from + " in this build; usable: " + usable);
}

}  // namespace whit
