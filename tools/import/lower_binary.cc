// Operators of two or three broadcast operands: arithmetic, comparisons, logic, SELECT, PRELU,
// ADD_N.
#include "tools/import/lowering.h"

namespace whit::tools {

namespace {

struct BinaryRow {
  BuiltinOperator code;
  OpType type;
  bool same_scale;  // quantized operands must share the output's quantization
};

constexpr BinaryRow kBinary[] = {
    {BuiltinOperator::ADD, OpType::kAdd, false},
    {BuiltinOperator::SUB, OpType::kSub, false},
    {BuiltinOperator::MUL, OpType::kMul, false},
    {BuiltinOperator::DIV, OpType::kDiv, false},
    {BuiltinOperator::MAXIMUM, OpType::kMaximum, true},
    {BuiltinOperator::MINIMUM, OpType::kMinimum, true},
    {BuiltinOperator::SQUARED_DIFFERENCE, OpType::kSquaredDifference, false},
    {BuiltinOperator::FLOOR_DIV, OpType::kFloorDiv, false},
    {BuiltinOperator::FLOOR_MOD, OpType::kFloorMod, false},
    {BuiltinOperator::POW, OpType::kPow, false},
};

constexpr BinaryRow kCompare[] = {
    {BuiltinOperator::EQUAL, OpType::kEqual, false},
    {BuiltinOperator::NOT_EQUAL, OpType::kNotEqual, false},
    {BuiltinOperator::LESS, OpType::kLess, false},
    {BuiltinOperator::LESS_EQUAL, OpType::kLessEqual, false},
    {BuiltinOperator::GREATER, OpType::kGreater, false},
    {BuiltinOperator::GREATER_EQUAL, OpType::kGreaterEqual, false},
    {BuiltinOperator::LOGICAL_AND, OpType::kLogicalAnd, false},
    {BuiltinOperator::LOGICAL_OR, OpType::kLogicalOr, false},
};

template <size_t N>
const BinaryRow& RowFor(const BinaryRow (&rows)[N], BuiltinOperator code) {
  size_t i = 0;
  while (rows[i].code != code) ++i;  // every caller's code is in its table
  return rows[i];
}

tflite::ActivationFunctionType ActivationOf(const Lowering& l) {
  switch (l.code()) {
    case BuiltinOperator::ADD:
      return l.Options(&tflite::Operator::builtin_options_as_AddOptions).fused_activation_function;
    case BuiltinOperator::SUB:
      return l.Options(&tflite::Operator::builtin_options_as_SubOptions).fused_activation_function;
    case BuiltinOperator::MUL:
      return l.Options(&tflite::Operator::builtin_options_as_MulOptions).fused_activation_function;
    case BuiltinOperator::DIV:
      return l.Options(&tflite::Operator::builtin_options_as_DivOptions).fused_activation_function;
    default:
      return tflite::ActivationFunctionType::NONE;
  }
}

Status ExpectOneType(Lowering& l, const GraphTensor& a, const GraphTensor& b) {
  if (a.type == b.type) return OkStatus();
  return l.Unsupported(std::string("operands of two types, ") + DTypeName(a.type) + " and " +
                       DTypeName(b.type));
}

Status LowerBinary(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(2, 2, 1));
  const BinaryRow& row = RowFor(kBinary, l.code());
  WHIT_RETURN_IF_ERROR(ExpectOneType(l, l.input(0), l.input(1)));
  WHIT_RETURN_IF_ERROR(ExpectOneType(l, l.input(0), l.output(0)));
  WHIT_ASSIGN_OR_RETURN(const Shape shape, BroadcastShape(l, l.input(0).shape, l.input(1).shape));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), shape));
  WHIT_ASSIGN_OR_RETURN(const Clamp clamp, l.Activation(ActivationOf(l), l.output(0)));
  fbs::BinaryOptionsT o;
  o.lo = clamp.lo, o.hi = clamp.hi;
  int a = l.in(0), b = l.in(1);
  if (row.same_scale && l.output(0).quantized()) {
    WHIT_ASSIGN_OR_RETURN(a, l.Requantized(a, l.output(0)));
    WHIT_ASSIGN_OR_RETURN(b, l.Requantized(b, l.output(0)));
  }
  return l.Emit(row.type, std::move(o), {a, b}, {l.out(0)});
}

Status LowerCompare(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(2, 2, 1));
  const BinaryRow& row = RowFor(kCompare, l.code());
  WHIT_RETURN_IF_ERROR(ExpectOneType(l, l.input(0), l.input(1)));
  WHIT_ASSIGN_OR_RETURN(const Shape shape, BroadcastShape(l, l.input(0).shape, l.input(1).shape));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), shape));
  return l.Emit(row.type, fbs::BinaryOptionsT(), {l.in(0), l.in(1)}, {l.out(0)});
}

Status LowerSelect(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(3, 3, 1));
  WHIT_RETURN_IF_ERROR(ExpectOneType(l, l.input(1), l.input(2)));
  WHIT_ASSIGN_OR_RETURN(Shape shape, BroadcastShape(l, l.input(1).shape, l.input(2).shape));
  int condition = l.in(0);
  const Shape cs = l.input(0).shape;
  if (l.code() == BuiltinOperator::SELECT && cs.rank() == 1 && shape.rank() > 1) {
    // One condition a row: the old operator chooses along the first axis.
    Shape rows = Shape::OfRank(shape.rank());
    rows[0] = cs[0];
    WHIT_ASSIGN_OR_RETURN(condition, l.Reshaped(condition, rows));
  }
  WHIT_ASSIGN_OR_RETURN(shape, BroadcastShape(l, l.tensor(condition).shape, shape));
  WHIT_RETURN_IF_ERROR(l.PassThrough(1));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), shape));
  int a = l.in(1), b = l.in(2);
  if (l.output(0).quantized()) {
    const GraphTensor like = l.output(0);
    WHIT_ASSIGN_OR_RETURN(a, l.Requantized(a, like));
    WHIT_ASSIGN_OR_RETURN(b, l.Requantized(b, like));
  }
  return l.Emit(OpType::kSelect, fbs::SelectOptionsT(), {condition, a, b}, {l.out(0)});
}

Status LowerPRelu(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(2, 2, 1));
  WHIT_ASSIGN_OR_RETURN(const Shape shape, BroadcastShape(l, l.input(0).shape, l.input(1).shape));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), shape));
  return l.Emit(OpType::kPRelu, fbs::PReluOptionsT(), {l.in(0), l.in(1)}, {l.out(0)});
}

Status LowerAddN(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(1, 1024, 1));
  const Shape shape = l.input(0).shape;
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), shape));
  for (size_t i = 0; i < l.inputs(); ++i) {
    if (!l.has(i) || l.input(i).shape != shape)
      return l.Invalid("all inputs must have shape " + shape.ToString());
    WHIT_RETURN_IF_ERROR(ExpectOneType(l, l.input(i), l.output(0)));
  }
  if (l.output(0).quantized()) return l.Unsupported("quantized operands");
  if (l.inputs() == 1) return l.EmitReshape(l.in(0), l.out(0));
  int sum = l.in(0);
  for (size_t i = 1; i < l.inputs(); ++i) {
    int next = l.out(0);
    if (i + 1 < l.inputs()) {
      WHIT_ASSIGN_OR_RETURN(next, l.Temp(l.out(0), shape));
    }
    WHIT_RETURN_IF_ERROR(l.Emit(OpType::kAdd, fbs::BinaryOptionsT(), {sum, l.in(i)}, {next}));
    sum = next;
  }
  return OkStatus();
}

}  // namespace

std::span<const LowerRow> BinaryRows() {
  static const std::vector<LowerRow> rows = [] {
    std::vector<LowerRow> all = {
        {BuiltinOperator::SELECT, LowerSelect},
        {BuiltinOperator::SELECT_V2, LowerSelect},
        {BuiltinOperator::PRELU, LowerPRelu},
        {BuiltinOperator::ADD_N, LowerAddN},
    };
    for (const BinaryRow& row : kBinary) all.push_back({row.code, LowerBinary});
    for (const BinaryRow& row : kCompare) all.push_back({row.code, LowerCompare});
    return all;
  }();
  return rows;
}

}  // namespace whit::tools
