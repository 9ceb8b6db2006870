#include "kernels/simd/tiers.h"

#include <array>
#include <mutex>

#include "kernels/simd/tables.h"

namespace whit::simd {
namespace {

constexpr Tier kTiers[] = {
    {"scalar", "any CPU", [](const CpuFeatures&) { return true; }, 0, nullptr, 8, 8},
#if defined(__x86_64__)
    {"sse41", "SSE4.1", [](const CpuFeatures& c) { return c.sse41; }, 128, &kSse41, 50, 20,
     &kSse41F32, &kSse41Vector},
    {"avx2", "AVX2 and FMA", [](const CpuFeatures& c) { return c.avx2 && c.fma; }, 128, &kAvx2, 120,
     60, &kAvx2F32, &kAvx2Vector},
    {"avxvnni", "AVX-VNNI and FMA", [](const CpuFeatures& c) { return c.avxvnni && c.fma; }, 128,
     &kAvxVnni, 200, 60, &kAvx2F32, &kAvx2Vector},
    {"avx512vnni", "AVX512 F, BW, VL, DQ and VNNI",
     [](const CpuFeatures& c) { return c.avx512vnni && c.fma; }, 128, &kAvx512Vnni, 400, 110,
     &kAvx512VnniF32, &kAvx512VnniVector},
#elif defined(__aarch64__) || defined(__arm__)
    {"neon", "NEON", [](const CpuFeatures& c) { return c.neon; }, 0, &kNeon, 10, 5, &kNeonF32,
     &kNeonVector},
#endif
#if defined(__aarch64__)
    {"neon_dot", "NEON and dot products (armv8.2)", [](const CpuFeatures& c) { return c.dotprod; },
     0, &kNeonDot, 60, 10, &kNeonF32, &kNeonVector},
    {"neon_i8mm", "NEON, dot products and products of matrices (armv8.6)",
     [](const CpuFeatures& c) { return c.dotprod && c.i8mm; }, 0, &kNeonI8mm, 90, 10, &kNeonF32,
     &kNeonVector},
#endif
};

TierState Examine(const Tier& tier) {
  const std::string needs = tier.needs;
  if (!tier.on(HostCpu())) return {false, "this CPU does not have " + needs};
  if (tier.kernels == nullptr) return {true, "portable C++, on every CPU"};
  const char* wrong = FirstWrongKernel(*tier.kernels, tier.act_bias);
  if (wrong == nullptr && tier.f32 != nullptr) wrong = FirstWrongKernel(*tier.f32, tier.act_bias);
  if (wrong == nullptr && tier.vector != nullptr)
    wrong = FirstWrongKernel(*tier.vector, tier.act_bias);
  if (wrong != nullptr) {
    return {false, "this CPU says it has " + needs + ", but its known-answer test of " + wrong +
                       " gave a wrong answer"};
  }
  return {true, needs + ", known answers right"};
}

// Copies of all tiers that take every range as full.
struct AnyDataTiers {
  std::array<Kernels, std::size(kTiers)> kernels;
  std::array<Tier, std::size(kTiers)> tiers;
  AnyDataTiers() {
    for (size_t i = 0; i < tiers.size(); ++i) {
      tiers[i] = kTiers[i];
      if (tiers[i].kernels == nullptr) continue;
      kernels[i] = *kTiers[i].kernels;
      kernels[i].any_data = true;
      tiers[i].kernels = &kernels[i];
    }
  }
};

}  // namespace

std::span<const Tier> Tiers() { return kTiers; }

const TierState& StateOf(size_t index) {
  static std::array<TierState, std::size(kTiers)> states;
  static std::array<std::once_flag, std::size(kTiers)> once;
  std::call_once(once[index], [&] { states[index] = Examine(kTiers[index]); });
  return states[index];
}

const Tier& ForAnyData(const Tier& tier) {
  static const AnyDataTiers all;
  for (size_t i = 0; i < all.tiers.size(); ++i) {
    if (tier.kernels == kTiers[i].kernels) return all.tiers[i];
  }
  return tier;
}

}  // namespace whit::simd
