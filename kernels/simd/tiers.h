// The instruction-set tiers of this build, and which of them this CPU may use.
//
// A tier is usable when the CPU has its instructions (CPUID and XGETBV, HWCAP), and when its
// kernels give the known answers on this very CPU: an emulator or a board that lies about a feature
// is found before it computes anything. The test runs once per process and tier and takes
// microseconds.
#ifndef WHIT_KERNELS_SIMD_TIERS_H_
#define WHIT_KERNELS_SIMD_TIERS_H_

#include <cstdint>
#include <span>
#include <string>

#include "kernels/simd/kernels.h"
#include "kernels/simd/kernels_f32.h"
#include "kernels/simd/kernels_vector.h"
#include "kernels/tensor.h"
#include "platform/cpu.h"

namespace whit::simd {

struct Tier {
  const char* name;                    // "avx2"
  const char* needs;                   // what the CPU must have, for people
  bool (*on)(const CpuFeatures& cpu);  // whether it has it
  int32_t act_bias;                    // storage of 8-bit activations: 0 int8, 128 uint8
  const Kernels* kernels;              // null: scalar
  // Products of ordinary layers on the fastest CPUs of the tier, multiply-accumulates a nanosecond.
  // Only the plan's choice of threads depends on it (a step is split where that gains on every
  // CPU); `whit tune` measures instead.
  double int8_rate, float_rate;
  const F32Kernels* f32 = nullptr;        // tiers may share a table
  const VectorKernels* vector = nullptr;  // null: scalar
};

/// All tiers compiled in, slowest first; "scalar" is the first. The last usable one is the best.
std::span<const Tier> Tiers();

/// How the plan of a tier stores 8-bit activations. Kernels take them as raw bytes.
constexpr DType StoredType(const Tier& tier) {
  return tier.act_bias != 0 ? DType::kUint8 : DType::kInt8;
}

struct TierState {
  bool usable = false;
  std::string reason;  // why, or why not
};

/// Of the tier Tiers()[index] on this CPU. Computed once; safe from any thread.
const TierState& StateOf(size_t index);

/// The same tier, but for kernels whose time depends on no activation (16-bit sums are otherwise
/// judged by the data). Same bytes.
const Tier& ForAnyData(const Tier& tier);

/// Null if all kernels of the table give their known answers, else the name of the first that does
/// not. Pure, so tests can break a table and see it fail.
const char* FirstWrongKernel(const Kernels& kernels, int32_t act_bias);
const char* FirstWrongKernel(const F32Kernels& kernels, int32_t act_bias);
const char* FirstWrongKernel(const VectorKernels& kernels, int32_t act_bias);

}  // namespace whit::simd

#endif  // WHIT_KERNELS_SIMD_TIERS_H_
