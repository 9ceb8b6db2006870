// Operators that move elements and compute none: reshapes, transposes, pads, joins and splits.
#include <algorithm>

#include "tools/import/lowering.h"

namespace whit::tools {

namespace {

// ---- the same elements under another shape ----

Status LowerReshape(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(1, 2, 1));
  std::vector<int64_t> dims;
  const auto opt = l.Options(&tflite::Operator::builtin_options_as_ReshapeOptions);
  if (l.has(1) && (l.input(1).is_const() || opt.new_shape.empty())) {
    WHIT_ASSIGN_OR_RETURN(dims, l.Ints(1, "the new shape"));
  } else {
    dims.assign(opt.new_shape.begin(), opt.new_shape.end());
  }
  const int64_t elements = l.input(0).shape.elements();
  if (dims.size() == 1 && dims[0] == 0 && elements == 1)
    dims.clear();  // how old converters write a scalar
  WHIT_RETURN_IF_ERROR(ResolveShape(l, elements, &dims));
  WHIT_RETURN_IF_ERROR(l.PassThrough(0));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), dims));
  return l.EmitReshape(l.in(0), l.out(0));
}

Status LowerSqueeze(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(1, 1, 1));
  const Shape in = l.input(0).shape;
  const auto opt = l.Options(&tflite::Operator::builtin_options_as_SqueezeOptions);
  std::vector<bool> gone(static_cast<size_t>(in.rank()), false);
  for (int32_t a : opt.squeeze_dims) {
    WHIT_ASSIGN_OR_RETURN(const int axis, l.Axis(a, in.rank()));
    if (in[axis] != 1) {
      return l.Invalid("axis " + std::to_string(axis) + " of " + in.ToString() + " is not 1");
    }
    gone[static_cast<size_t>(axis)] = true;
  }
  std::vector<int64_t> dims;
  for (int i = 0; i < in.rank(); ++i) {
    const bool drop = opt.squeeze_dims.empty() ? in[i] == 1 : gone[static_cast<size_t>(i)];
    if (!drop) dims.push_back(in[i]);
  }
  WHIT_RETURN_IF_ERROR(l.PassThrough(0));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), dims));
  return l.EmitReshape(l.in(0), l.out(0));
}

Status LowerExpandDims(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(2, 2, 1));
  std::vector<int64_t> dims = Dims(l.input(0).shape);
  WHIT_ASSIGN_OR_RETURN(const int64_t listed, l.Int(1, "the axis"));
  WHIT_ASSIGN_OR_RETURN(const int axis, l.Axis(listed, static_cast<int>(dims.size()) + 1));
  dims.insert(dims.begin() + axis, 1);
  WHIT_RETURN_IF_ERROR(l.PassThrough(0));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), dims));
  return l.EmitReshape(l.in(0), l.out(0));
}

// ---- order and borders ----

Status LowerTranspose(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(2, 2, 1));
  const Shape in = l.input(0).shape;
  WHIT_ASSIGN_OR_RETURN(const std::vector<int64_t> perm, l.Ints(1, "the permutation"));
  if (perm.size() != static_cast<size_t>(in.rank())) {
    return l.Invalid("the permutation has " + std::to_string(perm.size()) + " axes, the input " +
                     std::to_string(in.rank()));
  }
  fbs::TransposeOptionsT o;
  Shape out = in;
  std::vector<bool> seen(perm.size());
  for (size_t i = 0; i < perm.size(); ++i) {
    WHIT_ASSIGN_OR_RETURN(const int axis, l.Axis(perm[i], in.rank()));
    if (seen[static_cast<size_t>(axis)])
      return l.Invalid("axis " + std::to_string(axis) + " twice in the permutation");
    seen[static_cast<size_t>(axis)] = true;
    o.perm.push_back(static_cast<uint32_t>(axis));
    out[static_cast<int>(i)] = in[axis];
  }
  WHIT_RETURN_IF_ERROR(l.PassThrough(0));
  if (l.output(0).axis >= 0) return l.Unsupported("transposing a tensor with scales along an axis");
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), out));
  return l.Emit(OpType::kTranspose, std::move(o), {l.in(0)}, {l.out(0)});
}

Status LowerReverse(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(2, 2, 1));
  WHIT_ASSIGN_OR_RETURN(const std::vector<int64_t> listed, l.Ints(1, "the list of axes"));
  fbs::ReverseOptionsT o;
  for (int64_t a : listed) {
    WHIT_ASSIGN_OR_RETURN(const int axis, l.Axis(a, l.input(0).shape.rank()));
    o.axes.push_back(static_cast<uint32_t>(axis));
  }
  std::sort(o.axes.begin(), o.axes.end());
  WHIT_RETURN_IF_ERROR(l.PassThrough(0));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), l.input(0).shape));
  return l.Emit(OpType::kReverse, std::move(o), {l.in(0)}, {l.out(0)});
}

// The constant that PADV2 fills with, or what PAD means by zero.
Status SetPadValue(Lowering& l, fbs::PadOptionsT* o) {
  const GraphTensor& x = l.input(0);
  if (!l.has(2)) {
    o->value_i64 = x.q8() || x.q16() ? x.z() : 0;
    return OkStatus();
  }
  const GraphTensor& v = l.input(2);
  if (!v.is_const()) return l.Unsupported("the pad value is computed at run time");
  if (v.shape.elements() != 1 || v.type != x.type) {
    return l.Invalid(std::string("the pad value must be one ") + DTypeName(x.type) + ", is " +
                     DTypeName(v.type) + v.shape.ToString());
  }
  switch (v.type) {
    case DType::kFloat32:
      o->value = v.values<float>()[0];
      break;
    case DType::kInt8:
      o->value_i64 = v.values<int8_t>()[0];
      break;
    case DType::kUint8:
    case DType::kBool:
      o->value_i64 = v.values<uint8_t>()[0];
      break;
    case DType::kInt16:
      o->value_i64 = v.values<int16_t>()[0];
      break;
    case DType::kInt32:
      o->value_i64 = v.values<int32_t>()[0];
      break;
    case DType::kInt64:
      o->value_i64 = v.values<int64_t>()[0];
      break;
    default:
      return l.Unsupported(std::string("type ") + DTypeName(v.type));
  }
  return OkStatus();
}

Status LowerPad(Lowering& l) {
  const bool mirror = l.code() == BuiltinOperator::MIRROR_PAD;
  WHIT_RETURN_IF_ERROR(l.Expect(2, l.code() == BuiltinOperator::PADV2 ? 3 : 2, 1));
  std::vector<int64_t> dims = Dims(l.input(0).shape);
  WHIT_ASSIGN_OR_RETURN(const Amounts amounts, ReadAmounts(l, 1, dims.size(), "the paddings"));
  for (size_t a = 0; a < dims.size(); ++a) dims[a] += amounts.before[a] + amounts.after[a];
  WHIT_RETURN_IF_ERROR(l.PassThrough(0));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), dims));
  fbs::PadOptionsT o;
  o.before = ToU32(amounts.before), o.after = ToU32(amounts.after);
  if (mirror) {
    const bool reflect = l.Options(&tflite::Operator::builtin_options_as_MirrorPadOptions).mode ==
                         tflite::MirrorPadMode::REFLECT;
    o.mode = reflect ? fbs::PadMode::reflect : fbs::PadMode::symmetric;
  } else {
    WHIT_RETURN_IF_ERROR(SetPadValue(l, &o));
  }
  return l.Emit(OpType::kPad, std::move(o), {l.in(0)}, {l.out(0)});
}

// ---- joins and splits ----

// Joins tensors of one type along `axis` into output 0, whose shape is set; 8 and 16 bit values are
// brought to its scale.
Status EmitConcat(Lowering& l, std::vector<int> parts, int axis) {
  const GraphTensor like = l.output(0);
  for (int& part : parts) {
    if (like.quantized()) {
      WHIT_ASSIGN_OR_RETURN(part, l.Requantized(part, like));
    }
  }
  if (parts.size() == 1) return l.EmitReshape(parts[0], l.out(0));
  fbs::AxisOptionsT o;
  o.axis = static_cast<uint32_t>(axis);
  return l.Emit(OpType::kConcatenation, std::move(o), std::move(parts), {l.out(0)});
}

constexpr size_t kMaxParts = 1024;

Status LowerConcatenation(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(1, kMaxParts, 1));
  const auto opt = l.Options(&tflite::Operator::builtin_options_as_ConcatenationOptions);
  if (opt.fused_activation_function != tflite::ActivationFunctionType::NONE) {
    return l.Unsupported("a fused activation");
  }
  Shape out = l.input(0).shape;
  WHIT_ASSIGN_OR_RETURN(const int axis, l.Axis(opt.axis, out.rank()));
  out[axis] = 0;
  std::vector<int> parts;
  for (size_t i = 0; i < l.inputs(); ++i) {
    if (!l.has(i)) return l.Invalid("input " + std::to_string(i) + " is absent");
    const Shape& s = l.input(i).shape;
    bool fits = s.rank() == out.rank() && l.input(i).type == l.input(0).type;
    for (int a = 0; fits && a < out.rank(); ++a) fits = a == axis || s[a] == out[a];
    if (!fits) {
      return l.Invalid("input " + std::to_string(i) + " " + DTypeName(l.input(i).type) +
                       s.ToString() + " does not join " + DTypeName(l.input(0).type) +
                       l.input(0).shape.ToString());
    }
    out[axis] += s[axis];
    parts.push_back(l.in(i));
  }
  WHIT_RETURN_IF_ERROR(l.PassThrough(0));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), out));
  return EmitConcat(l, std::move(parts), axis);
}

Status LowerPack(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(1, kMaxParts, 1));
  const Shape part = l.input(0).shape;
  std::vector<int64_t> dims = Dims(part);
  WHIT_ASSIGN_OR_RETURN(
      const int axis,
      l.Axis(l.Options(&tflite::Operator::builtin_options_as_PackOptions).axis, part.rank() + 1));
  dims.insert(dims.begin() + axis, 1);
  WHIT_RETURN_IF_ERROR(l.PassThrough(0));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), dims));
  const Shape slot = l.output(0).shape;
  std::vector<int> parts;
  for (size_t i = 0; i < l.inputs(); ++i) {
    if (!l.has(i) || l.input(i).shape != part || l.input(i).type != l.input(0).type) {
      return l.Invalid("input " + std::to_string(i) + " differs from the first, " +
                       part.ToString());
    }
    WHIT_ASSIGN_OR_RETURN(const int reshaped, l.Reshaped(l.in(i), slot));
    parts.push_back(reshaped);
  }
  dims[static_cast<size_t>(axis)] = static_cast<int64_t>(parts.size());
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), dims));
  return EmitConcat(l, std::move(parts), axis);
}

// Cuts input `from` along `axis` into outputs of the given sizes.
Status EmitSplit(Lowering& l, size_t from, int axis, const std::vector<int64_t>& sizes) {
  std::vector<int> outs;
  for (size_t i = 0; i < sizes.size(); ++i) {
    Shape s = l.input(from).shape;
    s[axis] = sizes[i];
    WHIT_RETURN_IF_ERROR(l.PassThrough(from, i));
    WHIT_RETURN_IF_ERROR(l.SetShape(l.out(i), s));
    outs.push_back(l.out(i));
  }
  if (outs.size() == 1) return l.EmitReshape(l.in(from), outs[0]);
  fbs::AxisOptionsT o;
  o.axis = static_cast<uint32_t>(axis);
  return l.Emit(OpType::kSplit, std::move(o), {l.in(from)}, std::move(outs));
}

Status ExpectParts(Lowering& l) {
  if (l.outputs() >= 1 && l.outputs() <= kMaxParts) return OkStatus();
  return l.Unsupported(std::to_string(l.outputs()) + " outputs");
}

Status LowerSplit(Lowering& l) {
  WHIT_RETURN_IF_ERROR(ExpectParts(l));
  WHIT_RETURN_IF_ERROR(l.Expect(2, 2, l.outputs()));
  WHIT_ASSIGN_OR_RETURN(const int64_t listed, l.Int(0, "the axis"));
  const Shape in = l.input(1).shape;
  WHIT_ASSIGN_OR_RETURN(const int axis, l.Axis(listed, in.rank()));
  const auto n = static_cast<int64_t>(l.outputs());
  if (in[axis] % n != 0) {
    return l.Invalid("axis " + std::to_string(axis) + " of " + in.ToString() +
                     " does not split into " + std::to_string(n));
  }
  return EmitSplit(l, 1, axis, std::vector<int64_t>(l.outputs(), in[axis] / n));
}

Status LowerSplitV(Lowering& l) {
  WHIT_RETURN_IF_ERROR(ExpectParts(l));
  WHIT_RETURN_IF_ERROR(l.Expect(3, 3, l.outputs()));
  WHIT_ASSIGN_OR_RETURN(std::vector<int64_t> sizes, l.Ints(1, "the sizes"));
  WHIT_ASSIGN_OR_RETURN(const int64_t listed, l.Int(2, "the axis"));
  const Shape in = l.input(0).shape;
  WHIT_ASSIGN_OR_RETURN(const int axis, l.Axis(listed, in.rank()));
  int64_t rest = in[axis];
  int64_t* open = nullptr;
  for (int64_t& s : sizes) {
    if (s == -1 && open == nullptr) {
      open = &s;
    } else if (s < 0 || s > rest) {
      return l.Invalid("a part of " + std::to_string(s) + " along axis " + std::to_string(axis) +
                       " of " + in.ToString());
    } else {
      rest -= s;
    }
  }
  if (open != nullptr) {
    *open = rest;
    rest = 0;
  }
  if (rest != 0 || sizes.size() != l.outputs()) {
    return l.Invalid("the sizes leave " + std::to_string(rest) + " of axis " +
                     std::to_string(axis) + ", " + std::to_string(sizes.size()) + " sizes for " +
                     std::to_string(l.outputs()) + " outputs");
  }
  return EmitSplit(l, 0, axis, sizes);
}

Status LowerUnpack(Lowering& l) {
  WHIT_RETURN_IF_ERROR(ExpectParts(l));
  WHIT_RETURN_IF_ERROR(l.Expect(1, 1, l.outputs()));
  const Shape in = l.input(0).shape;
  WHIT_ASSIGN_OR_RETURN(
      const int axis,
      l.Axis(l.Options(&tflite::Operator::builtin_options_as_UnpackOptions).axis, in.rank()));
  if (in[axis] != static_cast<int64_t>(l.outputs())) {
    return l.Invalid("axis " + std::to_string(axis) + " of " + in.ToString() +
                     " does not unpack into " + std::to_string(l.outputs()));
  }
  Shape slot = in;
  slot[axis] = 1;
  std::vector<int64_t> dims = Dims(in);
  dims.erase(dims.begin() + axis);
  std::vector<int> slots;
  for (size_t i = 0; i < l.outputs(); ++i) {
    WHIT_RETURN_IF_ERROR(l.PassThrough(0, i));
    WHIT_RETURN_IF_ERROR(l.SetShape(l.out(i), dims));
    WHIT_ASSIGN_OR_RETURN(const int temp, l.Temp(l.out(i), slot));
    slots.push_back(temp);
  }
  if (slots.size() == 1) return l.EmitReshape(l.in(0), l.out(0));
  fbs::AxisOptionsT o;
  o.axis = static_cast<uint32_t>(axis);
  WHIT_RETURN_IF_ERROR(l.Emit(OpType::kSplit, std::move(o), {l.in(0)}, slots));
  for (size_t i = 0; i < slots.size(); ++i) WHIT_RETURN_IF_ERROR(l.EmitReshape(slots[i], l.out(i)));
  return OkStatus();
}

Status LowerTile(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(2, 2, 1));
  std::vector<int64_t> dims = Dims(l.input(0).shape);
  WHIT_ASSIGN_OR_RETURN(const std::vector<int64_t> multiples, l.Ints(1, "the multiples"));
  if (multiples.size() != dims.size()) {
    return l.Invalid(std::to_string(multiples.size()) + " multiples for rank " +
                     std::to_string(dims.size()));
  }
  for (size_t i = 0; i < dims.size(); ++i) {
    if (multiples[i] < 0 || multiples[i] > std::numeric_limits<int32_t>::max()) {
      return l.Invalid("multiple " + std::to_string(multiples[i]));
    }
    dims[i] *= multiples[i];  // both below 2^31
  }
  WHIT_RETURN_IF_ERROR(l.PassThrough(0));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), dims));
  fbs::TileOptionsT o;
  o.multiples = ToU32(multiples);
  return l.Emit(OpType::kTile, std::move(o), {l.in(0)}, {l.out(0)});
}

}  // namespace

std::span<const LowerRow> LayoutRows() {
  static constexpr LowerRow kRows[] = {
      {BuiltinOperator::RESHAPE, LowerReshape},
      {BuiltinOperator::SQUEEZE, LowerSqueeze},
      {BuiltinOperator::EXPAND_DIMS, LowerExpandDims},
      {BuiltinOperator::TRANSPOSE, LowerTranspose},
      {BuiltinOperator::REVERSE_V2, LowerReverse},
      {BuiltinOperator::PAD, LowerPad},
      {BuiltinOperator::PADV2, LowerPad},
      {BuiltinOperator::MIRROR_PAD, LowerPad},
      {BuiltinOperator::CONCATENATION, LowerConcatenation},
      {BuiltinOperator::PACK, LowerPack},
      {BuiltinOperator::SPLIT, LowerSplit},
      {BuiltinOperator::SPLIT_V, LowerSplitV},
      {BuiltinOperator::UNPACK, LowerUnpack},
      {BuiltinOperator::TILE, LowerTile},
  };
  return kRows;
}

}  // namespace whit::tools
