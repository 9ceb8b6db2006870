// All that is found out about one tensor.
#ifndef WHIT_TOOLS_INSPECT_TENSOR_REPORT_H_
#define WHIT_TOOLS_INSPECT_TENSOR_REPORT_H_

#include <optional>
#include <string>
#include <vector>

#include "tools/inspect/code_usage.h"
#include "tools/inspect/duplicates.h"
#include "tools/inspect/quantization_noise.h"
#include "tools/inspect/strip.h"
#include "tools/inspect/super_weights.h"

namespace whit::tools {

enum class Severity : uint8_t { kRemark, kLook, kBroken };

/// Something worth a sentence: "`what` in NAME: `detail`".
struct Finding {
  const char* kind;  // for machines: "dead_channels"
  Severity severity;
  double share;  // of the tensor that it is about, 0 to 1
  std::string what, detail;
};

struct TensorReport {
  TensorEntry entry;
  std::string unreadable;  // why, or empty; the rest is empty then
  ChannelLayout layout;
  TensorStatistics statistics;
  std::optional<QuantizationNoise> noise;  // of floats with two axes or more
  std::optional<CodeUsage> codes;          // of int8 and uint8
  std::vector<size_t> dead;                // channels of zeros
  std::vector<size_t> constant;            // channels of one other value
  Duplicates duplicates;
  std::vector<SuperWeight> super_weights;
  std::vector<StripColumn> strip;
  std::vector<Finding> findings;  // gravest first

  /// Gives back what grows with the number of channels: the report of a file keeps some KiB a
  /// tensor. Lists keep their first kMostListed.
  void DropChannels();
  /// The gravest finding, or less than every severity where there is none.
  int gravity() const;
};

inline constexpr size_t kMostListed = 100;

/// `format`: WeightFile::format(). REQUIRES bytes.size() == entry.bytes(). Takes up to seven passes
/// over the bytes, and as much memory as the channels do: 40 MiB for the most of them.
TensorReport ReportOf(const TensorEntry& entry, std::span<const std::byte> bytes,
                      const std::string& format);
/// Of a tensor whose elements cannot be had.
TensorReport UnreadableReport(const TensorEntry& entry, std::string why);

/// The order in which reports matter: broken tensors first, then by findings, then by size.
bool MattersMore(const TensorReport& a, const TensorReport& b);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_INSPECT_TENSOR_REPORT_H_
