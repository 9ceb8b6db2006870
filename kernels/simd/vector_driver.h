// What the drivers of the vector family share.
#ifndef WHIT_KERNELS_SIMD_VECTOR_DRIVER_H_
#define WHIT_KERNELS_SIMD_VECTOR_DRIVER_H_

#include <string>
#include <utility>

#include "kernels/op.h"
#include "kernels/requantize.h"
#include "kernels/simd/kernels_vector.h"
#include "kernels/simd/tiers.h"

namespace whit {

/// The tier's table, or null.
inline const simd::VectorKernels* VectorOf(const PrepareContext& ctx) {
  return ctx.tier == nullptr ? nullptr : ctx.tier->vector;
}

/// Stored as these kernels want 8-bit tensors: the plan's bias is 128 where they are quantized.
inline bool IsStoredU8(const View& t) { return t.type == DType::kUint8 && t.quant.present(); }

inline simd::Store StoreOf(const Requant& r) { return {r.zero_point, r.lo, r.hi}; }

/// Takes over what the reference found out; the caller sets `run` and the parameters. `cost` is the
/// time of an element relative to a sum of two bytes on this tier.
inline void TakeOver(const PrepareContext& ctx, const Prepared& reference, double cost,
                     Prepared* prepared) {
  const simd::VectorKernels& kernels = *VectorOf(ctx);
  prepared->implementation = "vector";
  prepared->tier = kernels.tier;
  prepared->tasks = reference.tasks;
  prepared->macs = reference.macs;
  prepared->cost_ns = 20 + static_cast<double>(reference.macs) * cost / kernels.sums_per_ns;
  prepared->exact = reference.exact;
  prepared->in_place = reference.in_place;
  prepared->in_place_input = reference.in_place_input;
}

/// Refuses with a reason.
inline Status Decline(std::string* why_not, const char* why) {
  *why_not = why;
  return OkStatus();
}

}  // namespace whit

#endif  // WHIT_KERNELS_SIMD_VECTOR_DRIVER_H_
