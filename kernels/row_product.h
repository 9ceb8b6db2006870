// Convolution and fully connected as one thing: rows of activations gathered as the weights' runs
// say, times panels. A fully connected layer is a 1x1 convolution over rows.
#ifndef WHIT_KERNELS_ROW_PRODUCT_H_
#define WHIT_KERNELS_ROW_PRODUCT_H_

#include <cstdint>

#include "kernels/conv_geometry.h"
#include "kernels/product.h"
#include "kernels/weighted.h"
#include "schema/layout_size.h"

namespace whit {

/// Parameters of the step, borrowed addresses inside the mapping.
struct RowProduct {
  ConvGeometry g;
  WeightDims dims;
  const uint8_t* weights = nullptr;
  const int32_t* sums = nullptr;  // of the weights; derived arrays may be absent (floats)
  const uint8_t* limits = nullptr;
  const uint8_t* pair_flags = nullptr;
  InputCode in;
  ChannelOutput out;
  bool transposed = false;
  bool quantize_pixels = false;  // kHybrid: every row has its own quantization; else every image
  int64_t run_taps = 1;          // taps along the width that one run holds
  int64_t rows = 0;              // output pixels
  int64_t row_elems = 0;         // gathered elements of one row and group
  int64_t unit_rows = 1;         // rows gathered at once: the unit of tasks along the rows
  int64_t panel_tasks = 1;       // panels are tasks of their own, or all are one task
  size_t edge_bytes = 0;         // scratch in front of the gathered rows
  WideProductFn wide = nullptr;  // of a tier that takes the inner loop over; never for floats
  size_t landed_bytes = 0;  // transposed: scratch in front of that, which tap lands on which row
};

/// Completes `p` (g, in, out, transposed, quantize_pixels are set) from the weights and fills
/// *prepared: tiling, scratch, tasks, macs, run. Weights have passed CheckWeights.
Status PrepareRowProduct(const PrepareContext& ctx, const PackedWeights& weights, RowProduct p,
                         Prepared* prepared);

}  // namespace whit

#endif  // WHIT_KERNELS_ROW_PRODUCT_H_
