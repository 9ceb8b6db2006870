// The checksum channel of an integer depthwise convolution (docs/trust.md, Self-check): the sum of
// all accumulators of a task, known in two ways. The kernel adds up what it computed. Beforehand
// the input alone is summed, each element times the sum of the weights of all taps that will read
// it; which taps these are repeats from pixel to pixel, but for the borders. Both are exact modulo
// 2^32, so they are equal.
#ifndef WHIT_KERNELS_SIMD_DEPTHWISE_CHECK_H_
#define WHIT_KERNELS_SIMD_DEPTHWISE_CHECK_H_

#include <cstdint>
#include <vector>

#include "kernels/depthwise.h"
#include "kernels/simd/depthwise_tasks.h"
#include "kernels/simd/kernels.h"

namespace whit {

struct DepthwiseCheck {
  bool on = false;
  int64_t line_bytes = 0;  // of an input line

  /// Pixels of a line side by side: `repeats` runs of `bytes`, each of which meets the same table.
  struct Stretch {
    int64_t begin = 0, bytes = 0, repeats = 1;
    int64_t table_run = 0;  // bytes, rounded up to what row_dots takes at once
  };
  std::vector<Stretch> stretches;
  int64_t table_elems = 0;      // of all stretches
  std::vector<int16_t> tables;  // [classes of lines][table_elems], each as RowDots::table is

  /// Output lines of an image that are computed together.
  struct Task {
    int64_t first_line = 0;        // of the input
    std::vector<int32_t> classes;  // of the lines from there on; -1: no tap reads it
    uint32_t start = 0;            // what accumulators begin with, and padding
  };
  std::vector<Task> tasks;

  /// Of task `task` of an image whose first pixel is `image`.
  uint32_t Expected(const simd::Kernels& kernels, int64_t task, const uint8_t* image) const;
};

/// Reads the weights, so the caller has had them checked. Off where a kernel has more than 64 lines
/// or columns, or sums of weights do not fit 16 bits. REQUIRES kInt8, sums, and tasks of all
/// channels. `act_bias`: stored activations are canonical + act_bias.
DepthwiseCheck MakeDepthwiseCheck(const Depthwise& dw, const DepthwiseTasks& tasks,
                                  int32_t act_bias, int64_t chunk_bytes);

}  // namespace whit

#endif  // WHIT_KERNELS_SIMD_DEPTHWISE_CHECK_H_
