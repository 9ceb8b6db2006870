// What this CPU can do. Detection is a pure function of register contents, so it is tested from
// recorded dumps.
#ifndef WHIT_PLATFORM_CPU_H_
#define WHIT_PLATFORM_CPU_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace whit {

/// Instruction sets that are usable: the CPU has them and the operating system saves their
/// registers.
struct CpuFeatures {
  // x86
  bool sse41 = false;
  bool avx2 = false;
  bool fma = false;
  bool avxvnni = false;
  bool avx512 = false;  // F, BW, VL and DQ together: every part that has one of BW, VL, DQ has all
  bool avx512vnni = false;  // implies avx512
  bool avx512vbmi = false;  // implies avx512
  // ARM
  bool neon = false;  // on armv7 with VFPv4
  bool dotprod = false;
  bool i8mm = false;

  bool operator==(const CpuFeatures&) const = default;
};

/// The features of the CPU this process runs on. Detected once; safe from any thread.
const CpuFeatures& HostCpu();

/// Names of the set features in the order above: "sse41", "avx2", ... "i8mm".
std::vector<std::string_view> FeatureNames(const CpuFeatures& features);

/// The CPU's own name, e.g. "Intel(R) Xeon(R) ..."; "unknown" where the system does not say.
std::string CpuName();
/// The same from the text of /proc/cpuinfo (ARM, where the CPU cannot say it itself): "Cortex-A76".
std::string CpuNameFromCpuinfo(std::string_view cpuinfo);

/// One CPUID answer.
struct CpuidLeaf {
  uint32_t leaf = 0, subleaf = 0;
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};
/// Leaves that are not in the dump count as zero. xcr0 is what XGETBV(0) gave, 0 if OSXSAVE is off.
CpuFeatures FeaturesFromCpuid(std::span<const CpuidLeaf> leaves, uint64_t xcr0);
/// From AT_HWCAP and AT_HWCAP2 of Linux on aarch64, or on 32-bit ARM.
CpuFeatures FeaturesFromHwcapArm64(uint64_t hwcap, uint64_t hwcap2);
CpuFeatures FeaturesFromHwcapArm32(uint64_t hwcap, uint64_t hwcap2);

}  // namespace whit

#endif  // WHIT_PLATFORM_CPU_H_
