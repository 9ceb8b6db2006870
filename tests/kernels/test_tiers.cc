#include "tests/kernels/test_tiers.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "kernels/simd/tables.h"

namespace whit {
namespace {

#if defined(WHIT_EMULATED_TIER)
constexpr simd::Tier kEmulated = {"avxvnni-emulated",
                                  "AVX2",
                                  [](const CpuFeatures& c) { return c.avx2 && c.fma; },
                                  128,
                                  &simd::kAvxVnniEmulated,
                                  40,
                                  35,
                                  &simd::kAvx2F32,
                                  &simd::kAvx2Vector};
#endif

std::vector<const simd::Tier*> FindRunnable() {
  std::vector<const simd::Tier*> tiers;
  for (size_t i = 0; i < simd::Tiers().size(); ++i) {
    const simd::Tier& tier = simd::Tiers()[i];
    if (tier.kernels != nullptr && simd::StateOf(i).usable) tiers.push_back(&tier);
  }
#if defined(WHIT_EMULATED_TIER)
  if (kEmulated.on(HostCpu())) tiers.push_back(&kEmulated);
#endif
  return tiers;
}

// Printed once, whatever the tests say: which tiers they really ran.
class PrintTiers : public ::testing::Environment {
 public:
  void TearDown() override {
    std::printf("tiers run: scalar");
    for (const simd::Tier* tier : RunnableTiers()) std::printf(", %s", tier->name);
    std::printf("\n");
#if defined(__x86_64__) && !defined(WHIT_EMULATED_TIER)
    std::printf("NOT RUN: tier avxvnni-emulated: not built with sanitizers\n");
#endif
    for (const std::string& tier : TiersNotRun()) std::printf("NOT RUN: tier %s\n", tier.c_str());
  }
};
const auto* const kPrint = ::testing::AddGlobalTestEnvironment(new PrintTiers);

}  // namespace

std::span<const simd::Tier* const> RunnableTiers() {
  static const std::vector<const simd::Tier*> tiers = FindRunnable();
  return tiers;
}

std::vector<std::string> TiersNotRun() {
  std::vector<std::string> out;
  for (size_t i = 0; i < simd::Tiers().size(); ++i) {
    const simd::TierState& state = simd::StateOf(i);
    if (!state.usable) out.push_back(std::string(simd::Tiers()[i].name) + ": " + state.reason);
  }
  return out;
}

}  // namespace whit
