// SLICE, STRIDED_SLICE and the gathers: parts of a tensor, chosen by constants or by computed
// indices.
#include <algorithm>

#include "tools/import/lowering.h"

namespace whit::tools {

namespace {

Status LowerSlice(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(3, 3, 1));
  const Shape in = l.input(0).shape;
  const auto rank = static_cast<size_t>(in.rank());
  const bool dynamic = !l.input(1).is_const();
  std::vector<int64_t> begin(rank, 0);
  if (!dynamic) {
    WHIT_ASSIGN_OR_RETURN(begin, l.Ints(1, "the begin"));
  }
  WHIT_ASSIGN_OR_RETURN(std::vector<int64_t> size, l.Ints(2, "the size"));
  if (begin.size() != rank || size.size() != rank) {
    return l.Invalid("begin and size have " + std::to_string(begin.size()) + " and " +
                     std::to_string(size.size()) + " numbers, the input has rank " +
                     std::to_string(rank));
  }
  fbs::SliceOptionsT o;
  for (size_t a = 0; a < rank; ++a) {
    const int64_t dim = in[static_cast<int>(a)];
    if (size[a] == -1 && dynamic) return l.Unsupported("a computed begin with an open size");
    if (begin[a] < 0 || begin[a] > dim) {
      return l.Invalid("begin " + std::to_string(begin[a]) + " in a dimension of " +
                       std::to_string(dim));
    }
    if (size[a] == -1) size[a] = dim - begin[a];
    if (size[a] < 0 || size[a] > dim - begin[a]) {
      return l.Invalid("axis " + std::to_string(a) + ": " + std::to_string(size[a]) +
                       " elements from " + std::to_string(begin[a]) + " in a dimension of " +
                       std::to_string(dim));
    }
    o.begin.push_back(static_cast<int32_t>(begin[a]));
    o.size.push_back(static_cast<uint32_t>(size[a]));
    o.stride.push_back(1);
  }
  o.dynamic_begin = dynamic;
  WHIT_RETURN_IF_ERROR(l.PassThrough(0));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), size));
  std::vector<int> inputs = {l.in(0)};
  if (dynamic) inputs.push_back(l.in(1));
  return l.Emit(OpType::kSlice, std::move(o), std::move(inputs), {l.out(0)});
}

// A strided slice being spelled out: one entry an axis of the input, and the shape after axes came
// and went.
struct StridedPlan {
  fbs::SliceOptionsT options;
  std::vector<int64_t> sliced;  // shape after slicing, every axis kept
  std::vector<int64_t> result;  // shape of the output
};

struct StridedSpec {
  std::vector<int64_t> begin, end, stride;
  tflite::StridedSliceOptionsT masks;

  bool Has(int32_t mask, size_t i) const { return (static_cast<uint32_t>(mask) >> i & 1u) != 0; }
};

void KeepAxis(int64_t dim, StridedPlan* plan) {
  plan->options.begin.push_back(0);
  plan->options.size.push_back(static_cast<uint32_t>(dim));
  plan->options.stride.push_back(1);
  plan->sliced.push_back(dim);
  plan->result.push_back(dim);
}

Status SliceAxis(Lowering& l, const StridedSpec& spec, size_t i, int64_t dim, StridedPlan* plan) {
  const int64_t stride = spec.stride[i];
  if (stride == 0 || std::abs(stride) > std::numeric_limits<int32_t>::max()) {
    return l.Invalid("stride " + std::to_string(stride));
  }
  const int64_t low = stride > 0 ? 0 : -1, high = stride > 0 ? dim : dim - 1;
  const auto place = [&](int64_t v) { return std::clamp(v < 0 ? v + dim : v, low, high); };
  int64_t begin = place(spec.begin[i]);
  if (spec.Has(spec.masks.begin_mask, i)) begin = stride > 0 ? 0 : dim - 1;
  const bool shrink = spec.Has(spec.masks.shrink_axis_mask, i);
  int64_t count = 1;
  if (!shrink) {
    int64_t end =
        spec.masks.offset ? std::clamp(begin + spec.end[i], low, high) : place(spec.end[i]);
    if (spec.Has(spec.masks.end_mask, i)) end = stride > 0 ? dim : -1;
    const int64_t span = stride > 0 ? end - begin : begin - end, step = std::abs(stride);
    count = span <= 0 ? 0 : (span + step - 1) / step;
    plan->result.push_back(count);
  } else if (begin < 0 || begin >= dim) {
    return l.Invalid("index " + std::to_string(spec.begin[i]) + " in a dimension of " +
                     std::to_string(dim));
  }
  plan->options.begin.push_back(count == 0 ? 0 : static_cast<int32_t>(begin));
  plan->options.size.push_back(static_cast<uint32_t>(count));
  plan->options.stride.push_back(count <= 1 ? 1 : static_cast<int32_t>(stride));
  plan->sliced.push_back(count);
  return OkStatus();
}

Result<StridedSpec> ReadStridedSpec(Lowering& l) {
  StridedSpec spec;
  spec.masks = l.Options(&tflite::Operator::builtin_options_as_StridedSliceOptions);
  WHIT_ASSIGN_OR_RETURN(spec.begin, l.Ints(1, "the begin"));
  WHIT_ASSIGN_OR_RETURN(spec.end, l.Ints(2, "the end"));
  WHIT_ASSIGN_OR_RETURN(spec.stride, l.Ints(3, "the strides"));
  const size_t n = spec.begin.size();
  if (spec.end.size() != n || spec.stride.size() != n || n > 2 * static_cast<size_t>(kMaxRank)) {
    return l.Invalid("begin, end and strides have " + std::to_string(n) + ", " +
                     std::to_string(spec.end.size()) + " and " +
                     std::to_string(spec.stride.size()) + " numbers");
  }
  for (const auto* list : {&spec.begin, &spec.end}) {
    for (int64_t v : *list) {
      // Beyond any dimension on both sides, so that sums with one cannot overflow.
      if (v < -(int64_t{1} << 62) || v > (int64_t{1} << 62))
        return l.Invalid("begin or end of " + std::to_string(v));
    }
  }
  return spec;
}

Status LowerStridedSlice(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(4, 4, 1));
  const Shape in = l.input(0).shape;
  WHIT_ASSIGN_OR_RETURN(const StridedSpec spec, ReadStridedSpec(l));
  const size_t n = spec.begin.size();
  size_t named = 0;  // axes of the input that entries other than the ellipsis take
  for (size_t i = 0; i < n; ++i) {
    named += !spec.Has(spec.masks.ellipsis_mask, i) && !spec.Has(spec.masks.new_axis_mask, i);
  }
  if (named > static_cast<size_t>(in.rank())) {
    return l.Invalid(std::to_string(named) + " indices for rank " + std::to_string(in.rank()));
  }
  StridedPlan plan;
  size_t open =
      static_cast<size_t>(in.rank()) - named;  // axes for the ellipsis, or kept at the end
  int axis = 0;
  for (size_t i = 0; i < n; ++i) {
    if (spec.Has(spec.masks.ellipsis_mask, i)) {
      for (; open > 0; --open) KeepAxis(in[axis++], &plan);
    } else if (spec.Has(spec.masks.new_axis_mask, i)) {
      plan.result.push_back(1);
    } else {
      WHIT_RETURN_IF_ERROR(SliceAxis(l, spec, i, in[axis++], &plan));
    }
  }
  while (axis < in.rank()) KeepAxis(in[axis++], &plan);
  WHIT_RETURN_IF_ERROR(l.PassThrough(0));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), plan.result));
  if (plan.sliced == plan.result) {
    return l.Emit(OpType::kSlice, std::move(plan.options), {l.in(0)}, {l.out(0)});
  }
  Shape sliced = Shape::OfRank(in.rank());
  for (int a = 0; a < in.rank(); ++a) sliced[a] = plan.sliced[static_cast<size_t>(a)];
  WHIT_ASSIGN_OR_RETURN(const int temp, l.Temp(l.out(0), sliced));
  WHIT_RETURN_IF_ERROR(l.Emit(OpType::kSlice, std::move(plan.options), {l.in(0)}, {temp}));
  return l.EmitReshape(temp, l.out(0));
}

Status LowerGather(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(2, 2, 1));
  const auto opt = l.Options(&tflite::Operator::builtin_options_as_GatherOptions);
  const Shape x = l.input(0).shape, indices = l.input(1).shape;
  WHIT_ASSIGN_OR_RETURN(const int axis, l.Axis(opt.axis, x.rank()));
  const int batch = opt.batch_dims < 0 ? opt.batch_dims + indices.rank() : opt.batch_dims;
  bool fits = batch >= 0 && batch <= axis && batch <= indices.rank();
  for (int i = 0; fits && i < batch; ++i) fits = x[i] == indices[i];
  if (!fits) {
    return l.Invalid("indices of shape " + indices.ToString() + " with " +
                     std::to_string(opt.batch_dims) + " batch axes on " + x.ToString() +
                     " along axis " + std::to_string(axis));
  }
  std::vector<int64_t> dims;
  for (int i = 0; i < axis; ++i) dims.push_back(x[i]);
  for (int i = batch; i < indices.rank(); ++i) dims.push_back(indices[i]);
  for (int i = axis + 1; i < x.rank(); ++i) dims.push_back(x[i]);
  WHIT_RETURN_IF_ERROR(l.PassThrough(0));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), dims));
  fbs::GatherOptionsT o;
  o.axis = static_cast<uint32_t>(axis), o.batch_dims = static_cast<uint32_t>(batch);
  return l.Emit(OpType::kGather, std::move(o), {l.in(0), l.in(1)}, {l.out(0)});
}

// Rows of a table by number: a gather along the first axis, operands the other way round.
Status LowerEmbeddingLookup(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(2, 2, 1));
  const Shape indices = l.input(0).shape, table = l.input(1).shape;
  if (table.rank() < 1) return l.Invalid("the table has no axis");
  std::vector<int64_t> dims;
  for (int i = 0; i < indices.rank(); ++i) dims.push_back(indices[i]);
  for (int i = 1; i < table.rank(); ++i) dims.push_back(table[i]);
  if (l.output(0).is_float() && !l.input(1).is_float())
    return l.Unsupported("a table of quantized rows read as float");
  WHIT_RETURN_IF_ERROR(l.PassThrough(1));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), dims));
  return l.Emit(OpType::kGather, fbs::GatherOptionsT(), {l.in(1), l.in(0)}, {l.out(0)});
}

Status LowerGatherNd(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(2, 2, 1));
  const Shape x = l.input(0).shape, indices = l.input(1).shape;
  if (indices.rank() < 1 || indices.back() > x.rank()) {
    return l.Invalid("indices of shape " + indices.ToString() + " on " + x.ToString());
  }
  std::vector<int64_t> dims;
  for (int i = 0; i + 1 < indices.rank(); ++i) dims.push_back(indices[i]);
  for (int i = static_cast<int>(indices.back()); i < x.rank(); ++i) dims.push_back(x[i]);
  WHIT_RETURN_IF_ERROR(l.PassThrough(0));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), dims));
  return l.Emit(OpType::kGatherNd, fbs::GatherNdOptionsT(), {l.in(0), l.in(1)}, {l.out(0)});
}

}  // namespace

std::span<const LowerRow> SliceRows() {
  static constexpr LowerRow kRows[] = {
      {BuiltinOperator::SLICE, LowerSlice},
      {BuiltinOperator::STRIDED_SLICE, LowerStridedSlice},
      {BuiltinOperator::GATHER, LowerGather},
      {BuiltinOperator::GATHER_ND, LowerGatherNd},
      {BuiltinOperator::EMBEDDING_LOOKUP, LowerEmbeddingLookup},
  };
  return kRows;
}

}  // namespace whit::tools
