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

/// Has the type in which the tier stores 8-bit activations. Needs a tier.
inline bool IsStoredType(const PrepareContext& ctx, const View& t) {
  return t.type == simd::StoredType(*ctx.tier);
}

/// An 8-bit activation as these kernels want it, which count its codes from 0.
inline bool IsCodes(const PrepareContext& ctx, const View& t) {
  return IsStoredType(ctx, t) && t.quant.present();
}

/// What makes zero points of 8-bit codes out of those of stored units: int8 is 128 less.
inline int32_t CodeShift(const PrepareContext& ctx) { return 128 - ctx.act_bias; }

/// Of elements of type T.
template <typename T>
simd::Store StoreOf(const PrepareContext& ctx, const Requant& r) {
  return {r.zero_point + (sizeof(T) == 1 ? CodeShift(ctx) : 0), r.lo, r.hi};
}

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
