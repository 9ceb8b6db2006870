// Lstm in floats, with float weights or with int8 weights and rows quantized on the way.
#include <cmath>
#include <cstring>

#include "kernels/float_math.h"
#include "kernels/lstm_parts.h"

namespace whit {

namespace {

using Gate = LstmGateOf<float, float>;

struct FloatLstm : LstmOf<float, float> {
  RowCode code = RowCode::kFloat;
  float cell_clip = 0, projection_clip = 0;  // 0: none
};

/// Scratch of one sequence: quantized rows (int8 weights), gates, and what goes into the
/// projection.
struct Arrays {
  int16_t *x, *h, *m;
  float *i, *f, *g, *o;  // [cells]

  static size_t Carve(const LstmDims& d, bool quantized, uint8_t* base, Arrays* a) {
    ScratchCursor cursor(base);
    a->x = cursor.Take<int16_t>(quantized ? WidenedLength(d.inputs) : 0);
    a->h = cursor.Take<int16_t>(quantized ? WidenedLength(d.outputs) : 0);
    a->m = cursor.Take<int16_t>(quantized ? WidenedLength(d.cells) : 0);
    for (float** gate : {&a->i, &a->f, &a->g, &a->o}) *gate = cursor.Take<float>(d.cells);
    return cursor.bytes();
  }
};

/// Clips where `limit` is not 0; NaN stays.
void Clip(float limit, float* values, int64_t n) {
  if (limit == 0) return;
  for (int64_t i = 0; i < n; ++i) {
    const float v = values[i];
    values[i] = v < -limit ? -limit : v > limit ? limit : v;
  }
}

void Normalize(const Gate& gate, int64_t cells, float* sums) {
  float sum = 0, squares = 0;
  for (int64_t c = 0; c < cells; ++c) sum += sums[c];
  const float mean = sum / static_cast<float>(cells);
  for (int64_t c = 0; c < cells; ++c) squares += (sums[c] - mean) * (sums[c] - mean);
  const float inverse = 1.0f / std::sqrt(squares / static_cast<float>(cells) + 1e-8f);
  for (int64_t c = 0; c < cells; ++c) {
    const float bias = gate.norm_bias != nullptr ? gate.norm_bias[c] : 0.0f;
    sums[c] = (sums[c] - mean) * inverse * gate.norm[c] + bias;
  }
}

/// What goes into the gate's activation. `cell` is what its peephole sees.
void SumGate(const FloatLstm& p, const Gate& gate, const FloatRow& x, const FloatRow& h,
             const float* cell, float* out) {
  const int64_t cells = p.d.cells;
  if (gate.input_bias != nullptr) {
    std::copy_n(gate.input_bias, cells, out);
  } else {
    std::fill_n(out, cells, 0.0f);
  }
  AddProduct(gate.input, x, out);
  AddProduct(gate.recurrent, h, out);
  for (int64_t c = 0; gate.peephole != nullptr && c < cells; ++c)
    out[c] += gate.peephole[c] * cell[c];
  if (gate.norm != nullptr) Normalize(gate, cells, out);
}

void Logistic(float* values, int64_t n) {
  for (int64_t i = 0; i < n; ++i) values[i] = LogisticFloat(values[i]);
}

void Tanh(float* values, int64_t n) {
  for (int64_t i = 0; i < n; ++i) values[i] = TanhFloat(values[i]);
}

void UpdateCells(const FloatLstm& p, const Arrays& a, float* cell) {
  const bool coupled = !p.gates[kGateI].present();
  for (int64_t c = 0; c < p.d.cells; ++c) {
    const float admit = coupled ? 1.0f - a.f[c] : a.i[c];
    cell[c] = a.f[c] * cell[c] + admit * a.g[c];
  }
  Clip(p.cell_clip, cell, p.d.cells);
}

/// One time step: x [inputs] -> hidden state [outputs], cell updated.
void Step(const FloatLstm& p, const Arrays& a, const float* x, float* hidden, float* cell) {
  const int64_t cells = p.d.cells;
  const FloatRow row = MakeFloatRow(x, p.d.inputs, p.code, a.x);
  const FloatRow before = MakeFloatRow(hidden, p.d.outputs, p.code, a.h);
  if (p.gates[kGateI].present()) {
    SumGate(p, p.gates[kGateI], row, before, cell, a.i);
    Logistic(a.i, cells);
  }
  SumGate(p, p.gates[kGateF], row, before, cell, a.f);
  Logistic(a.f, cells);
  SumGate(p, p.gates[kGateG], row, before, cell, a.g);
  Tanh(a.g, cells);
  UpdateCells(p, a, cell);
  SumGate(p, p.gates[kGateO], row, before, cell, a.o);
  Logistic(a.o, cells);
  for (int64_t c = 0; c < cells; ++c) a.o[c] *= TanhFloat(cell[c]);
  if (!p.projection.present()) {
    std::copy_n(a.o, cells, hidden);
    Clip(p.projection_clip, hidden, p.d.outputs);
    return;
  }
  if (p.projection_bias != nullptr) {
    std::copy_n(p.projection_bias, p.d.outputs, hidden);
  } else {
    std::fill_n(hidden, p.d.outputs, 0.0f);
  }
  AddProduct(p.projection, MakeFloatRow(a.o, cells, p.code, a.m), hidden);
  Clip(p.projection_clip, hidden, p.d.outputs);
}

KernelCode Run(const RunContext& ctx) {
  const auto& p = ctx.As<FloatLstm>();
  Arrays a;
  Arrays::Carve(p.d, p.code != RowCode::kFloat, ctx.scratch, &a);
  for (int64_t b = ctx.tasks.begin; b < ctx.tasks.end; ++b) {
    float* hidden = ctx.in[1].mut<float>() + b * p.d.outputs;
    float* cell = ctx.in[2].mut<float>() + b * p.d.cells;
    for (int64_t t = 0; t < p.d.steps; ++t) {
      const int64_t row = p.d.Row(b, t);
      Step(p, a, ctx.in[0].as<float>() + row * p.d.inputs, hidden, cell);
      std::copy_n(hidden, p.d.outputs, ctx.out[0].mut<float>() + row * p.d.outputs);
    }
  }
  return KernelCode::kOk;
}

/// All weights are of one kind: float, or int8.
Status CheckKinds(const PrepareContext& ctx, const FloatLstm& p) {
  const bool is_float = p.gates[kGateF].input.is_float;
  const auto differs = [&](const PackedMatrix& m) { return m.present() && m.is_float != is_float; };
  bool mixed = differs(p.projection);
  for (const Gate& gate : p.gates) mixed |= differs(gate.input) || differs(gate.recurrent);
  if (mixed) return ctx.Error(StatusCode::kUnsupported, "float and int8 weights in one operator");
  for (const float clip : {p.cell_clip, p.projection_clip}) {
    if (!(clip >= 0)) {
      return ctx.Error(StatusCode::kInvalidModel,
                       "a clip must be 0 or positive, is " + std::to_string(clip));
    }
  }
  return OkStatus();
}

}  // namespace

Status PrepareFloatLstm(const PrepareContext& ctx, const fbs::LstmOptions& options,
                        const LstmDims& d, Prepared* prepared) {
  FloatLstm p;
  auto read = ReadLstm<float, float>(ctx, options, d);
  if (!read.ok()) return read.status();
  static_cast<LstmOf<float, float>&>(p) = std::move(*read);
  p.cell_clip = options.cell_clip();
  p.projection_clip = options.projection_clip();
  WHIT_RETURN_IF_ERROR(CheckKinds(ctx, p));
  if (!p.gates[kGateF].input.is_float) {
    p.code = options.asymmetric() ? RowCode::kAsymmetric : RowCode::kSymmetric;
  }
  Arrays a;
  prepared->scratch_per_thread = Arrays::Carve(d, p.code != RowCode::kFloat, nullptr, &a);
  prepared->exact = false;
  prepared->run = &Run;
  prepared->SetParams(std::move(p));
  return OkStatus();
}

}  // namespace whit
