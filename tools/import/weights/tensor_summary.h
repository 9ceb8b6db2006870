// Simple figures of a tensor's elements.
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_TENSOR_SUMMARY_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_TENSOR_SUMMARY_H_

#include <cstdint>
#include <span>
#include <vector>

#include "tools/import/weights/weights.h"

namespace whit::tools {

/// Of all finite elements, as stored (scales are not applied). Sums run in double, pairwise by
/// blocks of 4096, so that they are exact to about 1e-13 of the sum of magnitudes.
struct TensorSummary {
  int64_t elements = 0, zeros = 0, not_finite = 0;
  double sum = 0, mean = 0, deviation = 0;  // deviation: of the population
  double min = 0, max = 0;                  // 0 where no element is finite
};

/// REQUIRES bytes.size() == entry.bytes().
TensorSummary Summarize(const TensorEntry& entry, std::span<const std::byte> bytes);

/// How two tensors of one shape differ, as real numbers: scale * (stored - zero point) where there
/// are scales.
struct TensorDifference {
  bool same_bytes = false;     // and type
  int64_t differing = 0;       // elements
  double largest = 0;          // of the absolute differences; infinite where only one is finite
  double relative = 0;         // largest over the largest magnitude of A
  double signal_to_noise = 0;  // dB; infinite where nothing differs
};
TensorDifference Compare(const TensorEntry& a, std::span<const std::byte> a_bytes,
                         const TensorEntry& b, std::span<const std::byte> b_bytes);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_TENSOR_SUMMARY_H_
