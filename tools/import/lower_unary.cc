// Operators of one operand, element by element: a float kernel, or a table for quantized tensors;
// softmax and its kin.
#include <algorithm>
#include <cmath>

#include "tools/import/lowering.h"
#include "tools/import/tables.h"

namespace whit::tools {

namespace {

struct UnaryRow {
  BuiltinOperator code;
  OpType type;
  float lo = -kInf, hi = kInf;  // not infinite: the operator is this clamp of the real value
};

constexpr UnaryRow kUnary[] = {
    {BuiltinOperator::ABS, OpType::kAbs},
    {BuiltinOperator::NEG, OpType::kNeg},
    {BuiltinOperator::SQRT, OpType::kSqrt},
    {BuiltinOperator::RSQRT, OpType::kRsqrt},
    {BuiltinOperator::SQUARE, OpType::kSquare},
    {BuiltinOperator::EXP, OpType::kExp},
    {BuiltinOperator::LOG, OpType::kLog},
    {BuiltinOperator::SIN, OpType::kSin},
    {BuiltinOperator::COS, OpType::kCos},
    {BuiltinOperator::FLOOR, OpType::kFloor},
    {BuiltinOperator::CEIL, OpType::kCeil},
    {BuiltinOperator::ROUND, OpType::kRound},
    {BuiltinOperator::LOGISTIC, OpType::kLogistic},
    {BuiltinOperator::TANH, OpType::kTanh},
    {BuiltinOperator::RELU, OpType::kRelu, 0, kInf},
    {BuiltinOperator::RELU6, OpType::kRelu6, 0, 6},
    {BuiltinOperator::RELU_N1_TO_1, OpType::kReluN1To1, -1, 1},
    {BuiltinOperator::LEAKY_RELU, OpType::kLeakyRelu},
    {BuiltinOperator::ELU, OpType::kElu},
    {BuiltinOperator::HARD_SWISH, OpType::kHardSwish},
    {BuiltinOperator::GELU, OpType::kGelu},
    {BuiltinOperator::LOGICAL_NOT, OpType::kLogicalNot},
};

// Nobody else reads `in`, an output of the source.
bool ReadOnce(Lowering& l, int in) {
  const auto& readers = l.state().readers;
  return static_cast<size_t>(in) < readers.size() && readers[static_cast<size_t>(in)] == 1;
}

fbs::UnaryOptionsT OptionsOfUnary(const Lowering& l) {
  fbs::UnaryOptionsT o;
  if (l.code() == BuiltinOperator::LEAKY_RELU)
    o.alpha = l.Options(&tflite::Operator::builtin_options_as_LeakyReluOptions).alpha;
  if (l.code() == BuiltinOperator::ELU) o.alpha = 1;
  if (l.code() == BuiltinOperator::GELU)
    o.approximate = l.Options(&tflite::Operator::builtin_options_as_GeluOptions).approximate;
  return o;
}

Status LowerUnary(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(1, 1, 1));
  const UnaryRow* row = std::find_if(std::begin(kUnary), std::end(kUnary),
                                     [&](const UnaryRow& r) { return r.code == l.code(); });
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), l.input(0).shape));
  const GraphTensor& in = l.input(0);
  const GraphTensor& out = l.output(0);
  const bool is_clamp = std::isfinite(row->lo);
  if (in.type != out.type) {
    return l.Unsupported(std::string("types ") + DTypeName(in.type) + " -> " + DTypeName(out.type));
  }
  if (is_clamp && ReadOnce(l, l.in(0)) &&
      FuseClamp(l.state(), l.in(0), l.out(0), row->lo, row->hi)) {
    return OkStatus();
  }
  if (in.q16() && out.q16() && is_clamp) {
    const Clamp clamp = StoredClamp(out, row->lo, row->hi);
    fbs::QuantizeOptionsT o;
    o.lo = clamp.lo, o.hi = clamp.hi;
    return l.Emit(OpType::kQuantize, std::move(o), {l.in(0)}, {l.out(0)});
  }
  if ((in.q8() && out.q8()) || (in.q16() && out.q16()))
    return EmitTable(l, row->type, OptionsOfUnary(l), l.in(0), l.out(0));
  return l.Emit(row->type, OptionsOfUnary(l), {l.in(0)}, {l.out(0)});
}

Status LowerSoftmax(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(1, 1, 1));
  const bool log = l.code() == BuiltinOperator::LOG_SOFTMAX;
  fbs::SoftmaxOptionsT o;
  if (!log) o.beta = l.Options(&tflite::Operator::builtin_options_as_SoftmaxOptions).beta;
  if (!(o.beta > 0) || !std::isfinite(o.beta)) {
    return l.Invalid("beta must be finite and positive, is " + std::to_string(o.beta));
  }
  if (l.input(0).shape.rank() < 1) return l.Invalid("the input has no axis");
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), l.input(0).shape));
  WHIT_ASSIGN_OR_RETURN(o.table, SoftmaxTables(l, l.input(0), log, o.beta));
  return l.Emit(log ? OpType::kLogSoftmax : OpType::kSoftmax, std::move(o), {l.in(0)}, {l.out(0)});
}

Status LowerL2Normalization(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(1, 1, 1));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), l.input(0).shape));
  const auto opt = l.Options(&tflite::Operator::builtin_options_as_L2NormOptions);
  WHIT_ASSIGN_OR_RETURN(const Clamp clamp,
                        l.Activation(opt.fused_activation_function, l.output(0)));
  fbs::L2NormOptionsT o;
  o.lo = clamp.lo, o.hi = clamp.hi;
  return l.Emit(OpType::kL2Normalization, std::move(o), {l.in(0)}, {l.out(0)});
}

}  // namespace

std::span<const LowerRow> UnaryRows() {
  static const std::vector<LowerRow> rows = [] {
    std::vector<LowerRow> all = {
        {BuiltinOperator::SOFTMAX, LowerSoftmax},
        {BuiltinOperator::LOG_SOFTMAX, LowerSoftmax},
        {BuiltinOperator::L2_NORMALIZATION, LowerL2Normalization},
    };
    for (const UnaryRow& row : kUnary) all.push_back({row.code, LowerUnary});
    return all;
  }();
  return rows;
}

}  // namespace whit::tools
