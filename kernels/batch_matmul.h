// BatchMatMul with an inner loop of the caller's choice; what it means is in batch_matmul.cc.
#ifndef WHIT_KERNELS_BATCH_MATMUL_H_
#define WHIT_KERNELS_BATCH_MATMUL_H_

#include <array>

#include "kernels/op.h"
#include "kernels/product.h"
#include "kernels/requantize.h"
#include "kernels/weighted.h"

namespace whit {

/// Parameters of the step as the reference fills them.
struct MatMul {
  int64_t m = 1, k = 1, n = 1, panels = 1;
  bool adj_x = false, adj_y = false;
  Shape batch;  // broadcast axes of the output
  std::array<int64_t, kMaxRank> x_stride{},
      y_stride{};  // elements a step along them, 0 where broadcast
  InputCode x_code, y_code;
  float multiplier = 1;
  Requant requant;
  float lo = 0, hi = 0;
  size_t panel_bytes = 0;  // scratch in front of the rows
  WideProductFn wide = nullptr;

  /// Elements from the first one of x and of y to those of matrix `matrix` of the output.
  struct Offsets {
    int64_t x = 0, y = 0;
  };
  Offsets At(int64_t matrix) const {
    Offsets at;
    for (int axis = batch.rank() - 1; axis >= 0; --axis) {
      const auto a = static_cast<size_t>(axis);
      at.x += matrix % batch[axis] * x_stride[a];
      at.y += matrix % batch[axis] * y_stride[a];
      matrix /= batch[axis];
    }
    return at;
  }
};

/// `wide` multiplies 8-bit operands; null: portable code.
Status PrepareBatchMatMulOn(const PrepareContext& ctx, WideProductFn wide, Prepared* prepared);

}  // namespace whit

#endif  // WHIT_KERNELS_BATCH_MATMUL_H_
