// Reductions over constant axes, ARG_MAX and ARG_MIN, TOPK_V2, CUMSUM.
#include <algorithm>

#include "tools/import/lowering.h"

namespace whit::tools {

namespace {

OpType ReductionOf(BuiltinOperator code) {
  switch (code) {
    case BuiltinOperator::SUM:
      return OpType::kSum;
    case BuiltinOperator::REDUCE_MAX:
      return OpType::kReduceMax;
    case BuiltinOperator::REDUCE_MIN:
      return OpType::kReduceMin;
    case BuiltinOperator::REDUCE_PROD:
      return OpType::kReduceProd;
    case BuiltinOperator::REDUCE_ANY:
      return OpType::kReduceAny;
    case BuiltinOperator::REDUCE_ALL:
      return OpType::kReduceAll;
    default:
      return OpType::kMean;
  }
}

Status LowerReduce(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(2, 2, 1));
  const bool keep = l.Options(&tflite::Operator::builtin_options_as_ReducerOptions).keep_dims;
  const Shape in = l.input(0).shape;
  WHIT_ASSIGN_OR_RETURN(const std::vector<int64_t> listed, l.Ints(1, "the list of axes"));
  std::vector<bool> reduced(static_cast<size_t>(in.rank()));
  for (int64_t a : listed) {
    WHIT_ASSIGN_OR_RETURN(const int axis, l.Axis(a, in.rank()));
    reduced[static_cast<size_t>(axis)] = true;
  }
  fbs::ReduceOptionsT o;
  o.keep_dims = keep;
  std::vector<int64_t> dims;
  for (int i = 0; i < in.rank(); ++i) {
    const bool gone = reduced[static_cast<size_t>(i)];
    if (gone) o.axes.push_back(static_cast<uint32_t>(i));
    if (!gone) dims.push_back(in[i]);
    if (gone && keep) dims.push_back(1);
  }
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), dims));
  return l.Emit(ReductionOf(l.code()), std::move(o), {l.in(0)}, {l.out(0)});
}

Status LowerArg(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(2, 2, 1));
  const Shape in = l.input(0).shape;
  WHIT_ASSIGN_OR_RETURN(const int64_t listed, l.Int(1, "the axis"));
  WHIT_ASSIGN_OR_RETURN(const int axis, l.Axis(listed, in.rank()));
  std::vector<int64_t> dims = Dims(in);
  dims.erase(dims.begin() + axis);
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), dims));
  fbs::AxisOptionsT o;
  o.axis = static_cast<uint32_t>(axis);
  const bool max = l.code() == BuiltinOperator::ARG_MAX;
  return l.Emit(max ? OpType::kArgMax : OpType::kArgMin, std::move(o), {l.in(0)}, {l.out(0)});
}

Status LowerTopK(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(2, 2, 2));
  Shape shape = l.input(0).shape;
  WHIT_ASSIGN_OR_RETURN(const int64_t k, l.Int(1, "k"));
  if (shape.rank() < 1 || k < 0 || k > shape.back()) {
    return l.Invalid("k is " + std::to_string(k) + ", the input has shape " + shape.ToString());
  }
  shape[shape.rank() - 1] = k;
  WHIT_RETURN_IF_ERROR(l.PassThrough(0));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), shape));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(1), shape));
  fbs::TopKOptionsT o;
  o.k = static_cast<uint32_t>(k);
  return l.Emit(OpType::kTopK, std::move(o), {l.in(0)}, {l.out(0), l.out(1)});
}

Status LowerCumSum(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(2, 2, 1));
  const auto opt = l.Options(&tflite::Operator::builtin_options_as_CumsumOptions);
  WHIT_ASSIGN_OR_RETURN(const int64_t listed, l.Int(1, "the axis"));
  WHIT_ASSIGN_OR_RETURN(const int axis, l.Axis(listed, l.input(0).shape.rank()));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), l.input(0).shape));
  fbs::CumSumOptionsT o;
  o.axis = static_cast<uint32_t>(axis);
  o.exclusive = opt.exclusive, o.reverse = opt.reverse;
  return l.Emit(OpType::kCumSum, std::move(o), {l.in(0)}, {l.out(0)});
}

}  // namespace

std::span<const LowerRow> ReduceRows() {
  static constexpr LowerRow kRows[] = {
      {BuiltinOperator::MEAN, LowerReduce},        {BuiltinOperator::SUM, LowerReduce},
      {BuiltinOperator::REDUCE_MAX, LowerReduce},  {BuiltinOperator::REDUCE_MIN, LowerReduce},
      {BuiltinOperator::REDUCE_PROD, LowerReduce}, {BuiltinOperator::REDUCE_ANY, LowerReduce},
      {BuiltinOperator::REDUCE_ALL, LowerReduce},  {BuiltinOperator::ARG_MAX, LowerArg},
      {BuiltinOperator::ARG_MIN, LowerArg},        {BuiltinOperator::TOPK_V2, LowerTopK},
      {BuiltinOperator::CUMSUM, LowerCumSum},
  };
  return kRows;
}

}  // namespace whit::tools
