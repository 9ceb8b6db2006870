#include "kernels/simd/panel_conv.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "kernels/binary.h"
#include "kernels/pack.h"
#include "kernels/product_check.h"
#include "kernels/row_product.h"
#include "kernels/simd/quantized_rows.h"
#include "kernels/simd/row_blocks.h"
#include "kernels/simd/tiers.h"

namespace whit {
namespace {

/// From this many rows on the activations of a block are centred.
constexpr int64_t kLeastRowsToCentre = 8;

struct PanelConv {
  RowProduct product;  // as the reference sees it
  const simd::Kernels* kernels = nullptr;
  simd::Requantize8 quant;

  RowBlocks blocks;
  QuantizedRows quantized;       // float activations
  std::vector<int32_t> offsets;  // of steps from a pixel's first tap
  int64_t range_pixels = 1;      // whose channels fill whole registers, where few do

  int64_t out_stride = 0;  // between output pixels
  bool joins_add = false;
  simd::Residual8 residual;  // but for its address

  ProductCheck check;

  Part centred, row_sums, smallest, largest, step_max, pair_max, lists, zipped;
  int64_t scratch_bytes = 0;

  bool is_float() const { return quantized.kernels != nullptr; }
};

class Worker {
 public:
  explicit Worker(const RunContext& ctx)
      : p_(ctx.As<PanelConv>()),
        d_(p_.product.dims),
        y_(ctx.out[0]),
        addend_(p_.joins_add ? ctx.in.back().as<uint8_t>() : nullptr),
        scratch_(ctx.scratch),
        rows_(p_.blocks, ctx.in[0].as<uint8_t>(), scratch_),
        quantizer_(p_.quantized, p_.blocks, ctx.in[0].as<float>(), scratch_),
        weight_zero_point_(p_.product.out.weight_zero_point) {}

  void BeginBlock(int64_t block) {
    if (p_.is_float()) {
      quantizer_.Begin(block, &rows_);
    } else {
      rows_.Begin(block, p_.product.in.stored_zero_point());
    }
    group_ = -1;
    centred_ = false;
    if (p_.check.on && d_.groups == 1) Expect(0);               // before anything is derived
    if (weight_zero_point_ != 0 && d_.groups == 1) SumRows(0);  // before centring
    if (p_.kernels->sums_in_16_bits) FindRange();
  }

  void RunPanels(int64_t group, int64_t begin, int64_t end) {
    if (group != group_) BeginGroup(group);
    RunGroup(group, begin, end);
    if (p_.check.on && TotalOf(total_, p_.check.spread) != expected_) failed_ = true;
  }

  KernelCode code() const { return failed_ ? KernelCode::kCheckFailed : KernelCode::kOk; }

 private:
  /// What all accumulators of the block will sum to. Panels are one task (PrepareCheck).
  void Expect(int64_t group) {
    simd::RowDots dots;
    dots.rows = rows_.rows(), dots.count = rows_.count(), dots.shift = group * p_.blocks.cin;
    dots.offsets = p_.blocks.run_offsets.data();
    dots.runs = d_.runs, dots.table_run = p_.check.run_elems;
    dots.table = p_.check.Low(d_, group), dots.row_spread = p_.check.row_spread;
    expected_ =
        SumOfRowWeights(dots.count, dots.row_spread) * p_.check.start[static_cast<size_t>(group)] +
        p_.kernels->row_dots(dots);
    dots.table = p_.check.High(d_, group);
    if (dots.table != nullptr) expected_ += 65536u * p_.kernels->row_dots(dots);
  }

  /// Smallest and largest activation of every channel of the block; flat rows are centred.
  void FindRange() {
    simd::ColumnRange range;
    range.smallest = p_.smallest.In<uint8_t>(scratch_);
    range.largest = p_.largest.In<uint8_t>(scratch_);
    range.k = p_.product.g.in_c;
    if (p_.kernels->any_data) {
      std::memset(range.largest, 255, static_cast<size_t>(range.k));
      return;
    }
    range.x = rows_.base();
    if (p_.blocks.flat) {
      range.stride = p_.blocks.pixel_bytes, range.count = rows_.count();
    } else {
      // All bytes of the band are pixels of in_c channels; where it is not copied, whole rows.
      const int64_t used = p_.blocks.band_lines(rows_.lines());
      range.stride = range.k, range.count = used * (p_.blocks.line_bytes / range.k);
    }
    if (p_.range_pixels > 1 && range.stride == range.k) {
      FindDenseRange(range);
    } else {
      p_.kernels->column_range(range);
    }
    if (p_.blocks.flat && d_.groups == 1 && !p_.is_float()) Centre(range);
  }

  /// Pixels without gaps between them: as many at once as fill whole registers.
  void FindDenseRange(const simd::ColumnRange& range) {
    uint8_t* __restrict lo = range.smallest;
    uint8_t* __restrict hi = range.largest;
    const int64_t k = range.k, rest = range.count % p_.range_pixels;
    simd::ColumnRange wide = range;
    wide.k = wide.stride = k * p_.range_pixels, wide.count = range.count / p_.range_pixels;
    p_.kernels->column_range(wide);
    for (int64_t i = k; i < wide.k; i += k) {
      for (int64_t j = 0; j < k; ++j) {
        lo[j] = std::min(lo[j], lo[i + j]), hi[j] = std::max(hi[j], hi[i + j]);
      }
    }
    const uint8_t* __restrict x = range.x + wide.count * wide.stride;
    for (int64_t i = 0; i < rest; ++i, x += k) {
      for (int64_t j = 0; j < k; ++j) lo[j] = std::min(lo[j], x[j]), hi[j] = std::max(hi[j], x[j]);
    }
  }

  /// Subtracts the smallest activation of every channel, where that is worth a pass over the block.
  void Centre(const simd::ColumnRange& range) {
    if (rows_.count() < kLeastRowsToCentre) return;
    uint8_t* __restrict lo = range.smallest;
    uint8_t* __restrict hi = range.largest;
    const int64_t k = range.k;
    uint8_t any = 0;
    for (int64_t j = 0; j < k; ++j) any |= lo[j];
    if (any == 0) return;
    StepMaxima(0);
    if (!WorthCentring()) return;
    for (int64_t j = 0; j < k; ++j) {
      lo[j] = std::min<uint8_t>(lo[j], 127);
      hi[j] = static_cast<uint8_t>(hi[j] - lo[j]);
    }
    std::memset(lo + k, 0, static_cast<size_t>(RoundUp64(k) - k));
    simd::SubtractColumns s;
    s.x = range.x, s.stride = range.stride, s.count = range.count, s.k = k;
    s.c = lo;
    s.y = p_.centred.In<uint8_t>(scratch_), s.y_stride = d_.steps() * kStepK;
    p_.kernels->subtract_columns(s);
    for (int64_t i = 0; i < s.count; ++i) rows_.rows()[i] = s.y + i * s.y_stride;
    centred_ = true;
  }

  /// Whether a row spends more instructions on pairs and steps that do not fit 16-bit sums (of two
  /// registers: 2 more a pair, 6 more a step) than on being centred.
  bool WorthCentring() const {
    const uint8_t* __restrict step = p_.step_max.In<uint8_t>(scratch_);
    const uint8_t* __restrict pair = p_.pair_max.In<uint8_t>(scratch_);
    const uint8_t* limit1 = p_.product.limits;
    const uint8_t* limit2 = p_.product.limits + Limit1Bytes(d_);
    const int64_t steps = d_.steps(), pairs = d_.step_pairs();
    const int64_t centring = 12 + d_.k() / 8;
    int64_t wasted = 0;
    for (int64_t q = 0; q < d_.panels() && wasted <= centring; ++q) {
      int32_t single = 0, wide = 0;
      for (int64_t i = 0; i < pairs; ++i) single += pair[i] > limit2[i];
      for (int64_t i = 0; i < steps; ++i) wide += step[i] > limit1[i];
      wasted += 4 * single + 12 * wide;
      limit1 += steps, limit2 += pairs;
    }
    return wasted > centring;
  }

  void BeginGroup(int64_t group) {
    group_ = group;
    if (p_.check.on && d_.groups > 1) Expect(group);
    if (weight_zero_point_ != 0 && d_.groups > 1) SumRows(group);
    if (p_.kernels->sums_in_16_bits) StepMaxima(group);
  }

  /// What weight zero points take from every channel of a row (docs/layout.md, 6).
  void SumRows(int64_t group) {
    simd::RowSums s;
    s.rows = rows_.rows(), s.count = rows_.count(), s.shift = group * p_.blocks.cin;
    s.offsets = p_.blocks.run_offsets.data(), s.runs = d_.runs, s.length = d_.run_length;
    s.scale = -weight_zero_point_;
    s.sums = p_.row_sums.In<int32_t>(scratch_);
    p_.kernels->row_sums(s);
  }

  /// Largest activation of every step and pair of steps. All runs, and the taps of a run of whole
  /// quads, repeat the first.
  void StepMaxima(int64_t group) {
    uint8_t* const channel = p_.largest.In<uint8_t>(scratch_) + group * p_.blocks.cin;
    uint8_t* __restrict step = p_.step_max.In<uint8_t>(scratch_);
    uint8_t* __restrict pair = p_.pair_max.In<uint8_t>(scratch_);
    const int64_t run_steps = d_.run_steps(), steps = d_.steps(), pairs = d_.step_pairs();
    int64_t known = run_steps;
    if (p_.blocks.cin % kStepK == 0 || d_.run_length == p_.blocks.cin) {
      known = CeilDiv(p_.blocks.cin, kStepK);
      p_.kernels->quad_maxima({channel, known, step});
      if (p_.blocks.cin % kStepK !=
          0) {  // the tail of the last step is another group's, or nothing
        uint8_t* const last = channel + kStepK * (known - 1);
        step[known - 1] = *std::max_element(last, channel + p_.blocks.cin);
      }
    } else {
      int64_t c = 0;
      for (int64_t s = 0; s < run_steps; ++s) {
        const int64_t taken = std::min(kStepK, d_.run_length - kStepK * s);
        uint8_t most = 0;
        for (int64_t i = 0; i < taken; ++i) {
          most = std::max(most, channel[c]);
          if (++c == p_.blocks.cin) c = 0;
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
    a.rows = rows_.rows(), a.count = rows_.count(), a.row_shift = group * p_.blocks.cin;
    a.offsets = p_.offsets.data(), a.steps = d_.steps();
    a.run_steps = d_.run_steps(), a.one_run = d_.runs == 1;
    if (weight_zero_point_ != 0) a.row_start = p_.row_sums.In<int32_t>(scratch_);
    a.weights = reinterpret_cast<const int8_t*>(p_.product.weights) + group * GroupBytes(d_);
    a.n = n, a.panel_begin = begin, a.panel_end = end;
    a.quant = p_.quant;
    if (a.quant.bias != nullptr) a.quant.bias += group * n;
    a.quant.sums += group * n, a.quant.multiplier += group * n;
    const int64_t first = rows_.first_pixel() * p_.out_stride + group * n;
    a.out = y_.mut<uint8_t>() + first, a.out_stride = p_.out_stride;
    simd::Dequantize floats;
    if (p_.is_float()) {
      floats = DequantizeOf(group);
      floats.out = y_.mut<float>() + first;
      a.dequantize = &floats;
    }
    simd::Residual8 residual = p_.residual;
    if (p_.joins_add) {
      residual.b_stride = d_.n;
      residual.b = addend_ + rows_.first_pixel() * d_.n + group * n;
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
    if (p_.product.pair_flags != nullptr) a.pair_flags = p_.product.pair_flags + first_panel;
    if (rows_.count() >= p_.kernels->zips_rows) a.zipped = p_.zipped.In<void>(scratch_);
    if (p_.check.on) {
      std::memset(total_, 0, sizeof(total_));
      a.total = total_, a.row_spread = p_.check.row_spread;
    }
    p_.kernels->product_i8(a);
  }

  simd::Dequantize DequantizeOf(int64_t group) const {
    const ChannelOutput& out = p_.product.out;
    simd::Dequantize d;
    d.scale = quantizer_.scale(), d.zero = quantizer_.zero();
    if (out.bias != nullptr)
      d.bias = reinterpret_cast<const float*>(out.bias) + group * d_.group_n();
    d.lo = out.lo, d.hi = out.hi;
    return d;
  }

  const PanelConv& p_;
  const WeightDims& d_;
  const View& y_;
  const uint8_t* addend_;  // of a joined Add, as large as y
  uint8_t* scratch_;
  BlockRows rows_;
  RowQuantizer quantizer_;
  const int32_t weight_zero_point_;
  int64_t group_ = -1;
  bool centred_ = false;
  bool failed_ = false;
  uint32_t expected_ = 0;
  alignas(64) int32_t total_[16];
};

KernelCode Run(const RunContext& ctx) {
  Worker worker(ctx);
  RunBlockTasks(ctx.As<PanelConv>().blocks, ctx.tasks, &worker);
  return worker.code();
}

/// Why this step is left to another implementation, or null.
const char* WhyNot(const PrepareContext& ctx, const RowProduct& p) {
  if (ctx.tier == nullptr || ctx.tier->kernels == nullptr) return "no SIMD tier";
  const bool hybrid = p.out.kind == ProductKind::kHybrid;
  if (!hybrid && p.out.kind != ProductKind::kInt8) {
    return "serves 8-bit or float activations with int8 weights";
  }
  const DType stored = simd::StoredType(*ctx.tier);
  if (!hybrid && (ctx.in[0].type != stored || ctx.out[0].type != stored)) {
    return "serves 8-bit activations as the tier stores them";
  }
  if (hybrid && ctx.tier->f32 == nullptr) return "a tier that does not quantize floats";
  const bool limits = ctx.tier->kernels->sums_in_16_bits;
  if (p.sums == nullptr || (limits && p.limits == nullptr))
    return "weights without their derived arrays";
  if (p.g.out_pixels() == 0) return "no output pixels";
  if (!hybrid && RangeOfMultipliers(p.out.multiplier, p.dims.n) == MultiplierRange::kInvalid) {
    return "a multiplier that is not positive and finite";
  }
  if (ctx.in[0].data != nullptr) return "a constant input, which must not be over-read";
  return nullptr;
}

void SetOffsets(PanelConv* p) {
  for (const int32_t run : p->blocks.run_offsets) {
    for (int64_t s = 0; s < p->product.dims.run_steps(); ++s) {
      p->offsets.push_back(static_cast<int32_t>(run + kStepK * s));
    }
  }
}

void SetScratch(PanelConv* p) {
  const WeightDims& d = p->product.dims;
  const int64_t rows = p->blocks.block_rows(), channels = RoundUp64(p->product.g.in_c);
  ScratchParts parts;
  p->blocks.TakeScratch(&parts);
  if (p->is_float()) p->quantized.TakeScratch(p->blocks, &parts);
  if (p->product.out.weight_zero_point != 0) p->row_sums = parts.Take(4 * rows + 16);
  if (p->kernels->sums_in_16_bits) {
    constexpr int64_t kRegister = 32, kMost = 512;  // bytes
    const int64_t period = std::lcm(p->product.g.in_c, kRegister);
    if (period <= kMost) p->range_pixels = period / p->product.g.in_c;
    const int64_t columns = std::max(channels, p->range_pixels * p->product.g.in_c);
    p->smallest = parts.Take(columns + 64);
    p->largest = parts.Take(columns + 256);  // read by whole registers of four times four
    p->step_max = parts.Take(RoundUp64(d.steps()) + 128);
    p->pair_max = parts.Take(d.step_pairs() + 64);
    // A single row of one run is summed without lists.
    if (rows > 1 || d.runs > 1) p->lists = parts.Take(simd::kListBytesPerStep * (d.steps() + 1));
    // Behind the last row: what a row of whole registers writes.
    if (p->blocks.flat && rows >= kLeastRowsToCentre) {
      p->centred = parts.Take(rows * d.steps() * kStepK + 64);
    }
  }
  if (rows >= p->kernels->zips_rows) {
    p->zipped = parts.Take(128 * d.runs * CeilDiv(d.run_steps(), 2));
  }
  p->scratch_bytes = parts.bytes;
}

/// The checksum channel, of weights that were checked. Panels become one task, whose sum is over
/// all channels: threads share the rows alone.
Status PrepareCheck(const PrepareContext& ctx, PanelConv* p, Prepared* prepared) {
  if (!ctx.self_check || p->is_float() || p->kernels->row_dots == nullptr) return OkStatus();
  const WeightDims& d = p->product.dims;
  const auto weight_bytes = static_cast<size_t>(WeightDataBytes(d));
  WHIT_RETURN_IF_ERROR(ctx.CheckRead(p->product.weights, weight_bytes));
  WHIT_RETURN_IF_ERROR(ctx.CheckRead(p->product.sums, static_cast<size_t>(WeightSumsBytes(d))));
  WHIT_RETURN_IF_ERROR(ctx.CheckRead(p->product.out.bias, 4 * static_cast<size_t>(d.n)));
  prepared->checks_itself = true;
  // Not bias and sums: 2^31 more in an even number of rows is nothing, modulo 2^32.
  prepared->proved = {reinterpret_cast<const std::byte*>(p->product.weights), weight_bytes};
  p->check = MakeProductCheck(p->product, ctx.act_bias, p->kernels->dot_bytes);
  p->blocks.panel_tasks = 1;
  return OkStatus();
}

/// Takes a joined Add over. Not where channels end inside a register: the addend is read past them,
/// and in place that would be what another thread writes.
Status JoinAdd(const PrepareContext& ctx, PanelConv* p, Prepared* prepared) {
  if (ctx.joined_add == nullptr || p->is_float() || p->product.g.out_c % 8 != 0 ||
      !p->quant.whole_panels) {
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
  if (out.kind == ProductKind::kHybrid) {
    p.quantized.kernels = ctx.tier->f32;
    p.quantized.pixels = p.product.quantize_pixels;
    p.quantized.act_bias = ctx.tier->act_bias;
    p.quant.act_bias = -1;  // simd::Dequantize wants the sums as start values
  } else {
    p.quant.bias = reinterpret_cast<const int32_t*>(out.bias);
    p.quant.act_bias = ctx.act_bias;
  }
  p.quant.sums = p.product.sums;
  p.quant.multiplier = out.multiplier;
  p.quant.large_multipliers =
      RangeOfMultipliers(out.multiplier, p.product.dims.n) == MultiplierRange::kLarge;
  p.quant.sums_minus = static_cast<int32_t>(p.product.dims.k() * out.weight_zero_point);
  p.quant.zero_point = out.requant.zero_point;
  p.quant.lo = out.requant.lo, p.quant.hi = out.requant.hi;
  p.quant.whole_panels = p.product.dims.groups == 1 || p.product.dims.group_n() % 16 == 0;
  prepared->strided_out = ctx.out_row_elems != 0;
  p.out_stride = prepared->strided_out ? ctx.out_row_elems : p.product.dims.n;
  WHIT_RETURN_IF_ERROR(JoinAdd(ctx, &p, prepared));
  const ElementBytes bytes =
      p.is_float() ? ElementBytes{.source = 4, .read = 1, .out = 4} : ElementBytes{};
  p.blocks = MakeRowBlocks(p.product, bytes, BlockLimits{}.Shifted(ctx.block_shift),
                           std::max(1, ctx.max_threads));
  WHIT_RETURN_IF_ERROR(PrepareCheck(ctx, &p, prepared));
  SetOffsets(&p);
  SetScratch(&p);
  prepared->scratch_per_thread = static_cast<size_t>(p.scratch_bytes);
  prepared->tasks = p.blocks.tasks();
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
