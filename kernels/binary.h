// Operators of two operands as their references read them: the faster implementations, and an
// operator that takes an Add over, start from these.
#ifndef WHIT_KERNELS_BINARY_H_
#define WHIT_KERNELS_BINARY_H_

#include "kernels/elementwise.h"
#include "kernels/op.h"
#include "kernels/requantize.h"

namespace whit {

/// What Add, Sub, ... Pow hand to their kernels.
struct BinaryParams {
  Broadcast broadcast;
  // Plain types: the fused activation.
  float lo = 0, hi = 0;
  IntRange<int32_t> range32{};
  IntRange<int64_t> range64{};
  // Quantized: what the operands' values are multiplied by; Mul and Div use `multiplier_a` alone.
  OperandInfo a, b;
  float multiplier_a = 0, multiplier_b = 0;
  Requant requant;
};

struct PReluParams {
  Broadcast broadcast;
  OperandInfo x, alpha;
  float multiplier_positive = 0;  // s_x / s_y
  float multiplier_negative = 0;  // s_x * s_alpha / s_y
  Requant requant;
};

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
