#include "kernels/simd/panel_conv.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/binary.h"
#include "kernels/pack.h"
#include "kernels/row_product.h"
#include "kernels/simd/tiers.h"

namespace whit {
namespace {

/// Input bytes of one block of output lines: it stays in L1 (32 KB on the smallest targets) while
/// the panels stream past, with room for a panel.
constexpr int64_t kBlockInputBytes = 24 * 1024;
/// Its output should stay in L2 while panel after panel is written.
constexpr int64_t kBlockOutputBytes = 96 * 1024;
/// Rows of a block: their pointers take 8 bytes each.
constexpr int64_t kMaxBlockRows = 512;
/// From this many rows on the activations of a block are centred.
constexpr int64_t kLeastRowsToCentre = 8;
/// Panels of one task where panels are split over threads: a whole tile of every tier.
constexpr int64_t kTaskPanels = 4;

/// A place in a thread's scratch.
struct Part {
  int64_t at = 0;
  template <typename T>
  T* In(uint8_t* scratch) const {
    return reinterpret_cast<T*>(scratch + at);
  }
};

struct PanelConv {
  RowProduct product;  // as the reference sees it
  const simd::Kernels* kernels = nullptr;
  simd::Requantize8 quant;

  // A line is a row of output pixels, or, where rows of activations are pixels as they lie (flat),
  // a single pixel. Blocks of lines do not cross images unless flat.
  bool flat = false;
  bool padded = false;  // a block's input is copied into scratch with its padding
  int64_t images = 1, image_lines = 1, line_pixels = 1;
  int64_t block_lines = 1, image_blocks = 1;
  int64_t panel_tasks = 1;

  int64_t cin = 0;          // input channels of a group
  int64_t line_bytes = 0;   // between input rows as the kernels read them
  int64_t pixel_bytes = 0;  // between the first taps of neighbouring output pixels
  int64_t padded_w = 0;     // columns of a padded input row
  std::vector<int32_t> offsets, run_offsets;  // of steps and runs from a pixel's first tap

  int64_t out_stride = 0;  // between output pixels
  bool joins_add = false;
  simd::Residual8 residual;  // but for its address

  Part band, rows, row_sums, smallest, largest, step_max, pair_max, lists;
  int64_t scratch_bytes = 0;

  int64_t block_rows() const { return block_lines * line_pixels; }
  int64_t band_lines(int64_t lines) const {
    const ConvGeometry& g = product.g;
    return (lines - 1) * g.stride_h + (g.kernel_h - 1) * g.dilation_h + 1;
  }
};

class Worker {
 public:
  explicit Worker(const RunContext& ctx)
      : p_(ctx.As<PanelConv>()),
        g_(p_.product.g),
        d_(p_.product.dims),
        x_(ctx.in[0].as<uint8_t>()),
        y_(ctx.out[0].mut<uint8_t>()),
        addend_(p_.joins_add ? ctx.in.back().as<uint8_t>() : nullptr),
        scratch_(ctx.scratch),
        rows_(p_.rows.In<const uint8_t*>(scratch_)),
        weight_zero_point_(p_.product.out.weight_zero_point) {}

  /// Task t is panel range t % panel_tasks of block t / panel_tasks.
  void Run(TaskRange tasks) {
    const int64_t panels = d_.panels();
    for (int64_t t = tasks.begin; t < tasks.end;) {
      const int64_t first = t % p_.panel_tasks;
      const int64_t last = std::min(p_.panel_tasks, first + tasks.end - t);
      BeginBlock(t / p_.panel_tasks);
      if (p_.panel_tasks == 1) {
        RunPanels(0, panels);
      } else {
        RunPanels(first * kTaskPanels, std::min(panels, last * kTaskPanels));
      }
      t += last - first;
    }
  }

 private:
  void BeginBlock(int64_t block) {
    const int64_t image = block / p_.image_blocks;
    line0_ = block % p_.image_blocks * p_.block_lines;
    const int64_t lines = std::min(p_.block_lines, p_.image_lines - line0_);
    count_ = lines * p_.line_pixels;
    first_pixel_ = (image * p_.image_lines + line0_) * p_.line_pixels;
    const uint8_t* base = x_ + image * g_.in_h * g_.in_w * g_.in_c;
    if (p_.flat) {
      base = x_ + first_pixel_ * g_.in_c;
    } else if (p_.padded) {
      base = CopyBand(base, lines);
    } else {
      base += line0_ * g_.stride_h * p_.line_bytes;
    }
    base_ = base;
    const int64_t line_step = p_.flat ? p_.pixel_bytes : g_.stride_h * p_.line_bytes;
    const uint8_t** row = rows_;
    for (int64_t l = 0; l < lines; ++l) {
      const uint8_t* pixel = base + l * line_step;
      for (int64_t i = 0; i < p_.line_pixels; ++i, pixel += p_.pixel_bytes) *row++ = pixel;
    }
    group_ = -1;
    centred_ = false;
    if (weight_zero_point_ != 0 && d_.groups == 1) SumRows(0);  // before centring
    if (p_.kernels->sums_in_16_bits) FindRange(lines);
  }

  /// The input rows of `lines` output lines with their padding; returns the first.
  const uint8_t* CopyBand(const uint8_t* image, int64_t lines) {
    uint8_t* const band = p_.band.In<uint8_t>(scratch_);
    const uint8_t zero = p_.product.in.stored_zero_point();
    const int64_t left = g_.pad_left * g_.in_c, width = p_.padded_w * g_.in_c;
    const int64_t inside = std::min(width - left, g_.in_w * g_.in_c);
    const int64_t y0 = line0_ * g_.stride_h - g_.pad_top, count = p_.band_lines(lines);
    for (int64_t i = 0; i < count; ++i) {
      uint8_t* to = band + i * p_.line_bytes;
      const int64_t y = y0 + i;
      if (y < 0 || y >= g_.in_h) {
        std::memset(to, zero, static_cast<size_t>(width));
        continue;
      }
      std::memset(to, zero, static_cast<size_t>(left));
      std::memcpy(to + left, image + y * g_.in_w * g_.in_c, static_cast<size_t>(inside));
      std::memset(to + left + inside, zero, static_cast<size_t>(width - left - inside));
    }
    return band;
  }

  /// Smallest and largest activation of every channel of the block; flat rows are centred.
  void FindRange(int64_t lines) {
    simd::ColumnRange range;
    range.smallest = p_.smallest.In<uint8_t>(scratch_);
    range.largest = p_.largest.In<uint8_t>(scratch_);
    range.k = g_.in_c;
    if (p_.flat) {
      range.x = base_, range.stride = p_.pixel_bytes, range.count = count_;
    } else {
      // All bytes of the band are pixels of in_c channels; where it is not copied, whole rows.
      const int64_t used = p_.band_lines(lines);
      range.x = base_, range.stride = g_.in_c;
      range.count = used * (p_.line_bytes / g_.in_c);
    }
    p_.kernels->column_range(range);
    if (p_.flat && d_.groups == 1) Centre(range);
  }

  /// Subtracts the smallest activation of every channel, where that is worth a pass over the block:
  /// it costs what one more row costs.
  void Centre(const simd::ColumnRange& range) {
    if (count_ < kLeastRowsToCentre) return;
    uint8_t* __restrict lo = range.smallest;
    uint8_t* __restrict hi = range.largest;
    const int64_t k = range.k;
    uint8_t any = 0;
    for (int64_t j = 0; j < k; ++j) {
      lo[j] = std::min<uint8_t>(lo[j], 127);
      any |= lo[j];
      hi[j] = static_cast<uint8_t>(hi[j] - lo[j]);
    }
    if (any == 0) return;
    std::memset(lo + k, 0, static_cast<size_t>(RoundUp64(k) - k));
    simd::SubtractColumns s;
    s.x = range.x, s.stride = range.stride, s.count = range.count, s.k = k;
    s.c = lo;
    s.y = p_.band.In<uint8_t>(scratch_), s.y_stride = d_.steps() * kStepK;
    p_.kernels->subtract_columns(s);
    for (int64_t i = 0; i < count_; ++i) rows_[i] = s.y + i * s.y_stride;
    centred_ = true;
  }

  /// Panels [begin, end), counted over all groups.
  void RunPanels(int64_t begin, int64_t end) {
    const int64_t per_group = d_.group_panels();
    while (begin < end) {
      const int64_t group = begin / per_group, stop = std::min(end, (group + 1) * per_group);
      BeginGroup(group);
      RunGroup(group, begin - group * per_group, stop - group * per_group);
      begin = stop;
    }
  }

  void BeginGroup(int64_t group) {
    if (group == group_) return;
    group_ = group;
    if (weight_zero_point_ != 0 && d_.groups > 1) SumRows(group);
    if (p_.kernels->sums_in_16_bits) StepMaxima(group);
  }

  /// What weight zero points take from every channel of a row (docs/layout.md, 6).
  void SumRows(int64_t group) {
    simd::RowSums s;
    s.rows = rows_, s.count = count_, s.shift = group * p_.cin;
    s.offsets = p_.run_offsets.data(), s.runs = d_.runs, s.length = d_.run_length;
    s.scale = -weight_zero_point_;
    s.sums = p_.row_sums.In<int32_t>(scratch_);
    p_.kernels->row_sums(s);
  }

  /// Largest activation of every step and pair of steps. All runs, and the taps of a run of whole
  /// quads, repeat the first.
  void StepMaxima(int64_t group) {
    uint8_t* const channel = p_.largest.In<uint8_t>(scratch_) + group * p_.cin;
    uint8_t* __restrict step = p_.step_max.In<uint8_t>(scratch_);
    uint8_t* __restrict pair = p_.pair_max.In<uint8_t>(scratch_);
    const int64_t run_steps = d_.run_steps(), steps = d_.steps(), pairs = d_.step_pairs();
    int64_t known = run_steps;
    if (p_.cin % kStepK == 0 || d_.run_length == p_.cin) {
      known = CeilDiv(p_.cin, kStepK);
      p_.kernels->quad_maxima({channel, known, step});
      if (p_.cin % kStepK != 0) {  // the tail of the last step is another group's, or nothing
        uint8_t* const last = channel + kStepK * (known - 1);
        step[known - 1] = *std::max_element(last, channel + p_.cin);
      }
    } else {
      int64_t c = 0;
      for (int64_t s = 0; s < run_steps; ++s) {
        const int64_t taken = std::min(kStepK, d_.run_length - kStepK * s);
        uint8_t most = 0;
        for (int64_t i = 0; i < taken; ++i) {
          most = std::max(most, channel[c]);
          if (++c == p_.cin) c = 0;
        }
        step[s] = most;
      }
    }
    for (int64_t s = known; s < steps; ++s) step[s] = step[s - known];
    std::memset(step + steps, 0, 64);
    for (int64_t i = 0; i < pairs; ++i) pair[i] = std::max(step[2 * i], step[2 * i + 1]);
    std::memset(pair + pairs, 0, 64);
  }

  void RunGroup(int64_t group, int64_t begin, int64_t end) {
    const int64_t n = d_.group_n(), first_panel = group * d_.group_panels();
    simd::ProductI8 a;
    a.rows = rows_, a.count = count_, a.row_shift = group * p_.cin;
    a.offsets = p_.offsets.data(), a.steps = d_.steps(), a.one_run = d_.runs == 1;
    if (weight_zero_point_ != 0) a.row_start = p_.row_sums.In<int32_t>(scratch_);
    a.weights = reinterpret_cast<const int8_t*>(p_.product.weights) + group * GroupBytes(d_);
    a.n = n, a.panel_begin = begin, a.panel_end = end;
    a.quant = p_.quant;
    if (a.quant.bias != nullptr) a.quant.bias += group * n;
    a.quant.sums += group * n, a.quant.multiplier += group * n;
    a.out = y_ + first_pixel_ * p_.out_stride + group * n, a.out_stride = p_.out_stride;
    simd::Residual8 residual = p_.residual;
    if (p_.joins_add) {
      residual.b_stride = d_.n;
      residual.b = addend_ + first_pixel_ * d_.n + group * n;
      a.residual = &residual;
    }
    if (p_.kernels->sums_in_16_bits) {
      a.step_max = p_.step_max.In<uint8_t>(scratch_);
      a.pair_max = p_.pair_max.In<uint8_t>(scratch_);
      a.limit1 = p_.product.limits + first_panel * d_.steps();
      a.limit2 = p_.product.limits + Limit1Bytes(d_) + first_panel * d_.step_pairs();
      a.lists = p_.lists.In<void>(scratch_);
      if (centred_) a.centre = p_.smallest.In<uint8_t>(scratch_);
    }
    p_.kernels->product_i8(a);
  }

  const PanelConv& p_;
  const ConvGeometry& g_;
  const WeightDims& d_;
  const uint8_t* x_;
  uint8_t* y_;
  const uint8_t* addend_;  // of a joined Add, as large as y
  uint8_t* scratch_;
  const uint8_t** rows_;  // [block rows]
  const int32_t weight_zero_point_;
  const uint8_t* base_ = nullptr;
  int64_t line0_ = 0, count_ = 0, first_pixel_ = 0, group_ = -1;
  bool centred_ = false;
};

KernelCode Run(const RunContext& ctx) {
  Worker(ctx).Run(ctx.tasks);
  return KernelCode::kOk;
}

/// Why this step is left to another implementation, or null.
const char* WhyNot(const PrepareContext& ctx, const RowProduct& p) {
  if (ctx.tier == nullptr || ctx.tier->kernels == nullptr) return "no SIMD tier";
  if (p.out.kind != ProductKind::kInt8) return "serves 8-bit activations with int8 weights";
  if (ctx.in[0].type != DType::kUint8 || ctx.out[0].type != DType::kUint8) {
    return "serves activations stored as uint8 only";
  }
  if (p.sums == nullptr || p.limits == nullptr) return "weights without their derived arrays";
  if (p.g.out_pixels() == 0) return "no output pixels";
  if (!MultipliersBelowOne(p.out.multiplier, p.dims.n)) return "a multiplier of 1 or more";
  if (ctx.in[0].data != nullptr) return "a constant input, which must not be over-read";
  return nullptr;
}

/// Offsets of every step and run from an output pixel's first tap.
void SetOffsets(PanelConv* p) {
  const ConvGeometry& g = p->product.g;
  const WeightDims& d = p->product.dims;
  const int64_t runs_per_line = g.kernel_w / p->product.run_taps;
  for (int64_t r = 0; r < d.runs; ++r) {
    const int64_t at = r / runs_per_line * g.dilation_h * p->line_bytes +
                       r % runs_per_line * g.dilation_w * g.in_c;
    p->run_offsets.push_back(static_cast<int32_t>(at));
    for (int64_t s = 0; s < d.run_steps(); ++s) {
      p->offsets.push_back(static_cast<int32_t>(at + kStepK * s));
    }
  }
}

/// Where rows of activations lie: as they are, or behind a copy with padding.
void SetLines(PanelConv* p) {
  const ConvGeometry& g = p->product.g;
  const bool taps = g.kernel_h > 1 || g.kernel_w > 1;
  const int64_t wanted_w = (g.out_w - 1) * g.stride_w + (g.kernel_w - 1) * g.dilation_w + 1;
  const int64_t wanted_h = (g.out_h - 1) * g.stride_h + (g.kernel_h - 1) * g.dilation_h + 1;
  p->padded = g.pad_top > 0 || g.pad_left > 0 || wanted_w > g.in_w || wanted_h > g.in_h;
  p->flat = !taps && !p->padded && g.stride_h == 1 && g.stride_w == 1;
  p->cin = g.in_c / p->product.dims.groups;
  p->padded_w = p->padded ? wanted_w : g.in_w;
  p->line_bytes = p->padded_w * g.in_c;
  p->pixel_bytes = (p->flat ? 1 : g.stride_w) * g.in_c;
  p->images = p->flat ? 1 : g.batch;
  p->image_lines = p->flat ? g.out_pixels() : g.out_h;
  p->line_pixels = p->flat ? 1 : g.out_w;
}

/// How evenly `units` fall on `threads`: 1 is perfect.
double Balance(int64_t units, int64_t threads) {
  return static_cast<double>(units) / static_cast<double>(threads * CeilDiv(units, threads));
}

void SetBlocks(PanelConv* p, int64_t threads) {
  const ConvGeometry& g = p->product.g;
  const int64_t out_line = p->line_pixels * g.out_c;
  int64_t most = std::min(kBlockOutputBytes / out_line, kMaxBlockRows / p->line_pixels);
  if (p->flat) {
    most = std::min(most, kBlockInputBytes / g.in_c);
  } else {
    const int64_t spare = kBlockInputBytes / p->line_bytes - p->band_lines(1);
    most = std::min(most, 1 + spare / g.stride_h);
  }
  most = std::max<int64_t>(most, p->flat ? 8 : 1);
  const int64_t lines = p->image_lines, panels = CeilDiv(p->product.dims.panels(), kTaskPanels);
  const int64_t per_image = CeilDiv(threads, p->images);  // blocks wanted of each image
  const int64_t rounds = CeilDiv(lines, most * per_image);
  p->block_lines = CeilDiv(lines, rounds * per_image);
  p->image_blocks = CeilDiv(lines, p->block_lines);
  const int64_t blocks = p->images * p->image_blocks;
  if (threads > 1 && Balance(blocks, threads) < 0.9 &&
      Balance(panels, threads) > Balance(blocks, threads)) {
    p->block_lines = CeilDiv(lines, CeilDiv(lines, most));
    p->image_blocks = CeilDiv(lines, p->block_lines);
    p->panel_tasks = panels;
  }
}

void SetScratch(PanelConv* p) {
  const WeightDims& d = p->product.dims;
  const int64_t rows = p->block_rows(), channels = RoundUp64(p->product.g.in_c);
  int64_t at = 0;
  const auto take = [&at](Part* part, int64_t bytes) {
    part->at = at;
    at += RoundUp64(bytes);
  };
  const bool narrow = p->kernels->sums_in_16_bits;
  take(&p->rows, rows * static_cast<int64_t>(sizeof(void*)));
  if (p->product.out.weight_zero_point != 0) take(&p->row_sums, 4 * rows + 16);
  if (narrow) {
    take(&p->smallest, channels + 64);
    take(&p->largest, channels + 256);  // read by whole registers of four times four
    take(&p->step_max, RoundUp64(d.steps()) + 128);
    take(&p->pair_max, d.step_pairs() + 64);
    take(&p->lists, simd::kListBytesPerStep * (d.steps() + 1));
  }
  // Behind the last row: what a run's tail, or a row of whole registers, reads and writes.
  if (p->padded) take(&p->band, p->band_lines(p->block_lines) * p->line_bytes + 64);
  if (p->flat && narrow) take(&p->band, rows * d.steps() * kStepK + 64);
  p->scratch_bytes = at;
}

/// Takes a joined Add over. Not where channels end inside a register: the addend is read past them,
/// and in place that would be what another thread writes.
Status JoinAdd(const PrepareContext& ctx, PanelConv* p, Prepared* prepared) {
  if (ctx.joined_add == nullptr || p->product.g.out_c % 8 != 0 || !p->quant.whole_panels) {
    return OkStatus();
  }
  WHIT_ASSIGN_OR_RETURN(const QuantizedAdd add, ReadQuantizedAdd(*ctx.joined_add));
  const size_t other = 1 - ctx.joined_operand;
  constexpr float kMost = 4194304.0f;  // 2^22: two operands of 8 bits sum to less than 2^31
  if (!(add.multiplier[0] < kMost) || !(add.multiplier[1] < kMost)) return OkStatus();
  p->joins_add = prepared->joins_add = true;
  p->residual.ma = add.multiplier[ctx.joined_operand];
  p->residual.mb = add.multiplier[other];
  p->residual.b_zero_point = add.zero_point[other] + ctx.act_bias;
  p->residual.zero_point = add.requant.zero_point;
  p->residual.lo = add.requant.lo, p->residual.hi = add.requant.hi;
  prepared->in_place = !prepared->strided_out;
  prepared->in_place_input = static_cast<int>(ctx.in.size());
  return OkStatus();
}

}  // namespace

Status PreparePanelConv(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                        std::string* why_not) {
  *accepted = false;
  Prepared reference;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, &reference));
  PanelConv p;
  p.product = *static_cast<const RowProduct*>(reference.params.get());
  if (const char* why = WhyNot(ctx, p.product)) {
    *why_not = why;
    return OkStatus();
  }
  p.kernels = ctx.tier->kernels;
  const ChannelOutput& out = p.product.out;
  p.quant.bias = reinterpret_cast<const int32_t*>(out.bias);
  p.quant.sums = p.product.sums;
  p.quant.multiplier = out.multiplier;
  p.quant.act_bias = ctx.act_bias;
  p.quant.sums_minus = static_cast<int32_t>(p.product.dims.k() * out.weight_zero_point);
  p.quant.zero_point = out.requant.zero_point;
  p.quant.lo = out.requant.lo, p.quant.hi = out.requant.hi;
  p.quant.whole_panels = p.product.dims.groups == 1 || p.product.dims.group_n() % 16 == 0;
  prepared->strided_out = ctx.out_row_elems != 0;
  p.out_stride = prepared->strided_out ? ctx.out_row_elems : p.product.dims.n;
  WHIT_RETURN_IF_ERROR(JoinAdd(ctx, &p, prepared));
  SetLines(&p);
  SetOffsets(&p);
  SetBlocks(&p, std::max(1, ctx.max_threads));
  SetScratch(&p);
  prepared->scratch_per_thread = static_cast<size_t>(p.scratch_bytes);
  prepared->tasks = p.images * p.image_blocks * p.panel_tasks;
  prepared->macs = reference.macs;
  // Each output is also rounded and stored: as much as about 8 k.
  prepared->cost_ns = static_cast<double>(p.product.rows * p.product.dims.n) *
                      static_cast<double>(p.product.dims.k() + 8) / ctx.tier->int8_rate;
  prepared->exact = reference.exact;
  prepared->implementation = "panel";
  prepared->tier = ctx.tier->name;
  prepared->run = &Run;
  prepared->SetParams(std::move(p));
  *accepted = true;
  return OkStatus();
}

}  // namespace whit
