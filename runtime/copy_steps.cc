#include "runtime/copy_steps.h"

#include <algorithm>
#include <cstring>

namespace whit {

namespace {

// One task moves this many bytes: a page, enough to hide the cost of the call.
constexpr int64_t kBlock = 4096;

struct CopyParams {
  int64_t bytes;
};

template <typename Move>
KernelCode ForBlocks(const RunContext& ctx, Move move) {
  const int64_t begin = ctx.tasks.begin * kBlock;
  const int64_t end = std::min(ctx.As<CopyParams>().bytes, ctx.tasks.end * kBlock);
  if (begin < end)
    move(ctx.in[0].as<uint8_t>() + begin, ctx.out[0].mut<uint8_t>() + begin, end - begin);
  return KernelCode::kOk;
}

KernelCode RunCopy(const RunContext& ctx) {
  return ForBlocks(ctx, [](const uint8_t* from, uint8_t* to, int64_t n) {
    std::memcpy(to, from, static_cast<size_t>(n));
  });
}

KernelCode RunRebias(const RunContext& ctx) {
  return ForBlocks(ctx, [](const uint8_t* from, uint8_t* to, int64_t n) {
    for (int64_t i = 0; i < n; ++i) to[i] = from[i] ^ 0x80;
  });
}

Prepared PrepareBlocks(size_t bytes, KernelFn run) {
  Prepared p;
  const auto n = static_cast<int64_t>(bytes);
  p.SetParams(CopyParams{n});
  p.run = run;
  p.tasks = std::max<int64_t>(1, (n + kBlock - 1) / kBlock);
  p.macs = 0;
  return p;
}

}  // namespace

Prepared PrepareCopy(size_t bytes) { return PrepareBlocks(bytes, &RunCopy); }
Prepared PrepareRebias(size_t bytes) { return PrepareBlocks(bytes, &RunRebias); }

}  // namespace whit
