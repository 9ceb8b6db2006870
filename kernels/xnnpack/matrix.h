// Convolutions and fully connected by XNNPACK.
#ifndef WHIT_KERNELS_XNNPACK_MATRIX_H_
#define WHIT_KERNELS_XNNPACK_MATRIX_H_

#include "kernels/xnnpack/node.h"

namespace whit {

/// A recipe for the node, which the reference has accepted and whose tensors are float32; null and
/// a reason where XNNPACK has no such thing (int8 weights).
std::shared_ptr<XnnRecipe> XnnConv(const PrepareContext& ctx, std::string* why_not);
std::shared_ptr<XnnRecipe> XnnDepthwiseConv(const PrepareContext& ctx, std::string* why_not);
std::shared_ptr<XnnRecipe> XnnFullyConnected(const PrepareContext& ctx, std::string* why_not);

}  // namespace whit

#endif  // WHIT_KERNELS_XNNPACK_MATRIX_H_
