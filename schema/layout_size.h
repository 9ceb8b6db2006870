// How many bytes a packed weight array and the arrays beside it take: the formulas of
// docs/layout.md, shared by the reader (which demands equality) and the packer (which allocates).
// One place, so they cannot differ.
#ifndef WHIT_SCHEMA_LAYOUT_SIZE_H_
#define WHIT_SCHEMA_LAYOUT_SIZE_H_

#include <cstdint>

namespace whit {

/// Numbers equal fbs::Layout and PackedWeights::Layout.
enum class WeightLayout : uint8_t { kPanel16I8 = 0, kPanel16F32 = 1, kDw16I8 = 2, kDw16F32 = 3 };
inline constexpr int kWeightLayoutCount = 4;

inline constexpr int64_t kPanelChannels = 16;
inline constexpr int64_t kStepK = 4;  // consecutive k of one channel in one step

constexpr int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t RoundUp64(int64_t bytes) { return (bytes + 63) & ~int64_t{63}; }

/// What the sizes depend on. Depthwise: groups 1, n = output channels, runs = taps, run_length 1.
struct WeightDims {
  WeightLayout layout = WeightLayout::kPanel16I8;
  int64_t groups = 1;
  int64_t n = 0;  // output channels over all groups, a multiple of groups
  int64_t runs = 1;
  int64_t run_length = 0;  // real elements of a run

  constexpr int64_t group_n() const { return n / groups; }
  constexpr int64_t k() const { return runs * run_length; }
  /// Panels of one group, and of the whole blob.
  constexpr int64_t group_panels() const { return CeilDiv(group_n(), kPanelChannels); }
  constexpr int64_t panels() const { return groups * group_panels(); }
  /// 4-k steps of one run, of one panel, and pairs of steps of a panel.
  constexpr int64_t run_steps() const { return CeilDiv(run_length, kStepK); }
  constexpr int64_t steps() const { return runs * run_steps(); }
  constexpr int64_t step_pairs() const { return CeilDiv(steps(), 2); }
  /// Channels stored in panel q of a group: only the last panel of panel16_i8 may be 8 wide.
  constexpr int64_t panel_width(int64_t q) const {
    return layout == WeightLayout::kPanel16I8 && group_n() - kPanelChannels * q <= 8
               ? 8
               : kPanelChannels;
  }
};

/// Bytes of the weights of one group, a multiple of 64.
constexpr int64_t GroupBytes(const WeightDims& d) {
  switch (d.layout) {
    case WeightLayout::kPanel16I8:
      return RoundUp64(
          d.steps() * (64 * (d.group_panels() - 1) + kStepK * d.panel_width(d.group_panels() - 1)));
    case WeightLayout::kPanel16F32:
      return 64 * d.k() * d.group_panels();
    case WeightLayout::kDw16I8:
      return RoundUp64(kPanelChannels * d.k() * d.group_panels());
    case WeightLayout::kDw16F32:
      return 64 * d.k() * d.group_panels();
  }
  return 0;
}

/// Size of Weights.data.
constexpr int64_t WeightDataBytes(const WeightDims& d) { return d.groups * GroupBytes(d); }

/// Size of Weights.sums: int32[n] (integer layouts).
constexpr int64_t WeightSumsBytes(const WeightDims& d) { return 4 * d.n; }

/// Weights.limits is limit1 then limit2 (docs/layout.md, section 5). Offset of limit2, and the size
/// of both.
constexpr int64_t Limit1Bytes(const WeightDims& d) {
  return RoundUp64((d.panels() - 1) * d.steps() + 64 * CeilDiv(d.steps(), 64));
}
constexpr int64_t Limit2Bytes(const WeightDims& d) {
  return RoundUp64((d.panels() - 1) * d.step_pairs() + 32 * CeilDiv(d.steps(), 64));
}
constexpr int64_t WeightLimitsBytes(const WeightDims& d) { return Limit1Bytes(d) + Limit2Bytes(d); }

/// Size of Weights.pair_flags: one byte a panel (bits 0 and 1), padded to 64.
constexpr int64_t WeightPairFlagsBytes(const WeightDims& d) { return RoundUp64(d.panels()); }

/// Why the record cannot be (short English), or null. After null none of the functions above
/// overflows: every size is below 2^31 * 64.
constexpr const char* WeightDimsError(const WeightDims& d) {
  constexpr int64_t kLimit = int64_t{1} << 31;
  if (d.groups < 1 || d.n < 1 || d.runs < 1 || d.run_length < 1)
    return "groups, n, runs and run_length must be at least 1";
  if (d.groups >= kLimit || d.n >= kLimit || d.runs >= kLimit || d.run_length >= kLimit)
    return "a count is 2^31 or more";
  if (d.n % d.groups != 0) return "n is not a multiple of groups";
  const bool depthwise = d.layout == WeightLayout::kDw16I8 || d.layout == WeightLayout::kDw16F32;
  if (depthwise && d.groups != 1) return "depthwise weights have one group";
  if (depthwise && d.run_length != 1) return "depthwise weights have a run_length of 1";
  // Stored elements, padding included, stay below 2^31, step by step so that no product overflows.
  const int64_t padded_n = d.panels() * kPanelChannels;
  if (padded_n >= kLimit) return "n padded to panels of 16 is 2^31 or more";
  const int64_t padded_run = d.run_steps() * kStepK;
  if (padded_run >= kLimit / d.runs) return "K padded to steps of 4 is 2^31 or more";
  if (padded_run * d.runs >= kLimit / padded_n) return "the packed array has 2^31 elements or more";
  return nullptr;
}

}  // namespace whit

#endif  // WHIT_SCHEMA_LAYOUT_SIZE_H_
