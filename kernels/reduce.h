// The loop of every reduction: which elements meet in which output, in which order. What is done
// with them is a type (see reduce.cc).
#ifndef WHIT_KERNELS_REDUCE_H_
#define WHIT_KERNELS_REDUCE_H_

#include <algorithm>

#include "kernels/rescale.h"
#include "kernels/strides.h"

namespace whit {

/// Axes of an input sorted into kept and reduced ones; neighbours of one kind are merged.
struct ReduceGeometry {
  std::array<int64_t, kMaxRank> kept{}, kept_stride{};  // outer ones, without the block's axis
  std::array<int64_t, kMaxRank> reduced{}, reduced_stride{};  // outer ones, without the run
  size_t kept_rank = 0, reduced_rank = 0;
  int64_t inner =
      1;  // elements of the innermost axis if it is kept: neighbours in memory and in the output
  int64_t run = 1;     // elements of the innermost axis if it is reduced
  int64_t steps = 1;   // product of `reduced`
  int64_t count = 1;   // elements met by one output
  int64_t blocks = 1;  // of `inner`
  int64_t tasks = 0;

  /// `mask`: bit a says that axis a is reduced.
  ReduceGeometry() = default;
  ReduceGeometry(const Shape& x, unsigned mask);
};

struct ReduceParams {
  ReduceGeometry geometry;
  Rescale rescale;  // quantized types
  float multiplier = 1;
};

/// Outputs reduced side by side.
inline constexpr int64_t kReduceBlock = 64;

/// R: T, Acc, Init(), Step(acc, x), Finish(acc, params). Elements reach Step in row-major order of
/// the reduced axes. A task is one block of at most kReduceBlock outputs that are neighbours along
/// a kept innermost axis.
template <typename R>
KernelCode RunReduce(const RunContext& ctx) {
  using T = typename R::T;
  const auto& params = ctx.As<ReduceParams>();
  const ReduceGeometry& g = params.geometry;
  typename R::Acc acc[kReduceBlock];
  for (int64_t task = ctx.tasks.begin; task < ctx.tasks.end; ++task) {
    const int64_t outer = task / g.blocks, first = task % g.blocks * kReduceBlock;
    const int64_t n = std::min(kReduceBlock, g.inner - first);
    std::fill_n(acc, n, R::Init());
    if (g.count != 0) {
      const NdIndex base({g.kept.data(), g.kept_rank}, {g.kept_stride.data(), g.kept_rank}, outer);
      NdIndex at({g.reduced.data(), g.reduced_rank}, {g.reduced_stride.data(), g.reduced_rank}, 0);
      for (int64_t step = 0; step < g.steps; ++step, at.Next()) {
        const T* x = ctx.in[0].as<T>() + base.offset() + at.offset() + first;
        if (g.run > 1) {  // n is 1
          for (int64_t i = 0; i < g.run; ++i) acc[0] = R::Step(acc[0], x[i]);
        } else {
          for (int64_t i = 0; i < n; ++i) acc[i] = R::Step(acc[i], x[i]);
        }
      }
    }
    T* out = ctx.out[0].mut<T>() + outer * g.inner + first;
    for (int64_t i = 0; i < n; ++i) out[i] = R::Finish(acc[i], params);
  }
  return KernelCode::kOk;
}

}  // namespace whit

#endif  // WHIT_KERNELS_REDUCE_H_
