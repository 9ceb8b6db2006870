// What of a report deserves a sentence, and the bounds from which it does.
#ifndef WHIT_TOOLS_INSPECT_FINDINGS_H_
#define WHIT_TOOLS_INSPECT_FINDINGS_H_

#include "tools/inspect/tensor_report.h"

namespace whit::tools {

/// Quantization noise beyond this is told. Gaussian weights whose farthest is 4.5 deviations out
/// have 20 log10(127) + 10 log10(12) - 20 log10(4.5) = 39.8 dB with int8: ten less is a tensor
/// whose range is made by few of its weights.
inline constexpr double kPoorDecibels = 30;
/// What one bit is worth, 20 log10(2): gains below it are not told.
inline constexpr double kOneBit = 6.02;
/// Elements from which noise and codes are told: of fewer, chance decides.
inline constexpr int64_t kLeastElements = 256;

/// Gravest first. Looks at everything of `report` but its findings.
std::vector<Finding> FindingsOf(const TensorReport& report);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_INSPECT_FINDINGS_H_
