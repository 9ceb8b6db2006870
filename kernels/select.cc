// Select: out = condition ? a : b, all three broadcast. Moves stored values of any type unchanged
// (a, b and the output share type and quantization). The condition is bool: any byte that is not 0
// is true. Tasks are output elements.
#include <cstdint>
#include <string>

#include "kernels/elementwise.h"
#include "kernels/op.h"
#include "kernels/options.h"

namespace whit {

namespace {

struct SelectParams {
  Broadcast broadcast;
};

template <typename T>
void SelectSpan(const uint8_t* condition, int64_t stride_c, const T* a, int64_t stride_a,
                const T* b, int64_t stride_b, T* out, int64_t n) {
  if (stride_c == 0) {  // one side for the whole span
    const T* from = *condition != 0 ? a : b;
    const int64_t stride = *condition != 0 ? stride_a : stride_b;
    for (int64_t i = 0; i < n; ++i) out[i] = from[i * stride];
    return;
  }
  if (stride_a != 0 && stride_b != 0) {
    for (int64_t i = 0; i < n; ++i) {
      const T x = a[i], y = b[i];
      out[i] = condition[i] != 0 ? x : y;
    }
    return;
  }
  for (int64_t i = 0; i < n; ++i) {
    const T x = a[i * stride_a], y = b[i * stride_b];
    out[i] = condition[i] != 0 ? x : y;
  }
}

// T has the size of an element; what it means does not matter.
template <typename T>
KernelCode Run(const RunContext& ctx) {
  const auto& p = ctx.As<SelectParams>();
  const Broadcast& b = p.broadcast;
  ForEachSpan<3>(b, ctx.tasks, [&](int64_t at, int64_t n, const auto& base) {
    SelectSpan(ctx.in[0].as<uint8_t>() + base[0], b.inner_stride(0), ctx.in[1].as<T>() + base[1],
               b.inner_stride(1), ctx.in[2].as<T>() + base[2], b.inner_stride(2),
               ctx.out[0].mut<T>() + at, n);
  });
  return KernelCode::kOk;
}

}  // namespace

Status PrepareSelect(const PrepareContext& ctx, Prepared* out) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(3, 3));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("the condition", ctx.in[0].type, {DType::kBool}));
  WHIT_RETURN_IF_ERROR(ExpectSameElements(ctx, 1, 0));
  WHIT_RETURN_IF_ERROR(ExpectSameElements(ctx, 2, 0));
  SelectParams p;
  WHIT_ASSIGN_OR_RETURN(p.broadcast, MakeBroadcast(ctx, 3));
  switch (DTypeSize(ctx.out[0].type)) {
    case 1:
      out->run = &Run<uint8_t>;
      break;
    case 2:
      out->run = &Run<uint16_t>;
      break;
    case 4:
      out->run = &Run<uint32_t>;
      break;
    default:
      out->run = &Run<uint64_t>;
      break;
  }
  out->tasks = ctx.out[0].elements();
  out->macs = out->tasks;
  out->SetParams(p);
  return OkStatus();
}

const char* const kTypesSelect = "all";

}  // namespace whit
