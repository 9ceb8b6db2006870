// Reports of tensors as JSON: for machines, and for the page.
#ifndef WHIT_TOOLS_WHIT_INSPECT_JSON_H_
#define WHIT_TOOLS_WHIT_INSPECT_JSON_H_

#include <optional>

#include "tools/inspect/tensor_report.h"
#include "tools/whit/command.h"

namespace whit::tools {

/// What the outputs lose when one tensor alone is perturbed, dB; infinite where nothing changes.
struct OutputNoise {
  std::optional<double> int8, int4;
};

/// A candidate for a super weight that was set to zero, and the outputs' signal to noise without
/// it.
struct RemovedWeight {
  size_t tensor;
  SuperWeight weight;
  double noise;  // dB
};

/// A report of a file.
struct FileReport {
  std::string file, format;
  uint64_t elements = 0, bytes = 0;
  std::vector<TensorReport> tensors;     // of which the channels are dropped
  std::vector<OutputNoise> sensitivity;  // by tensor, or empty
  std::vector<RemovedWeight> removed;
};

/// Everything but the channels. Numbers that are not finite are null.
Json TensorJson(const TensorReport& report);
/// The channels, field by field, on stdout: "{"min":[...],...}". Written as it goes, because it can
/// be as large as the tensor.
void PrintChannels(const TensorReport& report);
/// {"sensitivity": one object a tensor that has a figure, "removed": one a weight}.
Json SensitivityJson(const FileReport& report);

/// What page/report.js reads. Of large files it leaves out what would make it larger than some
/// 4 MB, and says so in "cut".
std::string PageJson(const FileReport& report);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_WHIT_INSPECT_JSON_H_
