#include "kernels/copy_op.h"

namespace whit {

namespace {

struct CopyParams {
  StridedCopy copy;
  int64_t base_bytes = 0;
};

KernelCode RunCopy(const RunContext& ctx) {
  const auto& params = ctx.As<CopyParams>();
  params.copy.Run(ctx.in[0].as<uint8_t>() + params.base_bytes, ctx.out[0].mut<uint8_t>(),
                  ctx.tasks.begin, ctx.tasks.end);
  return KernelCode::kOk;
}

}  // namespace

void SetStridedCopy(const PrepareContext& ctx, std::span<const int64_t> dims,
                    std::span<const int64_t> strides, int64_t base, Prepared* p) {
  const size_t bytes = DTypeSize(ctx.out[0].type);
  CopyParams params{StridedCopy(dims, strides, bytes), base * static_cast<int64_t>(bytes)};
  p->tasks = params.copy.rows();
  p->macs = ctx.out[0].elements();
  p->run = &RunCopy;
  p->SetParams(params);
}

void SetPlainCopy(const PrepareContext& ctx, Prepared* p) {
  const int64_t count = ctx.out[0].elements();
  const int64_t stride = 1;
  SetStridedCopy(ctx, {&count, 1}, {&stride, 1}, 0, p);
}

}  // namespace whit
