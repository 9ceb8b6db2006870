#include "kernels/simd/vector_rows.h"

#include <algorithm>
#include <array>
#include <type_traits>

#include "kernels/arg.h"
#include "kernels/l2_normalization.h"
#include "kernels/simd/vector_driver.h"
#include "kernels/softmax.h"
#include "schema/layout_size.h"

namespace whit {
namespace {

struct VectorSoftmax {
  void (*run)(const simd::SoftmaxF32&) = nullptr;
  int64_t depth = 0;
  float beta = 1;
  bool turned = false;
};

KernelCode RunSoftmax(const RunContext& ctx) {
  const auto& p = ctx.As<VectorSoftmax>();
  const int64_t at = ctx.tasks.begin * p.depth;
  p.run({ctx.in[0].as<float>() + at, ctx.out[0].mut<float>() + at, ctx.tasks.end - ctx.tasks.begin,
         p.depth, p.beta, p.turned});
  return KernelCode::kOk;
}

struct VectorSoftmaxBytes {
  void (*run)(const simd::SoftmaxU8&) = nullptr;
  simd::SoftmaxU8 args;
  std::array<uint32_t, 256> table;
  std::array<float, 256> reals;
};

KernelCode RunSoftmaxBytes(const RunContext& ctx) {
  const auto& p = ctx.As<VectorSoftmaxBytes>();
  simd::SoftmaxU8 args = p.args;
  args.in = ctx.in[0].as<uint8_t>() + ctx.tasks.begin * args.depth;
  args.out = ctx.out[0].mut<uint8_t>() + ctx.tasks.begin * args.depth;
  args.rows = ctx.tasks.end - ctx.tasks.begin;
  args.table = p.table.data(), args.reals = p.reals.data();
  p.run(args);
  return KernelCode::kOk;
}

VectorSoftmaxBytes SoftmaxBytesOf(const PrepareContext& ctx, const SoftmaxParams& p) {
  VectorSoftmaxBytes v;
  v.run = VectorOf(ctx)->softmax_u8;
  v.args.depth = p.depth;
  v.args.inverse_scale = p.inverse_scale;
  v.args.store = StoreOf<uint8_t>(ctx, p.requant);
  for (size_t d = 0; d < 256; ++d) {
    v.table[d] = p.table[d];
    v.reals[d] = static_cast<float>(static_cast<int64_t>(p.table[d]));
  }
  return v;
}

template <typename Args>  // simd::L2NormU8 or simd::L2NormF32
struct VectorL2Norm {
  void (*run)(const Args&) = nullptr;
  Args args;
};

template <typename Args>
KernelCode RunL2Norm(const RunContext& ctx) {
  using T = std::remove_pointer_t<decltype(Args::out)>;
  const auto& p = ctx.As<VectorL2Norm<Args>>();
  Args args = p.args;
  args.in = ctx.in[0].as<T>() + ctx.tasks.begin * args.depth;
  args.out = ctx.out[0].mut<T>() + ctx.tasks.begin * args.depth;
  args.rows = ctx.tasks.end - ctx.tasks.begin;
  p.run(args);
  return KernelCode::kOk;
}

// Outputs of one call: their places are int64 on the stack before they get the output's type.
constexpr int64_t kArgColumns = 256;

struct VectorArg {
  void (*run)(const simd::ArgU8&) = nullptr;
  ArgParams axis;
  int64_t chunks = 1;  // of the outputs behind the axis
  bool smallest = false;
};

template <typename Index>
KernelCode RunArg(const RunContext& ctx) {
  const auto& p = ctx.As<VectorArg>();
  int64_t at[kArgColumns];
  for (int64_t task = ctx.tasks.begin; task < ctx.tasks.end; ++task) {
    const int64_t outer = task / p.chunks, first = task % p.chunks * kArgColumns;
    simd::ArgU8 args;
    args.x = ctx.in[0].as<uint8_t>() + outer * p.axis.n * p.axis.inner + first;
    args.count = p.axis.n, args.stride = p.axis.inner;
    args.n = std::min(kArgColumns, p.axis.inner - first);
    args.smallest = p.smallest;
    args.at = at;
    p.run(args);
    Index* out = ctx.out[0].mut<Index>() + outer * p.axis.inner + first;
    for (int64_t i = 0; i < args.n; ++i) out[i] = static_cast<Index>(at[i]);
  }
  return KernelCode::kOk;
}

}  // namespace

Status PrepareVectorSoftmax(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                            std::string* why_not) {
  *accepted = false;
  Prepared reference;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, &reference));
  const simd::VectorKernels* kernels = VectorOf(ctx);
  if (kernels == nullptr) return Decline(why_not, "no SIMD tier");
  const auto& p = *static_cast<const SoftmaxParams*>(reference.params.get());
  if (IsCodes(ctx, ctx.in[0]) && IsCodes(ctx, ctx.out[0])) {
    TakeOver(ctx, reference, 4, prepared);
    prepared->run = &RunSoftmaxBytes;
    prepared->SetParams(SoftmaxBytesOf(ctx, p));
    *accepted = true;
    return OkStatus();
  }
  if (ctx.in[0].type != DType::kFloat32) {
    return Decline(why_not, "serves float32 and 8-bit activations as the tier stores them");
  }
  TakeOver(ctx, reference, 6, prepared);
  prepared->run = &RunSoftmax;
  // By the number of all rows, so that no byte depends on how they are split.
  const bool turned = p.depth <= simd::kMostTurned && reference.tasks >= 8;
  prepared->SetParams(VectorSoftmax{kernels->softmax_f32, p.depth, p.beta, turned});
  *accepted = true;
  return OkStatus();
}

Status PrepareVectorL2Norm(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                           std::string* why_not) {
  *accepted = false;
  Prepared reference;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, &reference));
  const simd::VectorKernels* kernels = VectorOf(ctx);
  if (kernels == nullptr) return Decline(why_not, "no SIMD tier");
  const auto& p = *static_cast<const L2Params*>(reference.params.get());
  if (ctx.in[0].type == DType::kFloat32) {
    VectorL2Norm<simd::L2NormF32> v{kernels->l2_norm_f32, {}};
    v.args.depth = p.depth;
    v.args.smallest_norm = kSmallestNorm;
    v.args.lo = p.lo, v.args.hi = p.hi;
    TakeOver(ctx, reference, 2, prepared);
    prepared->run = &RunL2Norm<simd::L2NormF32>;
    prepared->SetParams(v);
  } else if (IsCodes(ctx, ctx.in[0]) && IsCodes(ctx, ctx.out[0])) {
    VectorL2Norm<simd::L2NormU8> v{kernels->l2_norm_u8, {}};
    v.args.depth = p.depth;
    v.args.zero_point = p.in.zero_point + 128;  // canonical
    v.args.inverse_scale = p.inverse_scale;
    v.args.store = StoreOf<uint8_t>(ctx, p.requant);
    TakeOver(ctx, reference, 1, prepared);
    prepared->run = &RunL2Norm<simd::L2NormU8>;
    prepared->SetParams(v);
  } else {
    return Decline(why_not, "serves float32 and 8-bit activations as the tier stores them");
  }
  *accepted = true;
  return OkStatus();
}

Status PrepareVectorArg(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                        std::string* why_not) {
  *accepted = false;
  Prepared reference;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, &reference));
  const simd::VectorKernels* kernels = VectorOf(ctx);
  if (kernels == nullptr) return Decline(why_not, "no SIMD tier");
  if (!IsStoredType(ctx, ctx.in[0])) {
    return Decline(why_not, "serves 8 bits as the tier stores them");
  }
  if (ctx.in[0].data != nullptr) {
    return Decline(why_not, "a constant input, which must not be over-read");
  }
  if (reference.tasks == 0) return Decline(why_not, "no outputs");
  const auto& p = *static_cast<const ArgParams*>(reference.params.get());
  const int64_t chunks = CeilDiv(p.inner, kArgColumns);
  TakeOver(ctx, reference, 0.4, prepared);
  prepared->tasks = reference.tasks / p.inner * chunks;
  prepared->run = ctx.out[0].type == DType::kInt32 ? &RunArg<int32_t> : &RunArg<int64_t>;
  prepared->SetParams(VectorArg{kernels->arg_u8, p, chunks, ctx.type == OpType::kArgMin});
  *accepted = true;
  return OkStatus();
}

}  // namespace whit
