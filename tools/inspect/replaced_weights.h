// A .whit with other numbers in one of its packed weights.
#ifndef WHIT_TOOLS_INSPECT_REPLACED_WEIGHTS_H_
#define WHIT_TOOLS_INSPECT_REPLACED_WEIGHTS_H_

#include <cstddef>
#include <span>
#include <vector>

#include "schema/reader.h"

namespace whit::tools {

/// Whether ReplaceWeights can be had of record `i`. Of int8 weights that recurrent layers might use
/// it cannot: their biases are folded in ways of their own.
bool CanReplaceWeights(const ModelFile& file, size_t i);

/// The file with `elements` (row-major, as many bytes as WeightFile::Read has) in record `i`, the
/// arrays that follow from them, and the biases that its sums are folded into; without hashes and
/// signatures. kUnsupported where two blobs of the file are equal. REQUIRES CanReplaceWeights.
Result<std::vector<std::byte>> ReplaceWeights(const ModelFile& file, size_t i,
                                              std::span<const std::byte> elements);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_INSPECT_REPLACED_WEIGHTS_H_
