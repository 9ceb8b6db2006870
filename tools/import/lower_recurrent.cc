// UNIDIRECTIONAL_SEQUENCE_LSTM and SVDF. The numbers are those of the tables in docs/arithmetic.md,
// Recurrent.
#include <algorithm>
#include <cfloat>
#include <cmath>

#include "kernels/tables.h"
#include "tools/import/lowering.h"
#include "tools/import/packing.h"

namespace whit::tools {

namespace {

// Places among the inputs of UNIDIRECTIONAL_SEQUENCE_LSTM. Gates follow each other in the order i,
// f, g, o; peepholes i, f, o.
enum LstmInput : size_t {
  kX = 0,
  kInputWeights = 1,
  kRecurrentWeights = 5,
  kPeepholes = 9,
  kBiases = 12,
  kProjection = 16,
  kProjectionBias = 17,
  kHidden = 18,
  kCell = 19,
  kNorms = 20,
  kLstmInputs = 24,
};
constexpr size_t kGates = 4;
constexpr size_t kHiddenIntermediate = 4;

/// f32(value) as a multiplier: finite, and above the range in which every product rounds to zero
/// anyway.
Result<float> Multiplier(Lowering& l, const char* what, double value) {
  const float m = static_cast<float>(value);
  if (!std::isfinite(m) || !(m >= 0)) {
    return l.Invalid(std::string(what) + " multiplier is " + std::to_string(value) +
                     ", must be finite and positive");
  }
  return std::max(m, FLT_MIN);
}

/// Input i as a constant of `type` with `count` elements.
Result<const GraphTensor*> ConstantInput(Lowering& l, size_t i, DType type, int64_t count) {
  const GraphTensor& t = l.input(i);
  const std::string label = "input " + std::to_string(i) + " " + Lowering::Label(t);
  if (!t.is_const()) return l.Unsupported(label + " is computed at run time");
  if (t.type != type)
    return l.Unsupported(label + " is " + DTypeName(t.type) + ", must be " + DTypeName(type));
  if (t.shape.elements() != count) {
    return l.Invalid(label + " has shape " + t.shape.ToString() + ", " + std::to_string(count) +
                     " elements expected");
  }
  return &t;
}

/// A symmetric constant with one scale, for integer arithmetic.
Result<double> SymmetricScale(Lowering& l, const GraphTensor& t) {
  if (!t.per_tensor() || t.z() != 0 || !(t.s() > 0) || !std::isfinite(t.s())) {
    return l.Unsupported(Lowering::Label(t) + " needs one positive scale and zero point 0");
  }
  return static_cast<double>(t.s());
}

/// Input i as packed weights [n][k].
Result<int> Matrix(Lowering& l, size_t i, int64_t n, int64_t k) {
  const GraphTensor& t = l.input(i);
  const std::string label = "weights " + Lowering::Label(t);
  if (!t.is_const()) return l.Unsupported(label + " are computed at run time");
  if (t.type != DType::kFloat32 && !(t.type == DType::kInt8 && t.quantized())) {
    return l.Unsupported(label + " are " + DTypeName(t.type) +
                         ", must be float32 or quantized int8");
  }
  if (t.shape != Shape{n, k}) {
    return l.Invalid(label + " have shape " + t.shape.ToString() + ", " + Shape{n, k}.ToString() +
                     " expected");
  }
  for (int32_t z : t.zero_point) {
    if (z != 0)
      return l.Unsupported(label + " have zero point " + std::to_string(z) + ", must be 0");
  }
  WeightArray source;
  source.tensor = &t;
  source.values = *t.constant;
  source.n = n, source.run_length = k;
  source.groups = 1, source.runs = 1;
  source.shape = {n, k};
  return AddWeights(l, source);
}

/// bias - zero_point * (sum of each row of `weights`) as a blob; `bias` is an input or kNoBias.
constexpr size_t kNoBias = SIZE_MAX;
Result<int> FoldedBias(Lowering& l, size_t weights, size_t bias, int32_t zero_point) {
  const GraphTensor& w = l.input(weights);
  const int64_t n = w.shape[0], k = w.shape[1];
  WHIT_RETURN_IF_ERROR(l.state().work.Charge(static_cast<uint64_t>(n * k)));
  std::vector<int32_t> folded(static_cast<size_t>(n));
  if (bias != kNoBias && l.has(bias)) {
    WHIT_ASSIGN_OR_RETURN(const GraphTensor* t, ConstantInput(l, bias, DType::kInt32, n));
    std::copy_n(t->values<int32_t>().begin(), n, folded.begin());
  }
  const auto values = w.values<int8_t>();
  for (size_t row = 0; row < folded.size(); ++row) {
    const int64_t magnitude = std::abs(int64_t{folded[row]});
    if (!AccumulatorFits(k, magnitude, false)) {
      return l.Unsupported(Lowering::Label(w) + ": " + std::to_string(k) +
                           " products and a bias of " + std::to_string(folded[row]) +
                           " can exceed 2^31");
    }
    int32_t sum = 0;
    for (int64_t j = 0; j < k; ++j)
      sum += values[row * static_cast<size_t>(k) + static_cast<size_t>(j)];
    folded[row] = FoldBias(folded[row], sum, k, zero_point, 0);
  }
  return l.graph().AddArray(std::span<const int32_t>(folded));
}

/// Input i as it is, a blob of `type`; -1 where it is absent.
Result<int> PlainBlob(Lowering& l, size_t i, DType type, int64_t count) {
  if (!l.has(i)) return -1;
  WHIT_ASSIGN_OR_RETURN(const GraphTensor* t, ConstantInput(l, i, type, count));
  return l.graph().AddBlob(t->constant);
}

/// Input i in float: as it is, or int8 times its scale.
Result<int> FloatBlob(Lowering& l, size_t i, int64_t count) {
  if (!l.has(i) || l.input(i).type != DType::kInt8) return PlainBlob(l, i, DType::kFloat32, count);
  WHIT_ASSIGN_OR_RETURN(const GraphTensor* t, ConstantInput(l, i, DType::kInt8, count));
  WHIT_RETURN_IF_ERROR(SymmetricScale(l, *t).status());
  std::vector<float> values;
  for (int8_t v : t->values<int8_t>()) values.push_back(static_cast<float>(v) * t->s());
  return l.graph().AddArray(std::span<const float>(values));
}

/// A state must be a variable of its own; its shape is what the operator needs.
Status ExpectState(Lowering& l, size_t i, DType type, const Shape& shape) {
  const GraphTensor& t = l.input(i);
  if (t.variable < 0)
    return l.Unsupported("state " + Lowering::Label(t) + " is not a variable tensor");
  if (t.type != type || t.shape != shape) {
    return l.Invalid("state " + Lowering::Label(t) + " is " + DTypeName(t.type) +
                     t.shape.ToString() + ", " + DTypeName(type) + shape.ToString() + " expected");
  }
  return OkStatus();
}

// ---- LSTM ----

struct LstmSource {
  tflite::UnidirectionalSequenceLSTMOptionsT options;
  int64_t inputs = 0, cells = 0, outputs = 0;
  bool integer = false;
  bool projection = false;
};

/// Quantization of intermediate k: what inner sums of an integer LSTM are measured in.
Result<const GraphTensor*> Intermediate(Lowering& l, size_t k) {
  const auto* list = l.op().intermediates();
  const int t = list != nullptr && k < list->size() ? list->Get(static_cast<uint32_t>(k)) : -1;
  if (t < 0 || t >= static_cast<int>(l.graph().tensors.size())) {
    return l.Invalid("intermediate tensor " + std::to_string(k) + " is absent");
  }
  const GraphTensor& tensor = l.tensor(t);
  if (!tensor.per_tensor() || !(tensor.s() > 0) || !std::isfinite(tensor.s())) {
    return l.Invalid("intermediate tensor " + std::to_string(k) + " has no single positive scale");
  }
  return &tensor;
}

Status IntegerGate(Lowering& l, const LstmSource& s, size_t k, fbs::LstmGateT* gate) {
  const GraphTensor &x = l.input(kX), &h = l.input(kHidden), &c = l.input(kCell);
  const bool norm = l.has(kNorms + k);
  double unit = 0x1p-12;  // of the gate's sum
  if (norm) {
    WHIT_ASSIGN_OR_RETURN(const GraphTensor* inner, Intermediate(l, k));
    unit = inner->s();
  }
  WHIT_ASSIGN_OR_RETURN(const double sw, SymmetricScale(l, l.input(kInputWeights + k)));
  WHIT_ASSIGN_OR_RETURN(const double sr, SymmetricScale(l, l.input(kRecurrentWeights + k)));
  WHIT_ASSIGN_OR_RETURN(gate->input_bias,
                        FoldedBias(l, kInputWeights + k, norm ? kNoBias : kBiases + k, x.z()));
  WHIT_ASSIGN_OR_RETURN(gate->recurrent_bias, FoldedBias(l, kRecurrentWeights + k, kNoBias, h.z()));
  WHIT_ASSIGN_OR_RETURN(gate->input_multiplier,
                        Multiplier(l, "input", static_cast<double>(x.s()) * sw / unit));
  WHIT_ASSIGN_OR_RETURN(gate->recurrent_multiplier,
                        Multiplier(l, "recurrent", static_cast<double>(h.s()) * sr / unit));
  const size_t peephole = kPeepholes + (k == 3 ? 2 : k);
  if (k != 2 && l.has(peephole)) {
    WHIT_ASSIGN_OR_RETURN(gate->peephole, PlainBlob(l, peephole, DType::kInt16, s.cells));
    WHIT_ASSIGN_OR_RETURN(const double sp, SymmetricScale(l, l.input(peephole)));
    WHIT_ASSIGN_OR_RETURN(gate->peephole_multiplier,
                          Multiplier(l, "peephole", static_cast<double>(c.s()) * sp / unit));
  }
  if (!norm) return OkStatus();
  WHIT_ASSIGN_OR_RETURN(gate->norm, PlainBlob(l, kNorms + k, DType::kInt16, s.cells));
  WHIT_ASSIGN_OR_RETURN(const double sn, SymmetricScale(l, l.input(kNorms + k)));
  WHIT_ASSIGN_OR_RETURN(gate->norm_multiplier, Multiplier(l, "layer normalization", sn * 0x1p12));
  WHIT_ASSIGN_OR_RETURN(gate->norm_bias, PlainBlob(l, kBiases + k, DType::kInt32, s.cells));
  return OkStatus();
}

Status FloatGate(Lowering& l, const LstmSource& s, size_t k, fbs::LstmGateT* gate) {
  const size_t peephole = kPeepholes + (k == 3 ? 2 : k);
  if (k != 2) {
    WHIT_ASSIGN_OR_RETURN(gate->peephole, FloatBlob(l, peephole, s.cells));
  }
  WHIT_ASSIGN_OR_RETURN(gate->norm, FloatBlob(l, kNorms + k, s.cells));
  WHIT_ASSIGN_OR_RETURN(const int bias, FloatBlob(l, kBiases + k, s.cells));
  (gate->norm >= 0 ? gate->norm_bias : gate->input_bias) = bias;
  return OkStatus();
}

Result<std::unique_ptr<fbs::LstmGateT>> LowerGate(Lowering& l, const LstmSource& s, size_t k) {
  auto gate = std::make_unique<fbs::LstmGateT>();
  if (k == 0 && !l.has(kInputWeights)) return gate;  // gate i is what gate f leaves
  if (!l.has(kInputWeights + k) || !l.has(kRecurrentWeights + k)) {
    return l.Invalid("gate " + std::to_string(k) + " lacks input or recurrent weights");
  }
  WHIT_ASSIGN_OR_RETURN(gate->input_weights, Matrix(l, kInputWeights + k, s.cells, s.inputs));
  WHIT_ASSIGN_OR_RETURN(gate->recurrent_weights,
                        Matrix(l, kRecurrentWeights + k, s.cells, s.outputs));
  WHIT_RETURN_IF_ERROR(s.integer ? IntegerGate(l, s, k, gate.get())
                                 : FloatGate(l, s, k, gate.get()));
  return gate;
}

int LstmTables(Graph& graph) {
  std::vector<int16_t> tables;
  for (const OpType f : {OpType::kLogistic, OpType::kTanh}) {
    const auto points = MakeTable16(FunctionOf(f), 0x1p-12, 0, 0x1p-15, 0);
    tables.insert(tables.end(), points.begin(), points.end());
  }
  return graph.AddArray(std::span<const int16_t>(tables));
}

Status IntegerOptions(Lowering& l, const LstmSource& s, fbs::LstmOptionsT* o) {
  const GraphTensor &h = l.input(kHidden), &c = l.input(kCell);
  WHIT_RETURN_IF_ERROR(SymmetricScale(l, c).status());
  int exponent = 0;
  if (std::frexp(c.s(), &exponent) != 0.5f) {
    return l.Unsupported("the cell state's scale " + std::to_string(c.s()) +
                         " is not a power of 2");
  }
  o->cell_shift = exponent - 1;
  o->cell_clip = std::trunc(std::min(s.options.cell_clip / c.s(), 32767.0f));
  o->tables = LstmTables(l.graph());
  double hidden = h.s();
  if (s.projection) {
    WHIT_ASSIGN_OR_RETURN(const GraphTensor* inner, Intermediate(l, kHiddenIntermediate));
    WHIT_ASSIGN_OR_RETURN(const double sp, SymmetricScale(l, l.input(kProjection)));
    hidden = inner->s();
    o->projection_clip = std::trunc(std::min(s.options.proj_clip / h.s(), 127.0f));
    o->hidden_zero_point = inner->z();
    WHIT_ASSIGN_OR_RETURN(o->projection_bias,
                          FoldedBias(l, kProjection, kProjectionBias, inner->z()));
    WHIT_ASSIGN_OR_RETURN(o->projection_multiplier,
                          Multiplier(l, "projection", hidden * sp / static_cast<double>(h.s())));
  }
  WHIT_ASSIGN_OR_RETURN(o->hidden_multiplier, Multiplier(l, "hidden", 0x1p-30 / hidden));
  return OkStatus();
}

/// Sizes from the shapes, states, types; sets the output's shape and quantization.
Result<LstmSource> ReadLstm(Lowering& l) {
  LstmSource s;
  s.options = l.Options(&tflite::Operator::builtin_options_as_UnidirectionalSequenceLSTMOptions);
  if (s.options.fused_activation_function != tflite::ActivationFunctionType::TANH) {
    return l.Unsupported(
        std::string("activation ") +
        tflite::EnumNameActivationFunctionType(s.options.fused_activation_function) +
        ", TANH is implemented");
  }
  if (s.options.diagonal_recurrent_tensors) return l.Unsupported("diagonal recurrent tensors");
  if (!l.has(kHidden) || !l.has(kCell)) return l.Invalid("hidden or cell state is absent");
  const GraphTensor &x = l.input(kX), &h = l.input(kHidden), &c = l.input(kCell);
  if (x.shape.rank() != 3 || h.shape.rank() != 2 || c.shape.rank() != 2) {
    return l.Invalid("input, hidden and cell state need 3, 2 and 2 axes, have " +
                     x.shape.ToString() + ", " + h.shape.ToString() + ", " + c.shape.ToString());
  }
  s.inputs = x.shape[2], s.outputs = h.shape[1], s.cells = c.shape[1];
  s.integer = x.q8() && h.q8();
  s.projection = l.has(kProjection);
  if (!s.integer && !x.is_float())
    return l.Unsupported(std::string("input of type ") + DTypeName(x.type));
  const int64_t batch = x.shape[s.options.time_major ? 1 : 0];
  WHIT_RETURN_IF_ERROR(ExpectState(l, kHidden, x.type, {batch, s.outputs}));
  WHIT_RETURN_IF_ERROR(
      ExpectState(l, kCell, s.integer ? DType::kInt16 : DType::kFloat32, {batch, s.cells}));
  Shape y = x.shape;
  y[2] = s.outputs;
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), y));
  if (l.output(0).type != x.type) return l.Unsupported("input and output of different types");
  // The output is the hidden state of each step, byte for byte, whatever scale the file states for
  // it.
  if (s.integer) l.output(0).CopyQuantFrom(h);
  return s;
}

Status LowerLstm(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(1, kLstmInputs, 1));
  WHIT_ASSIGN_OR_RETURN(const LstmSource s, ReadLstm(l));
  fbs::LstmOptionsT o;
  o.time_major = s.options.time_major;
  o.asymmetric = s.options.asymmetric_quantize_inputs;
  for (size_t k = 0; k < kGates; ++k) {
    WHIT_ASSIGN_OR_RETURN(auto gate, LowerGate(l, s, k));
    o.gates.push_back(std::move(gate));
  }
  if (s.projection) {
    WHIT_ASSIGN_OR_RETURN(o.projection_weights, Matrix(l, kProjection, s.outputs, s.cells));
  }
  if (s.integer) {
    WHIT_RETURN_IF_ERROR(IntegerOptions(l, s, &o));
  } else {
    o.cell_clip = s.options.cell_clip;
    o.projection_clip =
        s.projection ? s.options.proj_clip : 0.0f;  // TFLite reads it with a projection alone
    WHIT_ASSIGN_OR_RETURN(o.projection_bias, FloatBlob(l, kProjectionBias, s.outputs));
  }
  return l.Emit(OpType::kLstm, std::move(o), {l.in(kX), l.in(kHidden), l.in(kCell)}, {l.out(0)});
}

// ---- SVDF ----

enum SvdfInput : size_t { kSvdfX = 0, kFeature = 1, kTime = 2, kBias = 3, kState = 4 };

/// int16 time weights; int8 ones, which go with an int8 state, are widened.
Result<int> TimeWeights(Lowering& l, int64_t count) {
  if (l.input(kTime).type != DType::kInt8) return PlainBlob(l, kTime, DType::kInt16, count);
  WHIT_ASSIGN_OR_RETURN(const GraphTensor* t, ConstantInput(l, kTime, DType::kInt8, count));
  const auto values = t->values<int8_t>();
  const std::vector<int16_t> wide(values.begin(), values.end());
  return l.graph().AddArray(std::span<const int16_t>(wide));
}

Status IntegerSvdf(Lowering& l, int64_t filters, int64_t units, fbs::SvdfOptionsT* o) {
  const GraphTensor &x = l.input(kSvdfX), &state = l.input(kState), &y = l.output(0);
  if (!y.q8()) return l.Unsupported("int8 input and another output");
  WHIT_ASSIGN_OR_RETURN(const double sf, SymmetricScale(l, l.input(kFeature)));
  WHIT_ASSIGN_OR_RETURN(const double st, SymmetricScale(l, l.input(kTime)));
  WHIT_ASSIGN_OR_RETURN(const double ss, SymmetricScale(l, state));
  WHIT_ASSIGN_OR_RETURN(o->feature_bias, FoldedBias(l, kFeature, kNoBias, x.z()));
  WHIT_ASSIGN_OR_RETURN(o->feature_multiplier,
                        Multiplier(l, "feature", static_cast<double>(x.s()) * sf / ss));
  WHIT_ASSIGN_OR_RETURN(o->time_multiplier,
                        Multiplier(l, "time", ss * st / static_cast<double>(y.s())));
  WHIT_ASSIGN_OR_RETURN(o->time_weights, TimeWeights(l, filters * o->memory));
  WHIT_ASSIGN_OR_RETURN(o->bias, PlainBlob(l, kBias, DType::kInt32, units));
  return OkStatus();
}

Status LowerSvdf(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(3, 5, 1));
  if (!l.has(kState)) return l.Invalid("the state is absent");
  const auto opt = l.Options(&tflite::Operator::builtin_options_as_SVDFOptions);
  const Shape x = l.input(kSvdfX).shape, feature = l.input(kFeature).shape,
              time = l.input(kTime).shape;
  if (x.rank() != 2 || feature.rank() != 2 || time.rank() != 2 || opt.rank < 1 ||
      feature[0] % opt.rank != 0 || time[0] != feature[0] || time[1] < 1) {
    return l.Invalid("input " + x.ToString() + ", feature weights " + feature.ToString() +
                     ", time weights " + time.ToString() + " and rank " + std::to_string(opt.rank) +
                     " do not fit together");
  }
  const int64_t filters = feature[0], units = filters / opt.rank;
  const bool integer = l.input(kSvdfX).q8();
  if (!integer && !l.input(kSvdfX).is_float())
    return l.Unsupported("input is neither float32 nor quantized int8");
  const DType state = !integer                               ? DType::kFloat32
                      : l.input(kState).type == DType::kInt8 ? DType::kInt8
                                                             : DType::kInt16;
  WHIT_RETURN_IF_ERROR(ExpectState(l, kState, state, {x[0], filters * time[1]}));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), Shape{x[0], units}));
  WHIT_ASSIGN_OR_RETURN(const Clamp clamp,
                        l.Activation(opt.fused_activation_function, l.output(0)));
  fbs::SvdfOptionsT o;
  o.rank = static_cast<uint32_t>(opt.rank);
  o.memory = static_cast<uint32_t>(time[1]);
  o.asymmetric = opt.asymmetric_quantize_inputs;
  o.lo = clamp.lo, o.hi = clamp.hi;
  WHIT_ASSIGN_OR_RETURN(o.feature_weights, Matrix(l, kFeature, filters, x[1]));
  if (integer) {
    WHIT_RETURN_IF_ERROR(IntegerSvdf(l, filters, units, &o));
  } else {
    WHIT_ASSIGN_OR_RETURN(o.time_weights, FloatBlob(l, kTime, filters * o.memory));
    WHIT_ASSIGN_OR_RETURN(o.bias, FloatBlob(l, kBias, units));
  }
  return l.Emit(OpType::kSvdf, std::move(o), {l.in(kSvdfX), l.in(kState)}, {l.out(0)});
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
