// A file of weights with one tensor changed: what the sensitivity of a model is measured with.
#ifndef WHIT_TOOLS_INSPECT_PERTURBED_WEIGHTS_H_
#define WHIT_TOOLS_INSPECT_PERTURBED_WEIGHTS_H_

#include <memory>

#include "tools/import/weights/weights.h"

namespace whit::tools {

enum class Perturbation : uint8_t {
  kNone,
  kInt8,    // one symmetric scale for the tensor, 127 steps: floats
  kInt4,    // floats: one symmetric scale a channel, 7 steps; int8: codes to multiples of 16
  kRemove,  // one element becomes 0, or the zero point
};

/// Whether such a change of the tensor can be asked for.
bool CanPerturb(const TensorEntry& entry, Perturbation how);

/// Everything of `base`, which must outlive the result, but tensor `i`, changed as `how` says;
/// floats of every size become float32. `element`: for kRemove. REQUIRES CanPerturb unless kNone.
std::unique_ptr<WeightFile> Perturb(const WeightFile& base, size_t i, Perturbation how,
                                    size_t element = 0);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_INSPECT_PERTURBED_WEIGHTS_H_
