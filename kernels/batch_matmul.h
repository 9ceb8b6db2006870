// BatchMatMul with an inner loop of the caller's choice; what it means is in batch_matmul.cc.
#ifndef WHIT_KERNELS_BATCH_MATMUL_H_
#define WHIT_KERNELS_BATCH_MATMUL_H_

#include "kernels/op.h"
#include "kernels/product.h"

namespace whit {

/// `wide` multiplies 8-bit operands; null: portable code.
Status PrepareBatchMatMulOn(const PrepareContext& ctx, WideProductFn wide, Prepared* prepared);

}  // namespace whit

#endif  // WHIT_KERNELS_BATCH_MATMUL_H_
