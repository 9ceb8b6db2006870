// The weight layouts of docs/layout.md as pure functions: packing and unpacking, the arrays derived
// from the weights, the runs of a convolution, and the folded bias. The importers pack with these,
// tests and tools unpack with them; sizes are in schema/layout_size.h. Not for kernels at run time:
// those read the packed bytes where they lie.
#ifndef WHIT_KERNELS_PACK_H_
#define WHIT_KERNELS_PACK_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/op.h"
#include "schema/layout_size.h"

namespace whit {

/// K of a matrix product as stretches of contiguous NHWC activations.
struct Runs {
  int64_t runs = 1;
  int64_t run_length = 0;
};

/// How the K of a convolution is cut into runs (docs/layout.md, 2): a kernel row is one run where
/// its taps are adjacent in memory (one group, no dilation along the row), else every tap is a run.
/// Importers and kernels both ask here.
Runs ConvRuns(int64_t kernel_h, int64_t kernel_w, int64_t cin_per_group, int64_t groups,
              int64_t dilation_w);

/// The numbers that sizes and offsets follow from (schema/layout_size.h).
WeightDims DimsOf(const PackedWeights& w);

/// A packed array with what is derived from it, owned. `shape` and `scale` are the caller's to
/// fill.
struct PackedArrays {
  PackedWeights::Layout layout = PackedWeights::Layout::kPanel16I8;
  int64_t groups = 1, n = 0, runs = 1, run_length = 0;
  Shape shape;
  std::vector<float> scale;
  int32_t zero_point = 0;
  std::vector<uint8_t> data;
  std::vector<int32_t> sums;
  std::vector<uint8_t> limits, pair_flags;

  /// The kernels' view; borrows from this object.
  PackedWeights View() const;
};

/// `ohwi` holds n rows of K = runs * run_length stored values, groups one after another. REQUIRES
/// that WeightDimsError finds nothing wrong and ohwi.size() == n * K.
PackedArrays PackPanel16I8(std::span<const int8_t> ohwi, int64_t n, int64_t groups, int64_t runs,
                           int64_t run_length);
PackedArrays PackPanel16F32(std::span<const float> ohwi, int64_t n, int64_t groups, int64_t runs,
                            int64_t run_length);
/// `hwc` holds `taps` rows of `channels` values (output channels). REQUIRES the same of hwc.
PackedArrays PackDw16I8(std::span<const int8_t> hwc, int64_t taps, int64_t channels);
PackedArrays PackDw16F32(std::span<const float> hwc, int64_t taps, int64_t channels);

/// Back to the logical order the Pack function took. REQUIRES a layout of the element type and a
/// validated size.
std::vector<int8_t> UnpackI8(const PackedWeights& w);
std::vector<float> UnpackF32(const PackedWeights& w);

/// Derived arrays from packed bytes alone, for the pack functions, `whit verify` and tests.
std::vector<int32_t> ComputeSums(const PackedWeights& w);
std::vector<uint8_t> ComputeLimits(const PackedWeights& w);     // panel16_i8 only
std::vector<uint8_t> ComputePairFlags(const PackedWeights& w);  // panel16_i8 only

/// b - zx * sum + k * zx * zw in two's complement, k the number of real taps (docs/arithmetic.md,
/// 3); zx canonical.
int32_t FoldBias(int32_t bias, int32_t sum_of_weights, int64_t k, int32_t input_zero_point,
                 int32_t weight_zero_point);

/// Whether K * 255 * A + max_abs_bias < 2^31, A = 128 for symmetric weights and 255 with a zero
/// point: then no accumulator of int8 activations overflows.
bool AccumulatorFits(int64_t k, int64_t max_abs_bias, bool has_zero_point);

}  // namespace whit

#endif  // WHIT_KERNELS_PACK_H_
