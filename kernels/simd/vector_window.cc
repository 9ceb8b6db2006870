#include "kernels/simd/vector_window.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/pool.h"
#include "kernels/reduce.h"
#include "kernels/resize.h"
#include "kernels/simd/vector_driver.h"
#include "schema/layout_size.h"

namespace whit {
namespace {

// Why a tensor whose last pixel is read beyond its end cannot come here.
const char* WhyNotReadBehind(const View& x) {
  return x.data != nullptr ? "a constant input, which must not be over-read" : nullptr;
}

// ---- pools ----

template <typename Args>  // simd::PoolU8 or simd::PoolF32
struct VectorPool {
  void (*run)(const Args&) = nullptr;
  Args args;
  PoolAxis h;
  int64_t image = 0;  // elements of x
};

// A task is one row of output pixels.
template <typename Args>
KernelCode RunPool(const RunContext& ctx) {
  using T = std::remove_pointer_t<decltype(Args::out)>;
  const auto& p = ctx.As<VectorPool<Args>>();
  Args args = p.args;
  const int64_t out_row = args.w.out * args.channels;
  for (int64_t task = ctx.tasks.begin; task < ctx.tasks.end; ++task) {
    const int64_t y = task % p.h.out, begin = p.h.Begin(y);
    args.x = ctx.in[0].as<T>() + task / p.h.out * p.image + begin * args.row_stride;
    args.rows = p.h.End(y) - begin;
    args.out = ctx.out[0].mut<T>() + task * out_row;
    p.run(args);
  }
  return KernelCode::kOk;
}

template <typename Args>
void FinishPool(const PrepareContext& ctx, const Prepared& reference, const PoolParams& p,
                Args args, void (*run)(const Args&), double cost, Prepared* prepared) {
  args.average = ctx.type == OpType::kAveragePool2D;
  args.channels = args.pixel_stride = p.channels;
  args.row_stride = p.w.in * p.channels;
  args.w = {p.w.in, p.w.out, p.w.filter, p.w.stride, p.w.pad};
  TakeOver(ctx, reference, cost, prepared);
  prepared->cost_ns += 2.0 * static_cast<double>(ctx.out[0].elements() / p.channels);
  prepared->run = &RunPool<Args>;
  prepared->SetParams(VectorPool<Args>{run, args, p.h, p.h.in * p.w.in * p.channels});
}

void SetRescale(const PrepareContext& ctx, const Rescale& rescale, simd::PoolU8* args) {
  args->in_zero = rescale.in_zero + CodeShift(ctx);
  args->ratio = rescale.ratio;
  args->store = StoreOf<uint8_t>(ctx, rescale.out);
}

// ---- reductions ----

// Columns of one task.
constexpr int64_t kTaskColumns = 512;

struct VectorReduce {
  const simd::VectorKernels* kernels = nullptr;
  ReduceGeometry geometry;
  int64_t chunks = 1;  // of columns
  simd::PoolU8 bytes;  // columns of bytes
  simd::PoolF32 pool;  // columns of floats: extremes
  double divisor = 1;  // columns and rows of floats: sums
  simd::RowKind kind = simd::RowKind::kSum;
  Rescale rescale;        // bytes
  int64_t code_zero = 0;  // rows of bytes: the zero point of their codes
  float multiplier = 1;
};

// A task is a chunk of neighbouring outputs: columns of count rows that lie a stride apart.
template <typename T, typename Run>
void ForColumns(const RunContext& ctx, const VectorReduce& p, const Run& run) {
  const ReduceGeometry& g = p.geometry;
  for (int64_t task = ctx.tasks.begin; task < ctx.tasks.end; ++task) {
    const int64_t outer = task / p.chunks, first = task % p.chunks * kTaskColumns;
    const NdIndex base({g.kept.data(), g.kept_rank}, {g.kept_stride.data(), g.kept_rank}, outer);
    run(ctx.in[0].as<T>() + base.offset() + first, ctx.out[0].mut<T>() + outer * g.inner + first,
        std::min(kTaskColumns, g.inner - first));
  }
}

KernelCode RunColumnsOfBytes(const RunContext& ctx) {
  const auto& p = ctx.As<VectorReduce>();
  simd::PoolU8 args = p.bytes;
  ForColumns<uint8_t>(ctx, p, [&](const uint8_t* x, uint8_t* out, int64_t n) {
    args.x = x, args.out = out, args.channels = n;
    p.kernels->pool_u8(args);
  });
  return KernelCode::kOk;
}

KernelCode RunColumnsOfFloats(const RunContext& ctx) {
  const auto& p = ctx.As<VectorReduce>();
  const ReduceGeometry& g = p.geometry;
  simd::PoolF32 args = p.pool;
  ForColumns<float>(ctx, p, [&](const float* x, float* out, int64_t n) {
    if (p.kind == simd::RowKind::kSum) {
      p.kernels->column_sums_f32({x, g.count, g.reduced_stride[0], n, p.divisor, out});
      return;
    }
    args.x = x, args.out = out, args.channels = n;
    p.kernels->pool_f32(args);
  });
  return KernelCode::kOk;
}

// A task is one output: a row of the innermost axis. The kept axes are merged to one.
KernelCode RunRowsOfFloats(const RunContext& ctx) {
  const auto& p = ctx.As<VectorReduce>();
  const int64_t begin = ctx.tasks.begin, stride = p.geometry.run;
  p.kernels->rows_f32({p.kind, ctx.in[0].as<float>() + begin * stride, stride,
                       ctx.tasks.end - begin, stride, p.divisor, ctx.out[0].mut<float>() + begin});
  return KernelCode::kOk;
}

KernelCode RunRowsOfBytes(const RunContext& ctx) {
  constexpr int64_t kMost = 128;  // rows of a call
  const auto& p = ctx.As<VectorReduce>();
  const int64_t n = p.geometry.run;
  const int64_t zero = p.code_zero * (p.kind == simd::RowKind::kSum ? n : 1);
  uint8_t* const out = ctx.out[0].mut<uint8_t>();
  int64_t results[kMost];
  for (int64_t task = ctx.tasks.begin; task < ctx.tasks.end; task += kMost) {
    const int64_t rows = std::min(kMost, ctx.tasks.end - task);
    p.kernels->rows_u8({p.kind, ctx.in[0].as<uint8_t>() + task * n, n, rows, n, results});
    for (int64_t i = 0; i < rows; ++i) {
      const int32_t y = RequantizeSum<uint8_t>(results[i] - zero, p.multiplier, p.rescale.out);
      out[task + i] = static_cast<uint8_t>(y);
    }
  }
  return KernelCode::kOk;
}

const char* WhyNotReduce(const PrepareContext& ctx, const ReduceGeometry& g) {
  const bool bytes = IsCodes(ctx, ctx.in[0]) && IsCodes(ctx, ctx.out[0]);
  if (!bytes && ctx.in[0].type != DType::kFloat32) {
    return "serves float32 and 8-bit activations as the tier stores them";
  }
  if (g.count == 0 || ctx.out[0].elements() == 0) return "no elements";
  if (g.reduced_rank != (g.run == 1 ? 1u : 0u)) return "reduced axes that do not lie together";
  if (g.run == 1 && g.count > (int64_t{1} << 23)) {
    return "more than 2^23 elements met by one output";
  }
  return g.run == 1 ? WhyNotReadBehind(ctx.in[0]) : nullptr;
}

simd::RowKind KindOf(OpType type) {
  if (type == OpType::kReduceMax) return simd::RowKind::kLargest;
  return type == OpType::kReduceMin ? simd::RowKind::kSmallest : simd::RowKind::kSum;
}

// The arguments of the columns' kernels.
void SetColumns(const PrepareContext& ctx, VectorReduce* v, bool mean) {
  const ReduceGeometry& g = v->geometry;
  const simd::PoolColumns whole = {g.count, 1, g.count, 1, 0};
  v->chunks = CeilDiv(g.inner, kTaskColumns);
  v->bytes.average = v->pool.average = v->kind == simd::RowKind::kSum;
  v->bytes.smallest = v->pool.smallest = v->kind == simd::RowKind::kSmallest;
  v->bytes.plain_sum = !mean;
  v->bytes.rows = v->pool.rows = 1;
  v->bytes.pixel_stride = v->pool.pixel_stride = g.reduced_stride[0];
  v->bytes.w = v->pool.w = whole;
  v->pool.lo = -INFINITY, v->pool.hi = INFINITY;
  SetRescale(ctx, v->rescale, &v->bytes);
}

// ---- bilinear resizing ----

template <typename Args>  // simd::ResizeU8 or simd::ResizeF32
struct VectorResize {
  void (*run)(const Args&) = nullptr;
  Args args;
  std::vector<simd::ResizeColumn> columns;
  std::vector<Tap> rows;
  int64_t image = 0, row = 0;  // elements of x
};

void SetRow(const Tap& y, simd::ResizeU8* args) { args->row_weight = y.fixed_weight; }
void SetRow(const Tap& y, simd::ResizeF32* args) { args->row_share = y.weight; }

// A task is one row of output pixels.
template <typename Args>
KernelCode RunResize(const RunContext& ctx) {
  using T = std::remove_pointer_t<decltype(Args::out)>;
  const auto& p = ctx.As<VectorResize<Args>>();
  Args args = p.args;
  args.columns = p.columns.data();
  const auto out_h = static_cast<int64_t>(p.rows.size());
  for (int64_t task = ctx.tasks.begin; task < ctx.tasks.end; ++task) {
    const Tap& y = p.rows[static_cast<size_t>(task % out_h)];
    const T* image = ctx.in[0].as<T>() + task / out_h * p.image;
    args.top = image + y.low * p.row;
    args.bottom = image + y.high * p.row;
    SetRow(y, &args);
    args.out = ctx.out[0].mut<T>() + task * args.out_w * args.channels;
    p.run(args);
  }
  return KernelCode::kOk;
}

template <typename Args>
void FinishResize(const PrepareContext& ctx, const Prepared& reference, const ResizeParams& p,
                  Args args, void (*run)(const Args&), double cost, Prepared* prepared) {
  VectorResize<Args> v;
  v.run = run;
  args.out_w = p.out_w, args.channels = p.channels;
  v.args = args;
  v.rows = p.rows;
  v.row = p.in_w * p.channels, v.image = p.in_h * v.row;
  for (const Tap& x : p.columns) {
    v.columns.push_back({x.low * p.channels, x.high * p.channels, x.fixed_weight, x.weight});
  }
  TakeOver(ctx, reference, cost, prepared);
  prepared->cost_ns += 2.0 * static_cast<double>(ctx.out[0].elements() / p.channels);
  prepared->run = &RunResize<Args>;
  prepared->SetParams(std::move(v));
}

bool AllSixteenths(const std::vector<Tap>& taps) {
  return std::all_of(taps.begin(), taps.end(),
                     [](const Tap& t) { return t.fixed_weight % 128 == 0; });
}

}  // namespace

Status PrepareVectorPool(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                         std::string* why_not) {
  *accepted = false;
  Prepared reference;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, &reference));
  const simd::VectorKernels* kernels = VectorOf(ctx);
  if (kernels == nullptr) return Decline(why_not, "no SIMD tier");
  if (const char* why = WhyNotReadBehind(ctx.in[0])) return Decline(why_not, why);
  if (reference.tasks == 0) return Decline(why_not, "no output pixels");
  const auto& p = *static_cast<const PoolParams*>(reference.params.get());
  if (ctx.in[0].type == DType::kFloat32) {
    simd::PoolF32 args;
    args.lo = p.clamp.lo, args.hi = p.clamp.hi;
    FinishPool(ctx, reference, p, args, kernels->pool_f32, 1, prepared);
  } else if (IsCodes(ctx, ctx.in[0]) && IsCodes(ctx, ctx.out[0])) {
    simd::PoolU8 args;
    SetRescale(ctx, p.rescale, &args);
    FinishPool(ctx, reference, p, args, kernels->pool_u8, 0.4, prepared);
  } else {
    return Decline(why_not, "serves float32 and 8-bit activations as the tier stores them");
  }
  *accepted = true;
  return OkStatus();
}

Status PrepareVectorReduce(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                           std::string* why_not) {
  *accepted = false;
  Prepared reference;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, &reference));
  if (VectorOf(ctx) == nullptr) return Decline(why_not, "no SIMD tier");
  const auto& p = *static_cast<const ReduceParams*>(reference.params.get());
  const ReduceGeometry& g = p.geometry;
  if (const char* why = WhyNotReduce(ctx, g)) return Decline(why_not, why);
  const bool mean = ctx.type == OpType::kMean, floats = ctx.in[0].type == DType::kFloat32;
  const bool columns = g.run == 1;
  VectorReduce v;
  v.kernels = VectorOf(ctx);
  v.geometry = g;
  v.kind = KindOf(ctx.type);
  v.divisor = mean ? static_cast<double>(g.count) : 1.0;
  v.rescale = p.rescale, v.multiplier = p.multiplier;
  v.code_zero = p.rescale.in_zero + CodeShift(ctx);
  if (columns) SetColumns(ctx, &v, mean);
  TakeOver(ctx, reference, floats ? 2 : 0.4, prepared);
  if (columns) {
    prepared->tasks = reference.tasks / g.blocks * v.chunks;
    prepared->run = floats ? &RunColumnsOfFloats : &RunColumnsOfBytes;
  } else {
    prepared->run = floats ? &RunRowsOfFloats : &RunRowsOfBytes;
    prepared->cost_ns += 10.0 * static_cast<double>(reference.tasks);
  }
  prepared->SetParams(v);
  *accepted = true;
  return OkStatus();
}

Status PrepareVectorResize(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                           std::string* why_not) {
  *accepted = false;
  Prepared reference;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, &reference));
  const simd::VectorKernels* kernels = VectorOf(ctx);
  if (kernels == nullptr) return Decline(why_not, "no SIMD tier");
  if (const char* why = WhyNotReadBehind(ctx.in[0])) return Decline(why_not, why);
  if (reference.tasks == 0) return Decline(why_not, "no output pixels");
  const auto& p = *static_cast<const ResizeParams*>(reference.params.get());
  if (ctx.in[0].type == DType::kFloat32) {
    FinishResize(ctx, reference, p, simd::ResizeF32{}, kernels->resize_f32, 0.6, prepared);
  } else if (IsStoredType(ctx, ctx.in[0])) {
    simd::ResizeU8 args;
    args.sixteenths = AllSixteenths(p.rows) && AllSixteenths(p.columns);
    FinishResize(ctx, reference, p, args, kernels->resize_u8, args.sixteenths ? 0.1 : 0.3,
                 prepared);
  } else {
    return Decline(why_not, "serves float32 and 8 bits as the tier stores them");
  }
  *accepted = true;
  return OkStatus();
}

}  // namespace whit
