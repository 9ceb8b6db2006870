// A quantized Add as another operator's implementation sees it when it takes the Add over.
#ifndef WHIT_KERNELS_BINARY_H_
#define WHIT_KERNELS_BINARY_H_

#include "kernels/op.h"
#include "kernels/requantize.h"

namespace whit {

/// out = store((f32(a - za) * multiplier[0]) + (f32(b - zb) * multiplier[1])); zero points are
/// canonical, the requantization is in stored units (docs/arithmetic.md, Two operands).
struct QuantizedAdd {
  float multiplier[2] = {0, 0};
  int32_t zero_point[2] = {0, 0};
  Requant requant;
};

/// Of an Add whose reference prepare has accepted `ctx` and whose tensors are quantized to 8 bits.
Result<QuantizedAdd> ReadQuantizedAdd(const PrepareContext& ctx);

}  // namespace whit

#endif  // WHIT_KERNELS_BINARY_H_
