// Lstm: a long short-term memory over a sequence, with the variants of TFLite (coupled gates,
// peepholes, layer normalization, projection). In: x[batch, steps, inputs] ([steps, batch, inputs]
// where time_major), hidden state [batch, outputs], cell state [batch, cells], both variables that
// the run updates. Out: y, the hidden state of every step. Tasks are sequences.
// docs/arithmetic.md, Recurrent.
#include "kernels/lstm_parts.h"
#include "kernels/options.h"
#include "kernels/weighted.h"

namespace whit {

namespace {

// Squares of int16 summed over this many cells fit 62 bits (layer normalization), and scratch stays
// far below what a size can hold.
constexpr int64_t kMaxCells = 1 << 16;
constexpr int64_t kMaxRow = 1 << 24;

constexpr const char* kGateNames[kLstmGates] = {"gate i", "gate f", "gate g", "gate o"};

Result<LstmDims> ReadDims(const PrepareContext& ctx, const fbs::LstmOptions& options) {
  const Shape &x = ctx.in[0].shape, &hidden = ctx.in[1].shape, &cell = ctx.in[2].shape;
  if (x.rank() != 3 || hidden.rank() != 2 || cell.rank() != 2) {
    return ctx.Error(StatusCode::kInvalidModel,
                     "input, hidden and cell state need 3, 2 and 2 axes, have " + x.ToString() +
                         ", " + hidden.ToString() + ", " + cell.ToString());
  }
  LstmDims d;
  d.time_major = options.time_major();
  d.batch = x[d.time_major ? 1 : 0];
  d.steps = x[d.time_major ? 0 : 1];
  d.inputs = x[2];
  d.outputs = hidden[1];
  d.cells = cell[1];
  if (d.inputs < 1 || d.inputs > kMaxRow || d.outputs < 1 || d.outputs > kMaxRow || d.cells < 1 ||
      d.cells > kMaxCells) {
    return ctx.Error(StatusCode::kUnsupported,
                     std::to_string(d.inputs) + " inputs, " + std::to_string(d.cells) + " cells, " +
                         std::to_string(d.outputs) + " outputs; at most " +
                         std::to_string(kMaxRow) + ", " + std::to_string(kMaxCells) + ", " +
                         std::to_string(kMaxRow));
  }
  WHIT_RETURN_IF_ERROR(ExpectState(ctx, 1, "the hidden state", Shape{d.batch, d.outputs}));
  WHIT_RETURN_IF_ERROR(ExpectState(ctx, 2, "the cell state", Shape{d.batch, d.cells}));
  Shape y = x;
  y[2] = d.outputs;
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(0, y));
  return d;
}

template <typename Bias, typename Coef>
Status ReadGate(const PrepareContext& ctx, const fbs::LstmGate& from, const char* name,
                const LstmDims& d, LstmGateOf<Bias, Coef>* gate) {
  WHIT_ASSIGN_OR_RETURN(gate->input,
                        ReadMatrix(ctx, from.input_weights(), name, d.cells, d.inputs));
  WHIT_ASSIGN_OR_RETURN(gate->recurrent,
                        ReadMatrix(ctx, from.recurrent_weights(), name, d.cells, d.outputs));
  if (gate->input.present() != gate->recurrent.present()) {
    return ctx.Error(StatusCode::kInvalidModel,
                     std::string(name) + " has only one of input and recurrent weights");
  }
  constexpr bool kOptional = true;
  WHIT_ASSIGN_OR_RETURN(gate->input_bias,
                        ctx.Blob<Bias>(from.input_bias(), d.cells, "input bias", kOptional));
  WHIT_ASSIGN_OR_RETURN(gate->recurrent_bias, ctx.Blob<int32_t>(from.recurrent_bias(), d.cells,
                                                                "recurrent bias", kOptional));
  WHIT_ASSIGN_OR_RETURN(gate->peephole,
                        ctx.Blob<Coef>(from.peephole(), d.cells, "peephole", kOptional));
  WHIT_ASSIGN_OR_RETURN(gate->norm, ctx.Blob<Coef>(from.norm(), d.cells, "norm", kOptional));
  WHIT_ASSIGN_OR_RETURN(gate->norm_bias,
                        ctx.Blob<Bias>(from.norm_bias(), d.cells, "norm bias", kOptional));
  UseTier(d.tier, &gate->input);
  UseTier(d.tier, &gate->recurrent);
  gate->input_multiplier = from.input_multiplier();
  gate->recurrent_multiplier = from.recurrent_multiplier();
  gate->peephole_multiplier = from.peephole_multiplier();
  gate->norm_multiplier = from.norm_multiplier();
  return OkStatus();
}

}  // namespace

template <typename Bias, typename Coef>
Result<LstmOf<Bias, Coef>> ReadLstm(const PrepareContext& ctx, const fbs::LstmOptions& options,
                                    const LstmDims& d) {
  LstmOf<Bias, Coef> p;
  p.d = d;
  const size_t gates = options.gates() == nullptr ? 0 : options.gates()->size();
  if (gates != kLstmGates) {
    return ctx.Error(StatusCode::kInvalidModel,
                     "4 gates expected, the file has " + std::to_string(gates));
  }
  for (size_t g = 0; g < kLstmGates; ++g) {
    const fbs::LstmGate& from = *options.gates()->Get(static_cast<unsigned>(g));
    WHIT_RETURN_IF_ERROR(ReadGate(ctx, from, kGateNames[g], d, &p.gates[g]));
    if (g != kGateI && !p.gates[g].present()) {
      return ctx.Error(StatusCode::kInvalidModel, std::string(kGateNames[g]) + " has no weights");
    }
  }
  if (p.gates[kGateG].peephole != nullptr) {
    return ctx.Error(StatusCode::kInvalidModel, "gate g cannot have a peephole");
  }
  WHIT_ASSIGN_OR_RETURN(p.projection, ReadMatrix(ctx, options.projection_weights(), "projection",
                                                 d.outputs, d.cells));
  // Its output is the hidden state, which has no room behind it.
  UseTier(d.tier, &p.projection);
  if (d.outputs % 16 != 0) p.projection.floats = nullptr;
  WHIT_ASSIGN_OR_RETURN(p.projection_bias, ctx.Blob<Bias>(options.projection_bias(), d.outputs,
                                                          "projection bias", /*optional=*/true));
  if (!p.projection.present() && d.outputs != d.cells) {
    return ctx.Error(StatusCode::kInvalidModel,
                     std::to_string(d.cells) +
                         " cells without a projection make as many outputs, "
                         "the hidden state has " +
                         std::to_string(d.outputs));
  }
  return p;
}

template Result<LstmOf<int32_t, int16_t>> ReadLstm(const PrepareContext&, const fbs::LstmOptions&,
                                                   const LstmDims&);
template Result<LstmOf<float, float>> ReadLstm(const PrepareContext&, const fbs::LstmOptions&,
                                               const LstmDims&);

Status PrepareLstm(const PrepareContext& ctx, Prepared* p) {
  return PrepareLstmOn(ctx, nullptr, p);
}

Status PrepareLstmOn(const PrepareContext& ctx, const simd::Tier* tier, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(3, 3));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::LstmOptions>(ctx));
  const DType type = ctx.in[0].type;
  WHIT_RETURN_IF_ERROR(
      ctx.ExpectType("the input", type, {DType::kFloat32, DType::kInt8, DType::kUint8}));
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("the hidden state", ctx.in[1].type, {type}));
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("the output", ctx.out[0].type, {type}));
  const bool is_float = type == DType::kFloat32;
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("the cell state", ctx.in[2].type,
                                      {is_float ? DType::kFloat32 : DType::kInt16}));
  WHIT_ASSIGN_OR_RETURN(LstmDims d, ReadDims(ctx, *options));
  d.tier = tier;
  WHIT_RETURN_IF_ERROR(is_float ? PrepareFloatLstm(ctx, *options, d, p)
                                : PrepareIntegerLstm(ctx, *options, d, p));
  p->tasks = d.batch;
  const int64_t per_cell =
      4 * (d.inputs + d.outputs) + (options->projection_weights() >= 0 ? d.outputs : 0);
  p->macs = SaturatingProduct(d.batch * d.steps, d.cells, per_cell);
  return OkStatus();
}

const char* const kTypesLstm = "int8 uint8 float32 float32xint8";

}  // namespace whit
