// Semantic validation: what the FlatBuffers verifier cannot know. After it, code relies on every
// rule and checks none again.
#ifndef WHIT_SCHEMA_VALIDATE_H_
#define WHIT_SCHEMA_VALIDATE_H_

#include <cstdint>

#include "platform/status.h"
#include "schema/model_generated.h"
#include "schema/reader.h"
#include "schema/trust_generated.h"

namespace whit {

/// Checks a graph that passed the FlatBuffers verifier. `graph_bytes` is the size of its buffer
/// (bounds the work), `weights_bytes` that of the weights section (bounds the blobs). O(n log n) in
/// the size of the graph. The rules are listed in schema/README.md; messages name the thing, the
/// rule and both numbers.
Status ValidateModel(const fbs::Model& model, uint64_t graph_bytes, uint64_t weights_bytes,
                     const ReadLimits& limits);

/// Checks the shape of a verified trust section, not its truth. `model` was validated before.
/// `covered_bytes`: bytes of the file before the section.
Status ValidateTrust(const fbs::Trust& trust, const fbs::Model& model, uint64_t covered_bytes,
                     uint64_t weights_bytes);

}  // namespace whit

#endif  // WHIT_SCHEMA_VALIDATE_H_
