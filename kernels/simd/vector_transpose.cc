#include "kernels/simd/vector_transpose.h"

#include <algorithm>
#include <array>

#include "kernels/options.h"
#include "kernels/simd/vector_driver.h"
#include "kernels/strides.h"
#include "schema/layout_size.h"
#include "schema/model_generated.h"

namespace whit {
namespace {

// Bytes of a row of the input that one task takes: a cache line.
constexpr int64_t kTaskBytes = 64;

// Axes of the output, neighbours that are such in the input too merged; strides of the input in
// elements.
struct Axes {
  std::array<int64_t, kMaxRank> dims{}, strides{};
  size_t rank = 0;
};

Axes MergedAxes(const Shape& x, const fbs::TransposeOptions& options) {
  const auto source = RowMajorStrides(x);
  Axes axes;
  for (int a = 0; a < x.rank(); ++a) {
    const size_t from = options.perm()->Get(static_cast<flatbuffers::uoffset_t>(a));
    const int64_t dim = x[static_cast<int>(from)], stride = source[from];
    if (dim == 1) continue;
    if (axes.rank > 0 && axes.strides[axes.rank - 1] == stride * dim) {
      axes.dims[axes.rank - 1] *= dim;
      axes.strides[axes.rank - 1] = stride;
      continue;
    }
    axes.dims[axes.rank] = dim;
    axes.strides[axes.rank++] = stride;
  }
  return axes;
}

struct VectorTranspose {
  void (*run)(const simd::TransposeTiles&) = nullptr;
  simd::TransposeTiles tiles;  // all columns
  // The axes outside the two that are turned.
  std::array<int64_t, kMaxRank> dims{}, in_strides{}, out_strides{};
  size_t rank = 0;
  int64_t task_columns = 1, chunks = 1;
};

// A task is some columns of one matrix.
KernelCode RunTranspose(const RunContext& ctx) {
  const auto& p = ctx.As<VectorTranspose>();
  const int64_t bytes = p.tiles.element_bytes;
  for (int64_t task = ctx.tasks.begin; task < ctx.tasks.end; ++task) {
    const int64_t matrix = task / p.chunks, first = task % p.chunks * p.task_columns;
    const NdIndex in({p.dims.data(), p.rank}, {p.in_strides.data(), p.rank}, matrix);
    const NdIndex out({p.dims.data(), p.rank}, {p.out_strides.data(), p.rank}, matrix);
    simd::TransposeTiles tiles = p.tiles;
    tiles.in = ctx.in[0].as<uint8_t>() + (in.offset() + first) * bytes;
    tiles.out = ctx.out[0].mut<uint8_t>() + out.offset() * bytes + first * tiles.out_stride;
    tiles.columns = std::min(p.task_columns, tiles.columns - first);
    p.run(tiles);
  }
  return KernelCode::kOk;
}

// The last axis of the output are the rows, the last of the input the columns.
VectorTranspose TilesOf(const Axes& axes, size_t column_axis, int64_t element_bytes) {
  VectorTranspose v;
  const size_t last = axes.rank - 1;
  std::array<int64_t, kMaxRank> out_strides{};
  int64_t step = 1;
  for (size_t a = axes.rank; a-- > 0;) {
    out_strides[a] = step;
    step *= axes.dims[a];
  }
  v.tiles.rows = axes.dims[last], v.tiles.columns = axes.dims[column_axis];
  v.tiles.in_stride = axes.strides[last] * element_bytes;
  v.tiles.out_stride = out_strides[column_axis] * element_bytes;
  v.tiles.element_bytes = static_cast<int>(element_bytes);
  for (size_t a = 0; a < last; ++a) {
    if (a == column_axis) continue;
    v.dims[v.rank] = axes.dims[a];
    v.in_strides[v.rank] = axes.strides[a];
    v.out_strides[v.rank++] = out_strides[a];
  }
  v.task_columns = kTaskBytes / element_bytes;
  v.chunks = CeilDiv(v.tiles.columns, v.task_columns);
  return v;
}

}  // namespace

Status PrepareVectorTranspose(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                              std::string* why_not) {
  *accepted = false;
  Prepared reference;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, &reference));
  const simd::VectorKernels* kernels = VectorOf(ctx);
  if (kernels == nullptr) return Decline(why_not, "no SIMD tier");
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::TransposeOptions>(ctx));
  const auto bytes = static_cast<int64_t>(DTypeSize(ctx.in[0].type));
  if (bytes > 4) return Decline(why_not, "serves elements of 1, 2 and 4 bytes");
  const Axes axes = MergedAxes(ctx.in[0].shape, *options);
  if (reference.tasks == 0 || axes.rank < 2 || axes.strides[axes.rank - 1] == 1) {
    return Decline(why_not, "rows are copied whole already");
  }
  const auto* column = std::find(axes.strides.begin(), axes.strides.begin() + axes.rank, 1);
  const auto column_axis = static_cast<size_t>(column - axes.strides.begin());
  if (column_axis == axes.rank) return Decline(why_not, "no axis whose elements are neighbours");
  const VectorTranspose tiles = TilesOf(axes, column_axis, bytes);
  TakeOver(ctx, reference, static_cast<double>(bytes), prepared);
  prepared->tasks = tiles.chunks;
  for (size_t a = 0; a < tiles.rank; ++a) prepared->tasks *= tiles.dims[a];
  prepared->run = &RunTranspose;
  VectorTranspose v = tiles;
  v.run = kernels->transpose;
  prepared->SetParams(v);
  *accepted = true;
  return OkStatus();
}

}  // namespace whit
