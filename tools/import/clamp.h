// Clamps: fused activations, in the stored units of an output.
#ifndef WHIT_TOOLS_IMPORT_CLAMP_H_
#define WHIT_TOOLS_IMPORT_CLAMP_H_

#include <limits>

#include "tools/import/state.h"

namespace whit::tools {

/// A clamp in stored units of an output.
struct Clamp {
  float lo = -std::numeric_limits<float>::infinity();
  float hi = std::numeric_limits<float>::infinity();
};

/// The real interval [lo, hi] in stored units of `t`.
Clamp StoredClamp(const GraphTensor& t, float lo, float hi);

/// Lets the producer of `in` clamp to the real interval [lo, hi] and write `out` itself: exact
/// where both tensors have one quantization. False, and nothing done, where it cannot. REQUIRES
/// that nobody else reads `in`.
bool FuseClamp(ImportState& state, int in, int out, float lo, float hi);

/// The same of a clamp in stored units.
bool FuseStoredClamp(ImportState& state, int in, int out, const Clamp& clamp);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_CLAMP_H_
