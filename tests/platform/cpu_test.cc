#include "platform/cpu.h"

#include <gtest/gtest.h>

namespace whit {
namespace {

using Names = std::vector<std::string_view>;

constexpr uint32_t kSse41 = 1u << 19, kFma = 1u << 12, kOsxsave = 1u << 27,
                   kAvx = 1u << 28;  // leaf 1 ecx
constexpr uint32_t kAvx2 = 1u << 5, kF = 1u << 16, kDq = 1u << 17, kBw = 1u << 30,
                   kVl = 1u << 31;      // leaf 7.0 ebx
constexpr uint32_t kVnni = 1u << 11;    // leaf 7.0 ecx
constexpr uint32_t kAvxVnni = 1u << 4;  // leaf 7.1 eax
constexpr uint64_t kYmmState = 0x7, kZmmState = 0xe7;

std::vector<CpuidLeaf> Leaves(uint32_t ecx1, uint32_t ebx7, uint32_t ecx7, uint32_t eax71) {
  return {
      {0, 0, 7, 0, 0, 0}, {1, 0, 0, 0, ecx1, 0}, {7, 0, 1, ebx7, ecx7, 0}, {7, 1, eax71, 0, 0, 0}};
}

// Answers of real CPUs, the registers that matter.
TEST(CpuTest, RecordedDumps) {
  const struct {
    const char* cpu;
    CpuidLeaf l1, l7, l71;
    uint64_t xcr0;
    Names want;
  } dumps[] = {
      {"Core 2 (Penryn)", {1, 0, 0x10676, 0, 0x0008e3fd, 0}, {}, {}, 0, {"sse41"}},
      {"Sandy Bridge", {1, 0, 0x206a7, 0, 0x1fbae3ff, 0}, {7, 0, 0, 0, 0, 0}, {}, 0x7, {"sse41"}},
      {"Haswell",
       {1, 0, 0x306c3, 0, 0x7ffafbff, 0},
       {7, 0, 0, 0x000027ab, 0, 0},
       {},
       0x7,
       {"sse41", "avx2", "fma"}},
      {"Zen 3",
       {1, 0, 0xa20f10, 0, 0x7ef8320b, 0},
       {7, 0, 0, 0x219c97a9, 0x0040068c, 0},
       {},
       0x207,
       {"sse41", "avx2", "fma"}},
      {"Skylake-SP",
       {1, 0, 0x50654, 0, 0x7ffefbff, 0},
       {7, 0, 0, 0xd39ffffb, 0x00000018, 0},
       {},
       0x2e7,
       {"sse41", "avx2", "fma", "avx512"}},
      {"Ice Lake",
       {1, 0, 0x706e5, 0, 0x7ffafbbf, 0},
       {7, 0, 0, 0xf2bf27eb, 0x40405f4e, 0},
       {},
       0x2e7,
       {"sse41", "avx2", "fma", "avx512", "avx512vnni", "avx512vbmi"}},
      {"Alder Lake",
       {1, 0, 0x90672, 0, 0x7ffafbff, 0},
       {7, 0, 1, 0x239c27eb, 0x98c027ac, 0},
       {7, 1, 0x00400810, 0, 0, 0},
       0x207,
       {"sse41", "avx2", "fma", "avxvnni"}},
  };
  for (const auto& d : dumps) {
    const CpuidLeaf leaves[] = {d.l1, d.l7, d.l71};
    EXPECT_EQ(FeatureNames(FeaturesFromCpuid(leaves, d.xcr0)), d.want) << d.cpu;
  }
}

TEST(CpuTest, NothingKnownMeansNothingUsable) {
  EXPECT_EQ(FeaturesFromCpuid({}, UINT64_MAX), CpuFeatures{});
  EXPECT_EQ(FeaturesFromHwcapArm64(0, 0), CpuFeatures{});
  EXPECT_EQ(FeaturesFromHwcapArm32(0, 0), CpuFeatures{});
}

TEST(CpuTest, RegistersMustBeSavedByTheSystem) {
  const uint32_t ecx1 = kSse41 | kFma | kOsxsave | kAvx;
  const uint32_t ebx7 = kAvx2 | kF | kDq | kBw | kVl;
  const auto all = Leaves(ecx1, ebx7, kVnni, kAvxVnni);
  EXPECT_EQ(FeatureNames(FeaturesFromCpuid(all, kZmmState)),
            (Names{"sse41", "avx2", "fma", "avxvnni", "avx512", "avx512vnni"}));
  EXPECT_EQ(FeatureNames(FeaturesFromCpuid(all, kYmmState)),
            (Names{"sse41", "avx2", "fma", "avxvnni"}));
  EXPECT_EQ(FeatureNames(FeaturesFromCpuid(all, 0x3)), Names{"sse41"});
  EXPECT_EQ(
      FeatureNames(FeaturesFromCpuid(Leaves(ecx1 & ~kOsxsave, ebx7, kVnni, kAvxVnni), kZmmState)),
      Names{"sse41"});
}

TEST(CpuTest, Avx512NeedsAllItsParts) {
  const uint32_t ecx1 = kSse41 | kFma | kOsxsave | kAvx;
  for (uint32_t missing : {kF, kDq, kBw, kVl}) {
    const uint32_t ebx7 = (kAvx2 | kF | kDq | kBw | kVl) & ~missing;
    const CpuFeatures f = FeaturesFromCpuid(Leaves(ecx1, ebx7, kVnni, 0), kZmmState);
    EXPECT_TRUE(f.avx2);
    EXPECT_FALSE(f.avx512);
    EXPECT_FALSE(f.avx512vnni);
  }
}

TEST(CpuTest, Hwcaps) {
  EXPECT_EQ(FeatureNames(FeaturesFromHwcapArm64(0x8ff, 0)), Names{"neon"});  // Pi 4, Cortex-A72
  EXPECT_EQ(FeatureNames(FeaturesFromHwcapArm64(0x119fff, 0)),
            (Names{"neon", "dotprod"}));  // Pi 5, Cortex-A76
  EXPECT_EQ(FeatureNames(FeaturesFromHwcapArm64(0x119fff, 1u << 13)),
            (Names{"neon", "dotprod", "i8mm"}));
  EXPECT_EQ(FeatureNames(FeaturesFromHwcapArm64(1u << 20, 1u << 13)), Names{});
  EXPECT_EQ(FeatureNames(FeaturesFromHwcapArm32(0x3fb0d6, 0)), Names{"neon"});
  EXPECT_EQ(FeatureNames(FeaturesFromHwcapArm32(1u << 12 | 1u << 16 | 1u << 24 | 1u << 27, 0)),
            (Names{"neon", "dotprod", "i8mm"}));
  EXPECT_EQ(FeatureNames(FeaturesFromHwcapArm32(1u << 12, 0)), Names{});
}

TEST(CpuTest, NamesFromCpuinfo) {
  EXPECT_EQ(CpuNameFromCpuinfo("processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n"),
            "Cortex-A76");
  EXPECT_EQ(
      CpuNameFromCpuinfo(
          "model name\t: ARMv7 Processor rev 3 (v7l)\nCPU implementer : 0x41\nCPU part : 0xd08\n"),
      "Cortex-A72");
  EXPECT_EQ(CpuNameFromCpuinfo("CPU implementer : 0x51\nCPU part : 0x805"),
            "ARM implementer 0x51 part 0x805");
  EXPECT_EQ(CpuNameFromCpuinfo("model name : Something\n"), "Something");
  EXPECT_EQ(CpuNameFromCpuinfo(""), "unknown");
  EXPECT_EQ(CpuNameFromCpuinfo("garbage without colon\n\n:\n"), "unknown");
}

TEST(CpuTest, HostAgreesWithTheCompiler) {
#if defined(__x86_64__)
  EXPECT_EQ(HostCpu().avx2, __builtin_cpu_supports("avx2") != 0);
  EXPECT_EQ(HostCpu().sse41, __builtin_cpu_supports("sse4.1") != 0);
  EXPECT_EQ(HostCpu().avx512vnni,
            __builtin_cpu_supports("avx512vnni") != 0 && __builtin_cpu_supports("avx512vl") != 0);
  EXPECT_EQ(HostCpu().avx512vbmi,
            __builtin_cpu_supports("avx512vbmi") != 0 && __builtin_cpu_supports("avx512vl") != 0);
  EXPECT_NE(CpuName(), "unknown");
#elif defined(__aarch64__)
  EXPECT_TRUE(HostCpu().neon);
#endif
  EXPECT_FALSE(CpuName().empty());
}

}  // namespace
}  // namespace whit
