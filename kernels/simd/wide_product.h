// The operators whose reference multiplies rows widened to int16 (kernels/product.h), with that
// inner loop replaced by a tier's: everything but it is the reference's own code.
#ifndef WHIT_KERNELS_SIMD_WIDE_PRODUCT_H_
#define WHIT_KERNELS_SIMD_WIDE_PRODUCT_H_

#include <string>

#include "kernels/op.h"

namespace whit {

/// Conv2D, FullyConnected and TransposeConv2D with int8 weights: what the panels of
/// simd/panel_conv.h do not serve (int16 and float activations, transposed convolutions).
Status PrepareWideProduct(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                          std::string* why_not);
Status PrepareWideBatchMatMul(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                              std::string* why_not);
Status PrepareWideLstm(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                       std::string* why_not);
Status PrepareWideSvdf(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                       std::string* why_not);

}  // namespace whit

#endif  // WHIT_KERNELS_SIMD_WIDE_PRODUCT_H_
