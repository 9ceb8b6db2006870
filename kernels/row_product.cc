#include "kernels/row_product.h"

#include <algorithm>
#include <cstring>

#include "kernels/hybrid.h"
#include "kernels/pack.h"
#include "kernels/product.h"

namespace whit {
namespace {

/// Rows of one block stay in L1 (32 KB on the smallest targets) while the panels stream past.
constexpr int64_t kBlockBytes = 24 * 1024;
constexpr int64_t kMaxBlockRows = 64;

// What differs between the kinds of arithmetic: Src as stored, A as gathered, Acc, how a run is
// converted and one panel added. `Begin` is called with the image before its first row.
struct Int8Rows {
  using Src = uint8_t;
  using A = int16_t;
  using Acc = int32_t;
  explicit Int8Rows(const RowProduct& p)
      : flip(p.in.flip),
        pad(p.in.stored_zero_point()),
        // The bias of a transposed convolution is not folded.
        minus(static_cast<int16_t>(p.transposed ? p.in.zero_point : 0)) {}
  void Begin(const Src*, int64_t) {}
  float row_scale() const { return 1; }
  A* Convert(const Src* run, int64_t length, A* dst) {
    WidenI8(run, length, flip, minus, dst);
    return dst + WidenedLength(length);
  }
  /// `elems` gathered elements of `count` rows from `a` times as much of a panel.
  static void Add(const RowProduct& p, const A* a, int64_t count, const uint8_t* panel,
                  int64_t width, int64_t elems, Acc (*acc)[16]) {
    AddPanelI8(p.wide, a, p.row_elems, count, reinterpret_cast<const int8_t*>(panel), width,
               elems / 4, acc);
  }
  uint8_t flip;
  Src pad;
  int16_t minus;
};

struct Int16Rows {
  using Src = int16_t;
  using A = int16_t;
  using Acc = int64_t;
  explicit Int16Rows(const RowProduct&) {}
  void Begin(const Src*, int64_t) {}
  float row_scale() const { return 1; }
  A* Convert(const Src* run, int64_t length, A* dst) {
    WidenI16(run, length, dst);
    return dst + WidenedLength(length);
  }
  static void Add(const RowProduct& p, const A* a, int64_t count, const uint8_t* panel,
                  int64_t width, int64_t elems, Acc (*acc)[16]) {
    AddPanelI16(p.wide, a, p.row_elems, count, reinterpret_cast<const int8_t*>(panel), width,
                elems / 4, acc);
  }
  Src pad = 0;
};

struct FloatRows {
  using Src = float;
  using A = float;
  using Acc = float;
  explicit FloatRows(const RowProduct&) {}
  void Begin(const Src*, int64_t) {}
  float row_scale() const { return 1; }
  A* Convert(const Src* run, int64_t length, A* dst) { return std::copy_n(run, length, dst); }
  static void Add(const RowProduct& p, const A* a, int64_t count, const uint8_t* panel, int64_t,
                  int64_t elems, Acc (*acc)[16]) {
    AddPanelF32(a, p.row_elems, count, reinterpret_cast<const float*>(panel), elems, acc);
  }
  Src pad = 0;
};

struct HybridRows {
  using Src = float;
  using A = int16_t;
  using Acc = int32_t;
  explicit HybridRows(const RowProduct& p) : pixels(p.quantize_pixels) {}
  void Begin(const Src* image, int64_t count) {
    if (!pixels) quant = QuantOf(image, count);
  }
  float row_scale() const { return quant.scale; }
  A* Convert(const Src* run, int64_t length, A* dst) {
    if (pixels) quant = QuantOf(run, length);  // a pixel is one run
    WidenQuantized(run, length, quant, dst);
    return dst + WidenedLength(length);
  }
  static void Add(const RowProduct& p, const A* a, int64_t count, const uint8_t* panel,
                  int64_t width, int64_t elems, Acc (*acc)[16]) {
    Int8Rows::Add(p, a, count, panel, width, elems, acc);
  }
  bool pixels;
  DynamicQuant quant;
  Src pad = 0;
};

struct RowInfo {
  float scale = 1;
  int64_t sum = 0;    // of the gathered activations
  int64_t pixel = 0;  // of the output
};

/// Column of the j-th output pixel of a row: all columns of one residue modulo the stride follow
/// each other, because the same taps land on them.
int64_t ColumnByPhase(int64_t j, int64_t width, int64_t stride) {
  const int64_t base = width / stride, longer = width % stride;  // this many phases have one more
  const int64_t in_longer = longer * (base + 1);
  if (j < in_longer) return j % (base + 1) * stride + j / (base + 1);
  j -= in_longer;
  return j % base * stride + longer + j / base;
}

template <typename Kind>
class Worker {
 public:
  using Src = typename Kind::Src;
  using A = typename Kind::A;
  using Acc = typename Kind::Acc;

  explicit Worker(const RunContext& ctx)
      : p_(ctx.As<RowProduct>()),
        kind_(p_),
        x_(ctx.in[0].template as<Src>()),
        y_(ctx.out[0].template mut<uint8_t>()),
        landed_(ctx.scratch),
        edge_(reinterpret_cast<Src*>(ctx.scratch + p_.landed_bytes)),
        block_(reinterpret_cast<A*>(ctx.scratch + p_.landed_bytes + p_.edge_bytes)) {}

  /// Task t is panel t % panel_tasks of unit t / panel_tasks.
  void Run(TaskRange tasks) {
    const int64_t all_panels = p_.dims.panels();
    for (int64_t t = tasks.begin; t < tasks.end;) {
      const int64_t unit = t / p_.panel_tasks, first = t % p_.panel_tasks;
      const int64_t last = std::min(p_.panel_tasks, first + tasks.end - t);
      row0_ = unit * p_.unit_rows;
      rows_ = std::min(p_.unit_rows, p_.rows - row0_);
      if (p_.panel_tasks == 1) {
        RunPanels(0, all_panels);
      } else {
        RunPanels(first, last);
      }
      t += last - first;
    }
  }

 private:
  /// Panels [begin, end), counted over all groups, of the current unit.
  void RunPanels(int64_t begin, int64_t end) {
    const int64_t per_group = p_.dims.group_panels();
    while (begin < end) {
      const int64_t group = begin / per_group;
      const int64_t stop = std::min(end, (group + 1) * per_group);
      for (int64_t r = 0; r < rows_; ++r) {
        if (p_.transposed) {
          GatherLanding(r);
        } else {
          GatherRow(r, group);
        }
      }
      for (; begin < stop; ++begin) RunPanel(group, begin % per_group);
    }
  }

  void RunPanel(int64_t group, int64_t q) {
    const WeightDims& d = p_.dims;
    const int64_t width = d.panel_width(q), count = std::min<int64_t>(16, d.group_n() - 16 * q);
    const int64_t n = group * d.group_n() + 16 * q;
    const int64_t panel_bytes = 64 * (p_.out.kind == ProductKind::kFloat ? d.k() : d.steps());
    const uint8_t* panel = p_.weights + group * GroupBytes(d) + panel_bytes * q;
    Acc start[16];
    StartChannels(p_.out, n, count, start);
    Acc acc[kMaxBlockRows][16];
    for (int64_t r = 0; r < rows_; ++r) {
      std::copy_n(start, 16, acc[r]);
      if (p_.out.weight_zero_point != 0) SubtractRowSum(p_.out, info_[r].sum, acc[r]);
    }
    if (p_.transposed) {
      AddLanded(panel, width, acc);
    } else {
      Kind::Add(p_, block_, rows_, panel, width, p_.row_elems, acc);
    }
    for (int64_t r = 0; r < rows_; ++r) {
      const RowInfo& row = info_[r];
      const int64_t at = (row.pixel * d.n + n) * static_cast<int64_t>(p_.out.element_bytes);
      FinishChannels(p_.out, n, count, row.scale, acc[r], y_ + at);
    }
  }

  /// Tap by tap, stretch by stretch of neighbouring rows on which it lands. What a row adds, and in
  /// which order, does not depend on its neighbours.
  void AddLanded(const uint8_t* panel, int64_t width, Acc (*acc)[16]) {
    const int64_t runs = p_.dims.runs, elems = p_.row_elems / runs;
    const int64_t panel_run_bytes = width * elems * (p_.out.kind == ProductKind::kFloat ? 4 : 1);
    for (int64_t run = 0; run < runs; ++run, panel += panel_run_bytes) {
      const uint8_t* landed = landed_ + run;
      for (int64_t r = 0; r < rows_;) {
        int64_t end = r;
        while (end < rows_ && landed[end * runs] != 0) ++end;
        if (end > r) {
          const A* a = block_ + r * p_.row_elems + run * elems;
          Kind::Add(p_, a, end - r, panel, width, elems, acc + r);
        }
        r = end + 1;
      }
    }
  }

  void BeginImage(int64_t image) {
    const int64_t elems = p_.g.in_h * p_.g.in_w * p_.g.in_c;
    if (image != image_) kind_.Begin(x_ + image * elems, elems);
    image_ = image;
  }

  void FinishRow(int64_t r, int64_t sum) {
    info_[r].scale = kind_.row_scale();
    info_[r].sum = sum;
  }

  int64_t SumOf(const A* begin, const A* end) const {
    int64_t sum = 0;
    if (p_.out.weight_zero_point == 0) return sum;  // nobody asks
    for (const A* a = begin; a < end; ++a) sum += static_cast<int64_t>(*a);
    return sum;
  }

  /// Row r of the unit: the runs of one output pixel and group, converted, one behind the other.
  void GatherRow(int64_t r, int64_t group) {
    const ConvGeometry& g = p_.g;
    const int64_t row = row0_ + r;
    const int64_t ox = row % g.out_w, oy = row / g.out_w % g.out_h, image = row / g.out_w / g.out_h;
    BeginImage(image);
    const int64_t cin = g.in_c / p_.dims.groups, runs_per_row = g.kernel_w / p_.run_taps;
    A* const begin = block_ + r * p_.row_elems;
    A* dst = begin;
    for (int64_t run = 0; run < p_.dims.runs; ++run) {
      const int64_t iy = oy * g.stride_h - g.pad_top + run / runs_per_row * g.dilation_h;
      const int64_t ix = ox * g.stride_w - g.pad_left + run % runs_per_row * g.dilation_w;
      dst = kind_.Convert(RunAt(image, iy, ix, group * cin, cin), p_.dims.run_length, dst);
    }
    info_[r].pixel = row;
    FinishRow(r, SumOf(begin, dst));
  }

  /// The same of a transposed convolution: the input pixels whose taps land on one output pixel;
  /// the others stay unread.
  void GatherLanding(int64_t r) {
    const ConvGeometry& g = p_.g;
    const int64_t row = row0_ + r;
    const int64_t line = row / g.out_w, oy = line % g.out_h, image = line / g.out_h;
    const int64_t ox = ColumnByPhase(row % g.out_w, g.out_w, g.stride_w);
    BeginImage(image);
    const int64_t elems = p_.row_elems / p_.dims.runs;
    // Input line or column that tap `tap` brings to `at`, or -1.
    const auto from = [](int64_t at, int64_t tap, int64_t stride, int64_t size) -> int64_t {
      const auto way = static_cast<int32_t>(at - tap), step = static_cast<int32_t>(stride);
      return way < 0 || way % step != 0 || way / step >= size ? -1 : way / step;
    };
    int64_t sum = 0;
    uint8_t* landed = landed_ + r * p_.dims.runs;
    A* to = block_ + r * p_.row_elems;
    for (int64_t ky = 0; ky < g.kernel_h; ++ky) {
      const int64_t y = from(oy + g.pad_top, ky, g.stride_h, g.in_h);
      for (int64_t kx = 0; kx < g.kernel_w; ++kx, ++landed, to += elems) {
        const int64_t x = y < 0 ? -1 : from(ox + g.pad_left, kx, g.stride_w, g.in_w);
        *landed = x >= 0;
        if (x < 0) continue;
        sum += SumOf(to, kind_.Convert(RunAt(image, y, x, 0, g.in_c), p_.dims.run_length, to));
      }
    }
    info_[r].pixel = line * g.out_w + ox;
    FinishRow(r, sum);
  }

  /// The run whose first tap reads (iy, ix): in place where it lies inside the image, else with
  /// padding in `edge_`.
  const Src* RunAt(int64_t image, int64_t iy, int64_t ix, int64_t channel, int64_t cin) {
    const ConvGeometry& g = p_.g;
    const bool row_inside = iy >= 0 && iy < g.in_h;
    const auto at = [&](int64_t column) {
      return x_ + ((image * g.in_h + iy) * g.in_w + column) * g.in_c + channel;
    };
    if (row_inside && ix >= 0 && ix + p_.run_taps <= g.in_w) return at(ix);
    std::fill_n(edge_, p_.dims.run_length, kind_.pad);
    const int64_t first = std::max<int64_t>(0, -ix), last = std::min(p_.run_taps, g.in_w - ix);
    if (row_inside && first < last) {
      std::copy_n(at(ix + first), (last - first) * cin, edge_ + first * cin);
    }
    return edge_;
  }

  const RowProduct& p_;
  Kind kind_;
  const Src* x_;
  uint8_t* y_;
  uint8_t* landed_;  // [unit rows][runs]
  Src* edge_;
  A* block_;
  int64_t image_ = -1;
  int64_t row0_ = 0, rows_ = 0;
  RowInfo info_[kMaxBlockRows];
};

template <typename Kind>
KernelCode Run(const RunContext& ctx) {
  Worker<Kind>(ctx).Run(ctx.tasks);
  return KernelCode::kOk;
}

KernelFn RunOf(ProductKind kind) {
  switch (kind) {
    case ProductKind::kInt8:
      return &Run<Int8Rows>;
    case ProductKind::kInt16:
      return &Run<Int16Rows>;
    case ProductKind::kFloat:
      return &Run<FloatRows>;
    case ProductKind::kHybrid:
      return &Run<HybridRows>;
  }
  return nullptr;
}

}  // namespace

Status PrepareRowProduct(const PrepareContext& ctx, const PackedWeights& weights, RowProduct p,
                         Prepared* prepared) {
  const ProductKind kind = p.out.kind;
  p.dims = DimsOf(weights);
  p.weights = static_cast<const uint8_t*>(weights.data);
  p.sums = weights.sums, p.limits = weights.limits;
  p.pair_flags = weights.pair_flags;
  // One run a kernel row, or one a tap (docs/layout.md, 2); the caller has checked that it is one
  // of the two.
  p.run_taps = p.dims.runs == p.g.kernel_h * p.g.kernel_w ? 1 : p.g.kernel_w;
  p.rows = p.g.out_pixels();
  p.row_elems = kind == ProductKind::kFloat ? p.dims.k() : p.dims.steps() * kStepK;

  const auto elem =
      static_cast<int64_t>(kind == ProductKind::kFloat ? sizeof(float) : sizeof(int16_t));
  const int64_t fits = std::clamp<int64_t>(kBlockBytes / (p.row_elems * elem), 4, kMaxBlockRows);
  // Enough units for every thread twice; where the rows do not give that, panels are tasks too.
  const int64_t threads = std::max(1, ctx.max_threads);
  p.unit_rows = std::clamp<int64_t>(CeilDiv(p.rows, 2 * threads), 2, fits);
  const int64_t units = CeilDiv(p.rows, p.unit_rows);
  p.panel_tasks = units < 2 * threads ? p.dims.panels() : 1;

  const size_t src_bytes = DTypeSize(ctx.in[0].type);
  p.edge_bytes =
      static_cast<size_t>(RoundUp64(p.dims.run_length * static_cast<int64_t>(src_bytes)));
  if (p.transposed) p.landed_bytes = static_cast<size_t>(RoundUp64(p.unit_rows * p.dims.runs));
  prepared->scratch_per_thread = p.landed_bytes + p.edge_bytes +
                                 static_cast<size_t>(RoundUp64(p.unit_rows * p.row_elems * elem));
  prepared->tasks = units * p.panel_tasks;
  prepared->macs = SaturatingProduct(p.rows, p.dims.n, p.dims.k());
  prepared->exact = kind == ProductKind::kInt8 || kind == ProductKind::kInt16;
  prepared->run = RunOf(kind);
  prepared->SetParams(p);
  return OkStatus();
}

}  // namespace whit
