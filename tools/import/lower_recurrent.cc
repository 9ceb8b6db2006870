// UNIDIRECTIONAL_SEQUENCE_LSTM and SVDF; the numbers they store are listed in docs/arithmetic.md, Recurrent.
#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/tables.h"
#include "tools/import/packing.h"

namespace whit::tools {

namespace {

// Converters leave an optional operand out, or name an empty tensor.
bool Present(Lowering& l, size_t i) { return l.has(i) && l.input(i).shape.elements() > 0; }

Status ExpectConst(Lowering& l, size_t i, const char* what) {
  if (!Present(l, i)) return l.Invalid(std::string(what) + " is absent");
  if (!l.input(i).is_const()) return l.Unsupported(std::string(what) + " is computed at run time");
  return OkStatus();
}

Status ExpectState(Lowering& l, size_t i, const char* what) {
  if (!l.has(i) || l.input(i).variable < 0) return l.Invalid(std::string(what) + " is not a variable");
  return OkStatus();
}

// A weight matrix [n][k], int8 or float32.
Result<int> AddMatrix(Lowering& l, size_t i, const char* what) {
  WHIT_RETURN_IF_ERROR(ExpectConst(l, i, what));
  const GraphTensor& t = l.input(i);
  if (t.shape.rank() != 2) return l.Invalid(std::string(what) + " has shape " + t.shape.ToString());
  if (!t.is_float() && !(t.type == DType::kInt8 && t.quantized())) {
    return l.Unsupported(std::string(what) + " is " + DTypeName(t.type));
  }
  WeightSource source;
  source.tensor = &t;
  source.values = *t.constant;
  source.n = t.shape[0], source.groups = 1, source.runs = 1, source.run_length = t.shape[1];
  source.shape = {t.shape[0], t.shape[1]};
  return AddWeights(l, source);
}

// -zero_point * (sum of each row), plus the bias of input `bias` if it has one: int32[n].
Result<int> AddFoldedBias(Lowering& l, int weights, int32_t zero_point, int bias) {
  const fbs::WeightsT& w = l.graph().weights[static_cast<size_t>(weights)];
  if (w.sums < 0) return l.Unsupported("float weights '" + w.name + "' with 8-bit activations");
  const SharedBytes sums = l.graph().blobs[static_cast<size_t>(w.sums)];
  std::vector<int32_t> folded(w.n);
  std::span<const int32_t> b;
  if (bias >= 0) {
    const GraphTensor& t = l.tensor(bias);
    if (!t.is_const() || t.type != DType::kInt32 || t.shape.elements() != static_cast<int64_t>(w.n)) {
      return l.Invalid("bias '" + t.name + "' must be a constant int32[" + std::to_string(w.n) + "]");
    }
    b = t.values<int32_t>();
  }
  for (size_t i = 0; i < folded.size(); ++i) {
    int32_t sum = 0;
    std::memcpy(&sum, sums->data() + i * sizeof(sum), sizeof(sum));
    folded[i] = FoldBias(b.empty() ? 0 : b[i], sum, static_cast<int64_t>(w.runs) * w.run_length, zero_point, 0);
  }
  return l.graph().AddArray(std::span<const int32_t>(folded));
}

// A constant of `type` as a blob; where `type` is float32, int8 values are dequantized, where it is int16, int8 widened.
Result<int> AddCoefficients(Lowering& l, size_t i, DType type, const char* what) {
  if (!Present(l, i)) return -1;
  WHIT_RETURN_IF_ERROR(ExpectConst(l, i, what));
  const GraphTensor& t = l.input(i);
  if (t.type == type) return l.graph().AddBlob(t.constant);
  if (t.type != DType::kInt8 || !t.q8()) return l.Unsupported(std::string(what) + " is " + DTypeName(t.type));
  if (type == DType::kInt16 && t.z() == 0) {
    const std::vector<int16_t> wide(t.values<int8_t>().begin(), t.values<int8_t>().end());
    return l.graph().AddArray(std::span<const int16_t>(wide));
  }
  if (type != DType::kFloat32) return l.Unsupported(std::string(what) + " is int8");
  std::vector<float> real;
  for (int8_t q : t.values<int8_t>()) real.push_back(t.s() * static_cast<float>(q - t.z()));
  return l.graph().AddArray(std::span<const float>(real));
}

Result<float> Multiplier(Lowering& l, const char* what, double value) {
  const auto m = static_cast<float>(value);
  if (m > 0 && std::isfinite(m)) return m;
  return l.Invalid(std::string(what) + " would be " + std::to_string(value));
}

Result<double> ScaleOf(Lowering& l, int tensor, const char* what) {
  if (tensor < 0 || !l.tensor(tensor).per_tensor()) return l.Invalid(std::string(what) + " has no scale");
  return static_cast<double>(l.tensor(tensor).s());
}

// ---- LSTM ----

enum Operand : size_t { kX = 0, kProjection = 16, kProjectionBias = 17, kHidden = 18, kCell = 19, kOperands = 24 };

// Places of a gate's operands, in the order i, f, g, o. kNone: it has none.
constexpr size_t kNone = 99;
struct GatePlaces {
  size_t input, recurrent, peephole, bias, norm;
};
constexpr GatePlaces kGates[4] = {{1, 5, 9, 12, 20}, {2, 6, 10, 13, 21}, {3, 7, kNone, 14, 22}, {4, 8, 11, 15, 23}};

struct LstmScales {
  double x = 0, hidden = 0, cell = 0;
  double gate_default = 0x1p-12;
};

int Intermediate(const Lowering& l, uint32_t i) {
  const auto* list = l.op().intermediates();
  return list != nullptr && i < list->size() ? list->Get(i) : -1;
}

Status FillIntegerGate(Lowering& l, size_t g, const LstmScales& s, fbs::LstmGateT* gate) {
  const GatePlaces& at = kGates[g];
  const bool norm = Present(l, at.norm);
  const int bias = Present(l, at.bias) ? l.in(at.bias) : -1;
  double sg = s.gate_default;
  if (norm) {
    WHIT_ASSIGN_OR_RETURN(sg, ScaleOf(l, Intermediate(l, static_cast<uint32_t>(g)), "an intermediate"));
  }
  WHIT_ASSIGN_OR_RETURN(gate->input_bias,
                        AddFoldedBias(l, gate->input_weights, l.input(kX).z(), norm ? -1 : bias));
  WHIT_ASSIGN_OR_RETURN(gate->recurrent_bias, AddFoldedBias(l, gate->recurrent_weights, l.input(kHidden).z(), -1));
  WHIT_ASSIGN_OR_RETURN(const double sw, ScaleOf(l, l.in(at.input), "input weights"));
  WHIT_ASSIGN_OR_RETURN(const double sr, ScaleOf(l, l.in(at.recurrent), "recurrent weights"));
  WHIT_ASSIGN_OR_RETURN(gate->input_multiplier, Multiplier(l, "the input multiplier", s.x * sw / sg));
  WHIT_ASSIGN_OR_RETURN(gate->recurrent_multiplier, Multiplier(l, "the recurrent multiplier", s.hidden * sr / sg));
  if (at.peephole != kNone && Present(l, at.peephole)) {
    WHIT_ASSIGN_OR_RETURN(gate->peephole, AddCoefficients(l, at.peephole, DType::kInt16, "the peephole"));
    WHIT_ASSIGN_OR_RETURN(const double sp, ScaleOf(l, l.in(at.peephole), "the peephole"));
    WHIT_ASSIGN_OR_RETURN(gate->peephole_multiplier, Multiplier(l, "the peephole multiplier", s.cell * sp / sg));
  }
  if (!norm) return OkStatus();
  WHIT_ASSIGN_OR_RETURN(gate->norm, AddCoefficients(l, at.norm, DType::kInt16, "the normalization"));
  WHIT_ASSIGN_OR_RETURN(gate->norm_bias, AddCoefficients(l, at.bias, DType::kInt32, "the bias"));
  WHIT_ASSIGN_OR_RETURN(const double sn, ScaleOf(l, l.in(at.norm), "the normalization"));
  WHIT_ASSIGN_OR_RETURN(gate->norm_multiplier, Multiplier(l, "the normalization multiplier", sn * 0x1p12));
  return OkStatus();
}

Status FillFloatGate(Lowering& l, size_t g, fbs::LstmGateT* gate) {
  const GatePlaces& at = kGates[g];
  const bool norm = Present(l, at.norm);
  int32_t& bias = norm ? gate->norm_bias : gate->input_bias;
  WHIT_ASSIGN_OR_RETURN(bias, AddCoefficients(l, at.bias, DType::kFloat32, "the bias"));
  WHIT_ASSIGN_OR_RETURN(gate->norm, AddCoefficients(l, at.norm, DType::kFloat32, "the normalization"));
  if (at.peephole == kNone) return OkStatus();
  WHIT_ASSIGN_OR_RETURN(gate->peephole, AddCoefficients(l, at.peephole, DType::kFloat32, "the peephole"));
  return OkStatus();
}

Result<std::unique_ptr<fbs::LstmGateT>> MakeGate(Lowering& l, size_t g, bool integer, const LstmScales& scales) {
  auto gate = std::make_unique<fbs::LstmGateT>();
  if (g == 0 && !Present(l, kGates[0].input)) return gate;  // input and forget gate coupled
  WHIT_ASSIGN_OR_RETURN(gate->input_weights, AddMatrix(l, kGates[g].input, "a gate's input weights"));
  WHIT_ASSIGN_OR_RETURN(gate->recurrent_weights, AddMatrix(l, kGates[g].recurrent, "a gate's recurrent weights"));
  WHIT_RETURN_IF_ERROR(integer ? FillIntegerGate(l, g, scales, gate.get()) : FillFloatGate(l, g, gate.get()));
  return gate;
}

// What only the int8 form stores: shifts, multipliers, clips in stored units, tables.
Status FillIntegerLstm(Lowering& l, const LstmScales& s, float cell_clip, float proj_clip, fbs::LstmOptionsT* o) {
  const bool projected = Present(l, kProjection);
  o->cell_shift = static_cast<int32_t>(std::lround(std::log2(s.cell)));
  if (std::ldexp(1.0, o->cell_shift) != s.cell) {
    return l.Unsupported("the scale of the cell state is " + std::to_string(s.cell) + ", not a power of two");
  }
  double sm = s.hidden;
  o->hidden_zero_point = l.input(kHidden).z();
  if (projected) {
    const int inner = Intermediate(l, 4);
    WHIT_ASSIGN_OR_RETURN(sm, ScaleOf(l, inner, "intermediate 4"));
    o->hidden_zero_point = l.tensor(inner).z();
    WHIT_ASSIGN_OR_RETURN(o->projection_bias,
                          AddFoldedBias(l, o->projection_weights, o->hidden_zero_point,
                                        Present(l, kProjectionBias) ? l.in(kProjectionBias) : -1));
    WHIT_ASSIGN_OR_RETURN(const double sp, ScaleOf(l, l.in(kProjection), "the projection"));
    WHIT_ASSIGN_OR_RETURN(o->projection_multiplier, Multiplier(l, "the projection multiplier", sm * sp / s.hidden));
  }
  WHIT_ASSIGN_OR_RETURN(o->hidden_multiplier, Multiplier(l, "the hidden multiplier", 0x1p-30 / sm));
  o->cell_clip = static_cast<float>(std::trunc(std::min(cell_clip / s.cell, 32767.0)));
  o->projection_clip = static_cast<float>(std::trunc(std::min(proj_clip / s.hidden, 255.0)));
  const auto logistic = MakeTable16(FunctionOf(OpType::kLogistic), 0x1p-12, 0, 0x1p-15, 0);
  const auto tanh = MakeTable16(FunctionOf(OpType::kTanh), 0x1p-12, 0, 0x1p-15, 0);
  std::vector<int16_t> tables(logistic.begin(), logistic.end());
  tables.insert(tables.end(), tanh.begin(), tanh.end());
  o->tables = l.graph().AddArray(std::span<const int16_t>(tables));
  return OkStatus();
}

Result<LstmScales> ReadScales(Lowering& l) {
  LstmScales s;
  WHIT_ASSIGN_OR_RETURN(s.x, ScaleOf(l, l.in(kX), "the input"));
  WHIT_ASSIGN_OR_RETURN(s.hidden, ScaleOf(l, l.in(kHidden), "the hidden state"));
  WHIT_ASSIGN_OR_RETURN(s.cell, ScaleOf(l, l.in(kCell), "the cell state"));
  return s;
}

Status LowerLstm(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(1, kOperands, 1));
  const auto opt = l.Options(&tflite::Operator::builtin_options_as_UnidirectionalSequenceLSTMOptions);
  if (opt.fused_activation_function != tflite::ActivationFunctionType::TANH) return l.Unsupported("an activation that is not TANH");
  if (opt.diagonal_recurrent_tensors) return l.Unsupported("diagonal recurrent weights");
  if (!(opt.cell_clip >= 0) || !(opt.proj_clip >= 0)) return l.Invalid("a clip below 0");
  WHIT_RETURN_IF_ERROR(ExpectState(l, kHidden, "the hidden state"));
  WHIT_RETURN_IF_ERROR(ExpectState(l, kCell, "the cell state"));
  WHIT_RETURN_IF_ERROR(ExpectConst(l, kGates[1].recurrent, "the recurrent weights"));
  const Shape x = l.input(kX).shape, recurrent = l.input(kGates[1].recurrent).shape;
  if (x.rank() != 3 || recurrent.rank() != 2) return l.Invalid("an input of shape " + x.ToString() + ", 3 axes needed");
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), Shape{x[0], x[1], recurrent[1]}));
  const bool integer = l.input(kX).q8();
  if (!integer && !l.input(kX).is_float()) return l.Unsupported(std::string("input type ") + DTypeName(l.input(kX).type));
  LstmScales scales;
  if (integer) {
    WHIT_ASSIGN_OR_RETURN(scales, ReadScales(l));
  }
  fbs::LstmOptionsT o;
  o.time_major = opt.time_major;
  o.asymmetric = opt.asymmetric_quantize_inputs;
  o.cell_clip = opt.cell_clip, o.projection_clip = opt.proj_clip;
  for (size_t g = 0; g < 4; ++g) {
    WHIT_ASSIGN_OR_RETURN(auto gate, MakeGate(l, g, integer, scales));
    o.gates.push_back(std::move(gate));
  }
  if (Present(l, kProjection)) {
    WHIT_ASSIGN_OR_RETURN(o.projection_weights, AddMatrix(l, kProjection, "the projection"));
  }
  if (integer) {
    WHIT_RETURN_IF_ERROR(FillIntegerLstm(l, scales, opt.cell_clip, opt.proj_clip, &o));
  } else {
    WHIT_ASSIGN_OR_RETURN(o.projection_bias, AddCoefficients(l, kProjectionBias, DType::kFloat32, "the projection's bias"));
  }
  return l.Emit(OpType::kLstm, std::move(o), {l.in(kX), l.in(kHidden), l.in(kCell)}, {l.out(0)});
}

// ---- SVDF ----

Status FillIntegerSvdf(Lowering& l, fbs::SvdfOptionsT* o) {
  WHIT_ASSIGN_OR_RETURN(o->feature_bias, AddFoldedBias(l, o->feature_weights, l.input(0).z(), -1));
  WHIT_ASSIGN_OR_RETURN(o->time_weights, AddCoefficients(l, 2, DType::kInt16, "the time weights"));
  WHIT_ASSIGN_OR_RETURN(o->bias, AddCoefficients(l, 3, DType::kInt32, "the bias"));
  WHIT_ASSIGN_OR_RETURN(const double sx, ScaleOf(l, l.in(0), "the input"));
  WHIT_ASSIGN_OR_RETURN(const double sw, ScaleOf(l, l.in(1), "the feature weights"));
  WHIT_ASSIGN_OR_RETURN(const double st, ScaleOf(l, l.in(2), "the time weights"));
  WHIT_ASSIGN_OR_RETURN(const double ss, ScaleOf(l, l.in(4), "the state"));
  WHIT_ASSIGN_OR_RETURN(const double sy, ScaleOf(l, l.out(0), "the output"));
  WHIT_ASSIGN_OR_RETURN(o->feature_multiplier, Multiplier(l, "the feature multiplier", sx * sw / ss));
  WHIT_ASSIGN_OR_RETURN(o->time_multiplier, Multiplier(l, "the time multiplier", ss * st / sy));
  return OkStatus();
}

Status LowerSvdf(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(3, 5, 1));
  const auto opt = l.Options(&tflite::Operator::builtin_options_as_SVDFOptions);
  WHIT_RETURN_IF_ERROR(ExpectState(l, 4, "the state"));
  WHIT_RETURN_IF_ERROR(ExpectConst(l, 2, "the time weights"));
  const Shape x = l.input(0).shape, feature = l.input(1).shape, time = l.input(2).shape;
  if (x.rank() != 2 || feature.rank() != 2 || time.rank() != 2 || opt.rank < 1 || feature[0] % opt.rank != 0) {
    return l.Invalid("input " + x.ToString() + ", feature weights " + feature.ToString() + ", time weights " +
                     time.ToString() + " and rank " + std::to_string(opt.rank) + " do not fit together");
  }
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), Shape{x[0], feature[0] / opt.rank}));
  WHIT_ASSIGN_OR_RETURN(const Clamp clamp, l.Activation(opt.fused_activation_function, l.output(0)));
  fbs::SvdfOptionsT o;
  o.rank = static_cast<uint32_t>(opt.rank);
  o.memory = static_cast<uint32_t>(time[1]);
  o.asymmetric = opt.asymmetric_quantize_inputs;
  o.lo = clamp.lo, o.hi = clamp.hi;
  WHIT_ASSIGN_OR_RETURN(o.feature_weights, AddMatrix(l, 1, "the feature weights"));
  if (l.input(0).q8()) {
    WHIT_RETURN_IF_ERROR(FillIntegerSvdf(l, &o));
  } else if (l.input(0).is_float()) {
    WHIT_ASSIGN_OR_RETURN(o.time_weights, AddCoefficients(l, 2, DType::kFloat32, "the time weights"));
    WHIT_ASSIGN_OR_RETURN(o.bias, AddCoefficients(l, 3, DType::kFloat32, "the bias"));
  } else {
    return l.Unsupported(std::string("input type ") + DTypeName(l.input(0).type));
  }
  return l.Emit(OpType::kSvdf, std::move(o), {l.in(0), l.in(4)}, {l.out(0)});
}

}  // namespace

std::span<const LowerRow> RecurrentRows() {
  static constexpr LowerRow kRows[] = {
      {BuiltinOperator::UNIDIRECTIONAL_SEQUENCE_LSTM, LowerLstm},
      {BuiltinOperator::SVDF, LowerSvdf},
  };
  return kRows;
}

}  // namespace whit::tools
