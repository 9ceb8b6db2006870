// SpaceToBatchNd and BatchToSpaceNd trade spatial extent for batch, SpaceToDepth and DepthToSpace
// for channels.
#include <algorithm>
#include <cstring>

#include "kernels/copy_op.h"
#include "kernels/copy_short.h"
#include "kernels/options.h"

namespace whit {

const char* const kTypesSpaceToBatchNd = "any";
const char* const kTypesBatchToSpaceNd = "any";
const char* const kTypesSpaceToDepth = "any";
const char* const kTypesDepthToSpace = "any";

namespace {

// The *space* side has m padded (or cropped) spatial axes, the *batch* side prod(block) times the
// batch.
struct SpaceBatchParams {
  size_t m = 0;       // spatial axes
  int64_t batch = 0;  // of the space side
  std::array<int64_t, kMaxRank> block{}, before{}, space{},
      small{};             // small: spatial extents of the batch side
  size_t pixel_bytes = 0;  // everything behind the spatial axes
  std::array<uint8_t, 8> border{};
  size_t element_bytes = 1;
};

// Neighbouring pixels of the output along the last spatial axis, and the pixels of the input that
// they are: the first one (it may lie in the border) and what is between them.
struct PixelRun {
  int64_t count = 1;
  bool inside = true;  // of the other axes
  int64_t row = 0;     // pixel of the input at 0 of the last axis
  int64_t at = 0;      // of the first on the space side's last axis
};

// Pixels `at` and on of the batch side ([batch * prod(block), small...] row-major).
PixelRun SpaceRun(const SpaceBatchParams& params, int64_t at) {
  std::array<int64_t, kMaxRank> position{};
  PixelRun run;
  if (params.m > 0) run.count = params.small[params.m - 1] - at % params.small[params.m - 1];
  for (size_t a = params.m; a-- > 0;) {
    position[a] = at % params.small[a] * params.block[a] - params.before[a];
    at /= params.small[a];
  }
  int64_t phase = at / params.batch;
  for (size_t a = params.m; a-- > 0;) {
    position[a] += phase % params.block[a];
    phase /= params.block[a];
  }
  run.row = at % params.batch;
  for (size_t a = 0; a < params.m; ++a) {
    const bool last = a + 1 == params.m;
    run.inside = run.inside && (last || (position[a] >= 0 && position[a] < params.space[a]));
    run.row = run.row * params.space[a] + (last ? 0 : position[a]);
  }
  run.at = params.m > 0 ? position[params.m - 1] : 0;
  return run;
}

// Pixels `at` and on of the space side, as far as the last axis goes: `row` is the batch side's
// pixel of phase 0 and place 0 there.
PixelRun BatchRun(const SpaceBatchParams& params, int64_t at) {
  std::array<int64_t, kMaxRank> position{};
  PixelRun run;
  if (params.m > 0) run.count = params.space[params.m - 1] - at % params.space[params.m - 1];
  for (size_t a = params.m; a-- > 0;) {
    position[a] = at % params.space[a] + params.before[a];
    at /= params.space[a];
  }
  int64_t phase = 0;
  for (size_t a = 0; a < params.m; ++a) {
    const bool last = a + 1 == params.m;
    phase = phase * params.block[a] + (last ? 0 : position[a] % params.block[a]);
  }
  run.row = phase * params.batch + at;
  for (size_t a = 0; a < params.m; ++a) {
    const bool last = a + 1 == params.m;
    run.row = run.row * params.small[a] + (last ? 0 : position[a] / params.block[a]);
  }
  run.at = params.m > 0 ? position[params.m - 1] : 0;
  return run;
}

void FillBorder(const SpaceBatchParams& params, uint8_t* to) {
  for (size_t at = 0; at < params.pixel_bytes; at += params.element_bytes) {
    CopyShort(to + at, params.border.data(), params.element_bytes);
  }
}

// A task is one pixel of the output.
KernelCode RunToBatch(const RunContext& ctx) {
  const auto& params = ctx.As<SpaceBatchParams>();
  const size_t bytes = params.pixel_bytes;
  const auto* x = ctx.in[0].as<uint8_t>();
  uint8_t* to = ctx.out[0].mut<uint8_t>() + static_cast<size_t>(ctx.tasks.begin) * bytes;
  const int64_t step = params.m > 0 ? params.block[params.m - 1] : 1;
  const int64_t width = params.m > 0 ? params.space[params.m - 1] : 1;
  for (int64_t task = ctx.tasks.begin; task < ctx.tasks.end;) {
    const PixelRun run = SpaceRun(params, task);
    const int64_t count = std::min(run.count, ctx.tasks.end - task);
    for (int64_t i = 0; i < count; ++i, to += bytes) {
      const int64_t column = run.at + i * step;
      if (run.inside && column >= 0 && column < width) {
        CopyShort(to, x + static_cast<size_t>(run.row + column) * bytes, bytes);
      } else {
        FillBorder(params, to);
      }
    }
    task += count;
  }
  return KernelCode::kOk;
}

KernelCode RunToSpace(const RunContext& ctx) {
  const auto& params = ctx.As<SpaceBatchParams>();
  const size_t bytes = params.pixel_bytes;
  const auto* x = ctx.in[0].as<uint8_t>();
  uint8_t* to = ctx.out[0].mut<uint8_t>() + static_cast<size_t>(ctx.tasks.begin) * bytes;
  const int64_t block = params.m > 0 ? params.block[params.m - 1] : 1;
  int64_t phase_pixels = params.batch;  // from one phase of the last axis to the next
  for (size_t a = 0; a < params.m; ++a) phase_pixels *= params.small[a];
  for (int64_t task = ctx.tasks.begin; task < ctx.tasks.end;) {
    const PixelRun run = BatchRun(params, task);
    const int64_t count = std::min(run.count, ctx.tasks.end - task);
    int64_t phase = run.at % block, place = run.at / block;
    for (int64_t i = 0; i < count; ++i, to += bytes) {
      const int64_t from = run.row + phase * phase_pixels + place;
      CopyShort(to, x + static_cast<size_t>(from) * bytes, bytes);
      if (++phase == block) phase = 0, ++place;
    }
    task += count;
  }
  return KernelCode::kOk;
}

// Reads blocks and borders and checks that both shapes fit them.
Status ReadBlocks(const PrepareContext& ctx, const Shape& space, const Shape& batch,
                  SpaceBatchParams* params) {
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::BlockOptions>(ctx));
  const auto count = [](const auto* v) { return v == nullptr ? size_t{0} : size_t{v->size()}; };
  params->m = count(options->block());
  const auto m = static_cast<int>(params->m);
  bool fits = params->m < static_cast<size_t>(kMaxRank) && space.rank() > m &&
              space.rank() == batch.rank() && count(options->before()) == params->m &&
              count(options->after()) == params->m;
  int64_t phases = 1;
  for (int a = 0; fits && a < m; ++a) {
    const auto at = static_cast<flatbuffers::uoffset_t>(a);
    const int64_t block = options->block()->Get(at);
    params->block[at] = block;
    params->before[at] = options->before()->Get(at);
    params->space[at] = space[a + 1];
    params->small[at] = batch[a + 1];
    const int64_t whole = space[a + 1] + params->before[at] + options->after()->Get(at);
    fits = block > 0 && whole % block == 0 && whole / block == batch[a + 1];
    phases *= block;
    fits = fits && phases < (int64_t{1} << 31);
  }
  params->batch = space[0];
  fits = fits && phases * space[0] == batch[0];
  for (int a = m + 1; fits && a < space.rank(); ++a) fits = space[a] == batch[a];
  if (fits) return OkStatus();
  return ctx.Error(StatusCode::kInvalidModel, "blocks of " + std::to_string(m) +
                                                  " axes do not take " + space.ToString() + " to " +
                                                  batch.ToString());
}

template <bool kToBatch>
Status PrepareSpaceBatch(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_RETURN_IF_ERROR(ExpectSameElements(ctx, 0, 0));
  const Shape& space = kToBatch ? ctx.in[0].shape : ctx.out[0].shape;
  const Shape& batch = kToBatch ? ctx.out[0].shape : ctx.in[0].shape;
  SpaceBatchParams params;
  WHIT_RETURN_IF_ERROR(ReadBlocks(ctx, space, batch, &params));
  params.element_bytes = DTypeSize(ctx.in[0].type);
  const int first = static_cast<int>(params.m) + 1;
  params.pixel_bytes =
      static_cast<size_t>(space.Product(first, space.rank())) * params.element_bytes;
  const View& y = ctx.out[0];
  if (y.quant.present()) {  // the border holds the real value 0; little-endian, as every file
    WHIT_RETURN_IF_ERROR(ctx.ExpectPerTensorQuant("the output", y));
    const int64_t zero = y.quant.zero_point[0];
    std::memcpy(params.border.data(), &zero, params.element_bytes);
  }
  p->tasks = y.elements() == 0 ? 0 : y.shape.Product(0, first);
  p->macs = y.elements();
  p->run = kToBatch ? &RunToBatch : &RunToSpace;
  p->SetParams(params);
  return OkStatus();
}

// ---- depth: permutations of [N, H/b, b, W/b, b, C] and [N, H/b, W/b, b, b, C] ----

template <bool kToDepth>
Status PrepareDepth(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_RETURN_IF_ERROR(ExpectSameElements(ctx, 0, 0));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::BlockOptions>(ctx));
  const auto* block = options->block();
  const bool square = block != nullptr && block->size() == 2 && block->Get(0) == block->Get(1);
  const int64_t b = square ? block->Get(0) : 0;
  const Shape& deep = kToDepth ? ctx.out[0].shape : ctx.in[0].shape;
  const Shape& wide = kToDepth ? ctx.in[0].shape : ctx.out[0].shape;
  const bool fits = b > 0 && b < (1 << 16) && deep.rank() == 4 && wide.rank() == 4 &&
                    wide[0] == deep[0] && wide[1] == deep[1] * b && wide[2] == deep[2] * b &&
                    deep[3] == wide[3] * b * b;
  if (!fits) {
    return ctx.Error(StatusCode::kInvalidModel, "blocks of " + std::to_string(b) + " by " +
                                                    std::to_string(b) + " do not take " +
                                                    wide.ToString() + " to " + deep.ToString());
  }
  const int64_t n = deep[0], h = deep[1], w = deep[2], c = wide[3];
  // Axes in the order of the output, with the strides that they have in the input.
  const std::array<int64_t, 6> to_depth_dims = {n, h, w, b, b, c};
  const std::array<int64_t, 6> to_depth = {
      h * b * w * b * c, b * w * b * c, b * c, w * b * c, c, 1};
  const std::array<int64_t, 6> to_space_dims = {n, h, b, w, b, c};
  const std::array<int64_t, 6> to_space = {
      h * w * b * b * c, w * b * b * c, b * c, b * b * c, c, 1};
  SetStridedCopy(ctx, kToDepth ? to_depth_dims : to_space_dims, kToDepth ? to_depth : to_space, 0,
                 p);
  return OkStatus();
}

}  // namespace

Status PrepareSpaceToBatchNd(const PrepareContext& ctx, Prepared* p) {
  return PrepareSpaceBatch<true>(ctx, p);
}
Status PrepareBatchToSpaceNd(const PrepareContext& ctx, Prepared* p) {
  return PrepareSpaceBatch<false>(ctx, p);
}
Status PrepareSpaceToDepth(const PrepareContext& ctx, Prepared* p) {
  return PrepareDepth<true>(ctx, p);
}
Status PrepareDepthToSpace(const PrepareContext& ctx, Prepared* p) {
  return PrepareDepth<false>(ctx, p);
}

}  // namespace whit
