#include "platform/cpu.h"

#include <array>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#elif defined(__linux__)
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace whit {
namespace {

constexpr bool Bit(uint64_t word, int bit) { return (word >> bit & 1) != 0; }

CpuidLeaf Find(std::span<const CpuidLeaf> leaves, uint32_t leaf, uint32_t subleaf) {
  for (const CpuidLeaf& l : leaves) {
    if (l.leaf == leaf && l.subleaf == subleaf) return l;
  }
  return {};
}

std::string_view Trim(std::string_view s) {
  const size_t begin = s.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return s.substr(begin, s.find_last_not_of(" \t\r") - begin + 1);
}

// Value of the first line "key : value" of /proc/cpuinfo, empty if there is none.
std::string_view CpuinfoValue(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    const size_t colon = line.find(':');
    if (colon != std::string_view::npos && Trim(line.substr(0, colon)) == key)
      return Trim(line.substr(colon + 1));
  }
  return {};
}

// Parts of implementer 0x41 (Arm) that boards in use have.
constexpr std::pair<std::string_view, std::string_view> kArmParts[] = {
    {"0xc07", "Cortex-A7"},   {"0xc08", "Cortex-A8"},   {"0xc09", "Cortex-A9"},
    {"0xc0f", "Cortex-A15"},  {"0xd01", "Cortex-A32"},  {"0xd03", "Cortex-A53"},
    {"0xd04", "Cortex-A35"},  {"0xd05", "Cortex-A55"},  {"0xd07", "Cortex-A57"},
    {"0xd08", "Cortex-A72"},  {"0xd09", "Cortex-A73"},  {"0xd0a", "Cortex-A75"},
    {"0xd0b", "Cortex-A76"},  {"0xd0c", "Neoverse-N1"}, {"0xd0d", "Cortex-A77"},
    {"0xd40", "Neoverse-V1"}, {"0xd41", "Cortex-A78"},  {"0xd44", "Cortex-X1"},
    {"0xd46", "Cortex-A510"}, {"0xd47", "Cortex-A710"}, {"0xd48", "Cortex-X2"},
    {"0xd49", "Neoverse-N2"}, {"0xd4f", "Neoverse-V2"},
};

#if defined(__x86_64__) || defined(__i386__)

CpuidLeaf Cpuid(uint32_t leaf, uint32_t subleaf) {
  CpuidLeaf l{leaf, subleaf, 0, 0, 0, 0};
  __cpuid_count(leaf, subleaf, l.eax, l.ebx, l.ecx, l.edx);
  return l;
}

uint64_t Xgetbv0() {
  uint32_t lo = 0, hi = 0;
  asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
  return uint64_t{hi} << 32 | lo;
}

CpuFeatures Detect() {
  std::vector<CpuidLeaf> leaves = {Cpuid(0, 0)};
  const uint32_t max_leaf = leaves[0].eax;
  uint64_t xcr0 = 0;
  if (max_leaf >= 1) {
    leaves.push_back(Cpuid(1, 0));
    if (Bit(leaves.back().ecx, 27)) xcr0 = Xgetbv0();  // OSXSAVE: else the instruction faults
  }
  if (max_leaf >= 7) {
    leaves.push_back(Cpuid(7, 0));
    if (leaves.back().eax >= 1) leaves.push_back(Cpuid(7, 1));
  }
  return FeaturesFromCpuid(leaves, xcr0);
}

#elif defined(__linux__) && defined(__aarch64__)

CpuFeatures Detect() { return FeaturesFromHwcapArm64(getauxval(AT_HWCAP), getauxval(AT_HWCAP2)); }

#elif defined(__linux__) && defined(__arm__)

CpuFeatures Detect() { return FeaturesFromHwcapArm32(getauxval(AT_HWCAP), getauxval(AT_HWCAP2)); }

#elif defined(__APPLE__) && defined(__aarch64__)

bool Sysctl(const char* name) {
  int value = 0;
  size_t size = sizeof(value);
  return sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value != 0;
}

CpuFeatures Detect() {
  CpuFeatures f;
  f.neon = true;
  f.dotprod = Sysctl("hw.optional.arm.FEAT_DotProd");
  f.i8mm = Sysctl("hw.optional.arm.FEAT_I8MM");
  return f;
}

#else

CpuFeatures Detect() { return {}; }

#endif

}  // namespace

CpuFeatures FeaturesFromCpuid(std::span<const CpuidLeaf> leaves, uint64_t xcr0) {
  const CpuidLeaf l1 = Find(leaves, 1, 0);
  const CpuidLeaf l7 = Find(leaves, 7, 0);
  const CpuidLeaf l71 = Find(leaves, 7, 1);
  // XCR0: 1 SSE, 2 AVX state; 5, 6, 7 mask registers and the upper halves of zmm.
  const bool osxsave = Bit(l1.ecx, 27);
  const bool ymm = osxsave && (xcr0 & 0x06) == 0x06 && Bit(l1.ecx, 28);
  const bool zmm = ymm && (xcr0 & 0xe6) == 0xe6;

  CpuFeatures f;
  f.sse41 = Bit(l1.ecx, 19);
  f.avx2 = ymm && Bit(l7.ebx, 5);
  f.fma = ymm && Bit(l1.ecx, 12);
  f.avxvnni = f.avx2 && Bit(l71.eax, 4);
  f.avx512 = zmm && Bit(l7.ebx, 16) && Bit(l7.ebx, 17) && Bit(l7.ebx, 30) && Bit(l7.ebx, 31);
  f.avx512vnni = f.avx512 && Bit(l7.ecx, 11);
  f.avx512vbmi = f.avx512 && Bit(l7.ecx, 1);
  return f;
}

// Bit numbers are fixed by Linux's ABI and written out because a cross build's headers may lack the
// newer names.
CpuFeatures FeaturesFromHwcapArm64(uint64_t hwcap, uint64_t hwcap2) {
  CpuFeatures f;
  f.neon = Bit(hwcap, 1);
  f.dotprod = f.neon && Bit(hwcap, 20);
  f.i8mm = f.neon && Bit(hwcap2, 13);
  return f;
}

CpuFeatures FeaturesFromHwcapArm32(uint64_t hwcap, uint64_t /*hwcap2*/) {
  CpuFeatures f;
  f.neon = Bit(hwcap, 12) && Bit(hwcap, 16);  // and VFPv4: Cortex-A7, A15 and later
  f.dotprod = f.neon && Bit(hwcap, 24);
  f.i8mm = f.neon && Bit(hwcap, 27);
  return f;
}

const CpuFeatures& HostCpu() {
  static const CpuFeatures features = Detect();
  return features;
}

std::vector<std::string_view> FeatureNames(const CpuFeatures& f) {
  const std::pair<bool, std::string_view> all[] = {
      {f.sse41, "sse41"},
      {f.avx2, "avx2"},
      {f.fma, "fma"},
      {f.avxvnni, "avxvnni"},
      {f.avx512, "avx512"},
      {f.avx512vnni, "avx512vnni"},
      {f.avx512vbmi, "avx512vbmi"},
      {f.neon, "neon"},
      {f.dotprod, "dotprod"},
      {f.i8mm, "i8mm"},
  };
  std::vector<std::string_view> names;
  for (const auto& [set, name] : all) {
    if (set) names.push_back(name);
  }
  return names;
}

std::string CpuNameFromCpuinfo(std::string_view cpuinfo) {
  const std::string_view name = CpuinfoValue(cpuinfo, "model name");
  const std::string_view implementer = CpuinfoValue(cpuinfo, "CPU implementer");
  const std::string_view part = CpuinfoValue(cpuinfo, "CPU part");
  if (implementer == "0x41") {
    for (const auto& [number, part_name] : kArmParts) {
      if (number == part) return std::string(part_name);
    }
  }
  if (!name.empty()) return std::string(name);
  if (implementer.empty()) return "unknown";
  return "ARM implementer " + std::string(implementer) + " part " + std::string(part);
}

std::string CpuName() {
#if defined(__x86_64__) || defined(__i386__)
  // The brand string: 48 characters in three leaves, padded with spaces or zeros.
  if (Cpuid(0x80000000u, 0).eax >= 0x80000004u) {
    std::array<char, 49> brand{};
    for (uint32_t i = 0; i < 3; ++i) {
      const CpuidLeaf l = Cpuid(0x80000002u + i, 0);
      const uint32_t words[4] = {l.eax, l.ebx, l.ecx, l.edx};
      std::memcpy(brand.data() + 16 * i, words, sizeof(words));
    }
    const std::string_view name = Trim(brand.data());
    if (!name.empty()) return std::string(name);
  }
  return "unknown";
#else
  std::ifstream file("/proc/cpuinfo");
  return CpuNameFromCpuinfo(std::string(std::istreambuf_iterator<char>(file), {}));
#endif
}

}  // namespace whit
