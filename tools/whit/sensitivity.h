// How much the outputs of a model change with each of its weights.
#ifndef WHIT_TOOLS_WHIT_SENSITIVITY_H_
#define WHIT_TOOLS_WHIT_SENSITIVITY_H_

#include "tools/import/weights/weights.h"
#include "tools/whit/inspect_json.h"

namespace whit::tools {

/// Fills report->sensitivity, and adds a finding for every candidate for a super weight (of the ten
/// with the highest score) that says what its removal does.
///
/// For each change of one tensor (Perturbation) the model is imported anew with that tensor in
/// place of its own and run on the samples. The figure is the least of the outputs' signal to
/// noise, 10 log10(sum y^2 / sum (y - y')^2) over all samples. Tensors that no import takes from a
/// file of weights (uint8, the codes of ONNX's quantized operators) have none.
///
/// `weights`: of the model in report->file, .tflite, ONNX or .whit; of a .whit the packed weights
/// alone have a figure. `samples`: SampleFlags::data (samples.h). REQUIRES report->tensors has one
/// for each of `weights`.
Status MeasureSensitivity(const WeightFile& weights, const std::vector<std::string>& samples,
                          FileReport* report);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_WHIT_SENSITIVITY_H_
