// Lstm with 8-bit activations and int16 cells. Every product becomes int16 by the one rule of
// requantize.h; sums saturate; gates go through two tables.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/elementwise.h"
#include "kernels/lstm_parts.h"
#include "kernels/requantize.h"
#include "kernels/simd/tiers.h"
#include "kernels/tables.h"

namespace whit {

namespace {

using Gate = LstmGateOf<int32_t, int16_t>;

constexpr Requant kToInt16 = {-32768, 32767, 0};
constexpr int32_t kGateOne = 32767;  // 1 of a gate, in 2^-15
constexpr int kTableFraction = 12;   // inputs of the tables are in 2^-12

struct IntegerLstm : LstmOf<int32_t, int16_t> {
  uint8_t flip = 0;       // canonical int8 = stored ^ flip: input, hidden state and output
  int cell_shift = 0;     // scale of the cell state: 2^cell_shift
  int32_t cell_clip = 0;  // 0: none
  float hidden_multiplier = 0, projection_multiplier = 0;
  Requant hidden;  // of the product of gate o: the output, or canonical int8 for the projection
  Requant output;  // of the projection
  const int16_t* logistic = nullptr;
  const int16_t* tanh = nullptr;
  void (*table_i16)(const simd::TableI16&) = nullptr;  // of the tier; null: portable code
};

/// Scratch of one sequence. Rows are widened (product.h); the gates hold sums, then values.
struct Arrays {
  int16_t *x, *h, *m;      // input, hidden state, cell output for the projection
  int16_t *i, *f, *g, *o;  // [cells]
  uint8_t* projected;      // [cells] canonical int8
  int32_t* sums;           // [cells or outputs, whole panels]

  static size_t Carve(const LstmDims& d, uint8_t* base, Arrays* a) {
    ScratchCursor cursor(base);
    a->x = cursor.Take<int16_t>(WidenedLength(d.inputs));
    a->h = cursor.Take<int16_t>(WidenedLength(d.outputs));
    a->m = cursor.Take<int16_t>(WidenedLength(d.cells));
    for (int16_t** gate : {&a->i, &a->f, &a->g, &a->o}) *gate = cursor.Take<int16_t>(d.cells);
    a->projected = cursor.Take<uint8_t>(d.cells);
    a->sums = cursor.Take<int32_t>(CeilDiv(std::max(d.cells, d.outputs), 16) * 16);
    return cursor.bytes();
  }
};

/// Zero mean and unit variance over the cells, times coefficients, plus bias: all sums exact, one
/// division a cell.
void Normalize(const Gate& gate, int64_t cells, int16_t* sums) {
  int64_t sum = 0, squares = 0;
  for (int64_t c = 0; c < cells; ++c) {
    sum += sums[c];
    squares += int64_t{sums[c]} * sums[c];
  }
  // cells^2 times the variance, taken as 1 where it is less.
  const int64_t spread = std::max(cells * squares - sum * sum, cells * cells);
  const double deviation = std::sqrt(static_cast<double>(spread));
  for (int64_t c = 0; c < cells; ++c) {
    const double unit = static_cast<double>(cells * sums[c] - sum) / deviation;
    const double value = unit * gate.norm[c] + gate.norm_bias[c] * 0x1p-10;
    const double scaled = value * static_cast<double>(gate.norm_multiplier);
    sums[c] = static_cast<int16_t>(StoreRounded(static_cast<float>(scaled), kToInt16));
  }
}

/// The table's value of every cell's value.
void LookUp(const IntegerLstm& p, const int16_t* table, int16_t* values) {
  if (p.table_i16 != nullptr) return p.table_i16({table, values, values, p.d.cells});
  for (int64_t c = 0; c < p.d.cells; ++c) values[c] = InterpolateTable16(table, values[c]);
}

/// The gate's value of every cell in 2^-15. `cell` is what its peephole sees.
void RunGate(const IntegerLstm& p, const Gate& gate, const Arrays& a, const int16_t* cell,
             const int16_t* table, int16_t* __restrict out) {
  const int64_t cells = p.d.cells;
  const int32_t* sums = a.sums;
  MultiplyI8(gate.input, a.x, gate.input_bias, a.sums);
  for (int64_t c = 0; c < cells; ++c) {
    out[c] = static_cast<int16_t>(Requantize(sums[c], gate.input_multiplier, kToInt16));
  }
  MultiplyI8(gate.recurrent, a.h, gate.recurrent_bias, a.sums);
  for (int64_t c = 0; c < cells; ++c) {
    out[c] = SaturateI16(out[c] + Requantize(sums[c], gate.recurrent_multiplier, kToInt16));
  }
  if (gate.peephole != nullptr) {
    for (int64_t c = 0; c < p.d.cells; ++c) {
      const int32_t product = gate.peephole[c] * cell[c];
      out[c] = SaturateI16(out[c] + Requantize(product, gate.peephole_multiplier, kToInt16));
    }
  }
  if (gate.norm != nullptr) Normalize(gate, p.d.cells, out);
  LookUp(p, table, out);
}

void UpdateCells(const IntegerLstm& p, const Arrays& a, int16_t* __restrict cell) {
  const bool coupled = !p.gates[kGateI].present();
  const int16_t* __restrict i = a.i, * __restrict f = a.f, * __restrict g = a.g;
  const int shift = 30 + p.cell_shift;
  const int32_t clip = p.cell_clip == 0 ? 32768 : p.cell_clip;
  for (int64_t c = 0; c < p.d.cells; ++c) {
    const int32_t admit = coupled ? kGateOne - f[c] : i[c];
    const int32_t kept = RoundingShiftSmall(f[c] * cell[c], 15);
    const int32_t added = RoundingShiftSmall(admit * g[c], shift);
    cell[c] = static_cast<int16_t>(std::clamp<int32_t>(SaturateI16(kept + added), -clip, clip));
  }
}

/// tanh of every cell in 2^-15: cells brought to the table's scale first. tanh is 1 beyond the
/// table's end, so saturating there loses nothing.
void TanhOfCells(const IntegerLstm& p, const int16_t* __restrict cell, int16_t* __restrict out) {
  const int up = kTableFraction + p.cell_shift;
  for (int64_t c = 0; up >= 0 && c < p.d.cells; ++c) {
    out[c] = SaturateI16(cell[c] * (int32_t{1} << up));
  }
  for (int64_t c = 0; up < 0 && c < p.d.cells; ++c) {
    out[c] = SaturateI16(RoundingShift(cell[c], -up));
  }
  LookUp(p, p.tanh, out);
}

/// One time step: x [inputs] -> hidden state [outputs], cell updated.
void Step(const IntegerLstm& p, const Arrays& a, const uint8_t* x, uint8_t* hidden, int16_t* cell) {
  WidenI8(x, p.d.inputs, p.flip, 0, a.x);
  WidenI8(hidden, p.d.outputs, p.flip, 0, a.h);
  if (p.gates[kGateI].present()) RunGate(p, p.gates[kGateI], a, cell, p.logistic, a.i);
  RunGate(p, p.gates[kGateF], a, cell, p.logistic, a.f);
  RunGate(p, p.gates[kGateG], a, cell, p.tanh, a.g);
  UpdateCells(p, a, cell);
  RunGate(p, p.gates[kGateO], a, cell, p.logistic, a.o);
  uint8_t* to = p.projection.present() ? a.projected : hidden;
  TanhOfCells(p, cell, a.g);
  for (int64_t c = 0; c < p.d.cells; ++c) {
    const int32_t product = a.o[c] * a.g[c];
    to[c] = static_cast<uint8_t>(Requantize(product, p.hidden_multiplier, p.hidden));
  }
  if (!p.projection.present()) return;
  WidenI8(a.projected, p.d.cells, 0, 0, a.m);
  MultiplyI8(p.projection, a.m, p.projection_bias, a.sums);
  for (int64_t n = 0; n < p.d.outputs; ++n) {
    hidden[n] = static_cast<uint8_t>(Requantize(a.sums[n], p.projection_multiplier, p.output));
  }
}

KernelCode Run(const RunContext& ctx) {
  const auto& p = ctx.As<IntegerLstm>();
  Arrays a;
  Arrays::Carve(p.d, ctx.scratch, &a);
  for (int64_t b = ctx.tasks.begin; b < ctx.tasks.end; ++b) {
    uint8_t* hidden = ctx.in[1].mut<uint8_t>() + b * p.d.outputs;
    int16_t* cell = ctx.in[2].mut<int16_t>() + b * p.d.cells;
    for (int64_t t = 0; t < p.d.steps; ++t) {
      const int64_t row = p.d.Row(b, t);
      Step(p, a, ctx.in[0].as<uint8_t>() + row * p.d.inputs, hidden, cell);
      std::memcpy(ctx.out[0].mut<uint8_t>() + row * p.d.outputs, hidden,
                  static_cast<size_t>(p.d.outputs));
    }
  }
  return KernelCode::kOk;
}

// ---- prepare ----

Status CheckGate(const PrepareContext& ctx, const Gate& gate) {
  if (!gate.present()) return OkStatus();
  if (gate.input.is_float || gate.recurrent.is_float) {
    return ctx.Error(StatusCode::kUnsupported, "float weights with 8-bit activations");
  }
  if ((gate.norm == nullptr) != (gate.norm_bias == nullptr)) {
    return ctx.Error(StatusCode::kInvalidModel, "layer normalization needs coefficients and bias");
  }
  WHIT_RETURN_IF_ERROR(ExpectMultiplier(ctx, "input multiplier", gate.input_multiplier));
  WHIT_RETURN_IF_ERROR(ExpectMultiplier(ctx, "recurrent multiplier", gate.recurrent_multiplier));
  if (gate.peephole != nullptr) {
    WHIT_RETURN_IF_ERROR(ExpectMultiplier(ctx, "peephole multiplier", gate.peephole_multiplier));
  }
  if (gate.norm == nullptr) return OkStatus();
  return ExpectMultiplier(ctx, "norm multiplier", gate.norm_multiplier);
}

/// The clip in stored steps, 0 for none.
Result<int32_t> ReadClip(const PrepareContext& ctx, const char* what, float clip, float most) {
  if (clip >= 0 && clip <= most && clip == std::floor(clip)) return static_cast<int32_t>(clip);
  return ctx.Error(StatusCode::kInvalidModel, std::string(what) + " must be an integer of 0 to " +
                                                  std::to_string(most) + ", is " +
                                                  std::to_string(clip));
}

Status ReadHidden(const PrepareContext& ctx, const fbs::LstmOptions& options, IntegerLstm* p) {
  WHIT_ASSIGN_OR_RETURN(p->output, MakeRequant(ctx, ctx.out[0], -INFINITY, INFINITY));
  WHIT_ASSIGN_OR_RETURN(const int32_t clip,
                        ReadClip(ctx, "projection clip", options.projection_clip(), 127));
  if (clip != 0) {  // of the stored value, as TFLite does: [-clip, clip] whatever the zero point
    const int32_t stored_zero = p->flip;  // 128 where canonical int8 is stored as uint8
    p->output.lo =
        std::max(p->output.lo, static_cast<float>(stored_zero - clip - p->output.zero_point));
    p->output.hi =
        std::min(p->output.hi, static_cast<float>(stored_zero + clip - p->output.zero_point));
  }
  p->hidden_multiplier = options.hidden_multiplier();
  WHIT_RETURN_IF_ERROR(ExpectMultiplier(ctx, "hidden multiplier", p->hidden_multiplier));
  p->hidden = p->output;
  if (!p->projection.present()) return OkStatus();
  if (p->projection.is_float) {
    return ctx.Error(StatusCode::kUnsupported, "float projection with 8-bit activations");
  }
  const int32_t zero = options.hidden_zero_point();
  if (zero < -128 || zero > 127) {
    return ctx.Error(StatusCode::kInvalidModel,
                     "hidden zero point " + std::to_string(zero) + " is not an int8");
  }
  p->hidden = {static_cast<float>(-128 - zero), static_cast<float>(127 - zero), zero};
  p->projection_multiplier = options.projection_multiplier();
  return ExpectMultiplier(ctx, "projection multiplier", p->projection_multiplier);
}

Status ReadStates(const PrepareContext& ctx, const fbs::LstmOptions& options, IntegerLstm* p) {
  WHIT_ASSIGN_OR_RETURN(const OperandInfo x, ReadOperand(ctx, "the input", ctx.in[0]));
  WHIT_ASSIGN_OR_RETURN(const OperandInfo hidden, ReadOperand(ctx, "the hidden state", ctx.in[1]));
  WHIT_ASSIGN_OR_RETURN(const OperandInfo y, ReadOperand(ctx, "the output", ctx.out[0]));
  if (hidden.scale != y.scale || hidden.zero_point != y.zero_point) {
    return ctx.Error(StatusCode::kInvalidModel,
                     "hidden state and output have scales " + std::to_string(hidden.scale) + ", " +
                         std::to_string(y.scale) + " and zero points " +
                         std::to_string(hidden.zero_point) + ", " + std::to_string(y.zero_point) +
                         "; equal ones expected");
  }
  p->flip = x.flip;
  p->cell_shift = options.cell_shift();
  if (p->cell_shift < -15 || p->cell_shift > 0) {
    return ctx.Error(StatusCode::kUnsupported, "cell scale 2^" + std::to_string(p->cell_shift) +
                                                   ", 2^-15 to 2^0 are implemented");
  }
  WHIT_ASSIGN_OR_RETURN(p->cell_clip, ReadClip(ctx, "cell clip", options.cell_clip(), 32767));
  WHIT_ASSIGN_OR_RETURN(const int16_t* tables,
                        ctx.Blob<int16_t>(options.tables(), 2 * kTable16Entries, "the tables"));
  p->logistic = tables;
  p->tanh = tables + kTable16Entries;
  return OkStatus();
}

}  // namespace

Status PrepareIntegerLstm(const PrepareContext& ctx, const fbs::LstmOptions& options,
                          const LstmDims& d, Prepared* prepared) {
  IntegerLstm p;
  auto read = ReadLstm<int32_t, int16_t>(ctx, options, d);
  if (!read.ok()) return read.status();
  static_cast<LstmOf<int32_t, int16_t>&>(p) = std::move(*read);
  for (const Gate& gate : p.gates) WHIT_RETURN_IF_ERROR(CheckGate(ctx, gate));
  WHIT_RETURN_IF_ERROR(ReadStates(ctx, options, &p));
  WHIT_RETURN_IF_ERROR(ReadHidden(ctx, options, &p));
  if (d.tier != nullptr && d.tier->vector != nullptr) p.table_i16 = d.tier->vector->table_i16;
  Arrays a;
  prepared->scratch_per_thread = Arrays::Carve(d, nullptr, &a);
  prepared->run = &Run;
  prepared->SetParams(std::move(p));
  return OkStatus();
}

}  // namespace whit
