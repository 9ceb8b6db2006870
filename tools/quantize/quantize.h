// Float models to int8 after training: docs/quantize.md says how and from where.
#ifndef WHIT_TOOLS_QUANTIZE_QUANTIZE_H_
#define WHIT_TOOLS_QUANTIZE_QUANTIZE_H_

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "platform/status.h"
#include "tools/quantize/observe.h"
#include "tools/quantize/range.h"

namespace whit::tools {

struct QuantizeOptions {
  RangeRule range;
  bool bias_correction = true;
  bool integer_io = false;        // inputs and outputs are int8 codes; else float as before
  std::vector<std::string> keep;  // nodes with such names (shell patterns) stay float; each must
                                  // match one
  int threads = 1;
  std::function<void(double share)> progress;  // of the calibration, 0 to 1
};

/// One node of the source, and how far its result moved on the samples.
struct LayerReport {
  std::string node, op;
  bool integer = false;
  std::string why_float;  // of a node that stays
  // Signal to quantization noise of its first output, at most 200 (no noise at all). None of a node
  // that has become part of another, or of so large a model that there was no memory for it.
  std::optional<double> sqnr_db;
};

struct QuantizeReport {
  std::vector<LayerReport> layers;
  size_t compared = 0;        // samples that the numbers are of
  double output_sqnr_db = 0;  // of all outputs together
  // Samples whose largest element of output 0 kept its place; none where that output has fewer than
  // two real numbers.
  std::optional<size_t> same_top;
};

/// A float .whit file as an int8 one: weights a scale a channel, activations a scale and zero point
/// a tensor chosen on `samples`, one or more. The report compares both models on `others`, or on
/// the samples themselves where there are none. kInvalidArgument where there is none, a sample does
/// not fit or a name to keep is nobody's; kUnsupported where the model has nothing to quantize.
Result<std::vector<std::byte>> QuantizeModel(std::span<const std::byte> whit,
                                             std::span<const Sample> samples,
                                             std::span<const Sample> others,
                                             const QuantizeOptions& options,
                                             QuantizeReport* report);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_QUANTIZE_QUANTIZE_H_
