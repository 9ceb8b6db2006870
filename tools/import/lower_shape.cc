// Operators whose output's shape or values follow from shapes and constants: SHAPE, RANGE, FILL,
// BROADCAST_TO, ONE_HOT, and the resizes.
#include <cmath>

#include "tools/import/lowering.h"

namespace whit::tools {

namespace {

// Integers as a constant of the output's type, int32 or int64.
Status SetInts(Lowering& l, const std::vector<int64_t>& values, const Shape& shape) {
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), shape));
  auto bytes = std::make_shared<Bytes>();
  const DType type = l.output(0).type;
  if (type != DType::kInt32 && type != DType::kInt64) {
    return l.Unsupported(std::string("output type ") + DTypeName(type));
  }
  for (int64_t v : values) {
    const size_t size = DTypeSize(type);  // little-endian: the low bytes of an int64 are the int32
    const auto* p = reinterpret_cast<const std::byte*>(&v);
    bytes->insert(bytes->end(), p, p + size);
  }
  return l.SetConstant(l.out(0), std::move(bytes));
}

Status LowerShape(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(1, 1, 1));
  const Shape in = l.input(0).shape;
  return SetInts(l, Dims(in), Shape{in.rank()});
}

Status LowerRank(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(1, 1, 1));
  return SetInts(l, {l.input(0).shape.rank()}, Shape{});
}

Status LowerBroadcastArgs(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(2, 2, 1));
  Shape shapes[2];
  for (size_t i : {0, 1}) {
    WHIT_ASSIGN_OR_RETURN(const std::vector<int64_t> dims, l.Ints(i, "a shape"));
    if (dims.size() > static_cast<size_t>(kMaxRank))
      return l.Unsupported("rank " + std::to_string(dims.size()));
    shapes[i] = Shape::OfRank(static_cast<int>(dims.size()));
    for (size_t a = 0; a < dims.size(); ++a) shapes[i][static_cast<int>(a)] = dims[a];
  }
  WHIT_ASSIGN_OR_RETURN(const Shape both, BroadcastShape(l, shapes[0], shapes[1]));
  return SetInts(l, Dims(both), Shape{both.rank()});
}

// Number of elements from start to limit, limit not included.
Result<int64_t> RangeCount(Lowering& l) {
  if (l.input(0).is_float()) {
    double v[3];
    for (size_t i : {0, 1, 2}) {
      WHIT_ASSIGN_OR_RETURN(const float f, l.Float(i, "a bound of the range"));
      v[i] = f;
    }
    const double count = std::ceil((v[1] - v[0]) / v[2]);
    if (!(std::abs(count) < 0x1p31)) return l.Invalid("the range has no finite number of elements");
    return static_cast<int64_t>(std::max(count, 0.0));
  }
  int64_t v[3];
  for (size_t i : {0, 1, 2}) {
    WHIT_ASSIGN_OR_RETURN(v[i], l.Int(i, "a bound of the range"));
    if (std::abs(v[i] / 2) > (int64_t{1} << 60))
      return l.Invalid("a bound of " + std::to_string(v[i]));
  }
  if (v[2] == 0) return l.Invalid("a step of 0");
  const int64_t span = v[2] > 0 ? v[1] - v[0] : v[0] - v[1], step = std::abs(v[2]);
  return span <= 0 ? 0 : (span - 1) / step + 1;
}

Status LowerRange(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(3, 3, 1));
  WHIT_ASSIGN_OR_RETURN(const int64_t count, RangeCount(l));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), Shape{count}));
  return l.Emit(OpType::kRange, fbs::RangeOptionsT(), {l.in(0), l.in(1), l.in(2)}, {l.out(0)});
}

Status LowerFill(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(2, 2, 1));
  WHIT_ASSIGN_OR_RETURN(const std::vector<int64_t> dims, l.Ints(0, "the shape"));
  WHIT_RETURN_IF_ERROR(l.PassThrough(1));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), dims));
  return l.Emit(OpType::kFill, fbs::FillOptionsT(), {l.in(1)}, {l.out(0)});
}

Status LowerZerosLike(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(1, 1, 1));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), l.input(0).shape));
  GraphTensor zero = l.output(0);
  if (zero.quantized() || zero.type == DType::kFloat16) return l.Unsupported("a quantized output");
  zero.shape = Shape{};
  zero.name.clear();
  Bytes bytes(DTypeSize(zero.type));
  const int value = l.Constant(std::move(zero), std::move(bytes));
  return l.Emit(OpType::kFill, fbs::FillOptionsT(), {value}, {l.out(0)});
}

Status LowerBroadcastTo(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(2, 2, 1));
  WHIT_ASSIGN_OR_RETURN(const std::vector<int64_t> dims, l.Ints(1, "the shape"));
  WHIT_RETURN_IF_ERROR(l.PassThrough(0));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), dims));
  return l.Emit(OpType::kBroadcastTo, fbs::BroadcastToOptionsT(), {l.in(0)}, {l.out(0)});
}

Status LowerOneHot(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(4, 4, 1));
  const Shape in = l.input(0).shape;
  WHIT_ASSIGN_OR_RETURN(const int64_t depth, l.Int(1, "the depth"));
  WHIT_ASSIGN_OR_RETURN(
      const int axis,
      l.Axis(l.Options(&tflite::Operator::builtin_options_as_OneHotOptions).axis, in.rank() + 1));
  if (depth < 0 || depth > std::numeric_limits<int32_t>::max())
    return l.Invalid("depth " + std::to_string(depth));
  std::vector<int64_t> dims = Dims(in);
  dims.insert(dims.begin() + axis, depth);
  WHIT_RETURN_IF_ERROR(l.PassThrough(2));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), dims));
  fbs::OneHotOptionsT o;
  o.axis = static_cast<uint32_t>(axis), o.depth = static_cast<uint32_t>(depth);
  return l.Emit(OpType::kOneHot, std::move(o), {l.in(0), l.in(2), l.in(3)}, {l.out(0)});
}

Status LowerResize(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(2, 2, 1));
  Shape shape = l.input(0).shape;
  WHIT_ASSIGN_OR_RETURN(const std::vector<int64_t> size, l.Ints(1, "the new size"));
  if (shape.rank() != 4 || size.size() != 2 || size[0] < 1 || size[1] < 1) {
    return l.Invalid("an input of shape " + shape.ToString() + " and " +
                     std::to_string(size.size()) +
                     " new sizes; 4 axes and 2 sizes of 1 or more needed");
  }
  shape[1] = size[0], shape[2] = size[1];
  WHIT_RETURN_IF_ERROR(l.PassThrough(0));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), shape));
  fbs::ResizeOptionsT o;
  const bool bilinear = l.code() == BuiltinOperator::RESIZE_BILINEAR;
  if (bilinear) {
    const auto opt = l.Options(&tflite::Operator::builtin_options_as_ResizeBilinearOptions);
    o.align_corners = opt.align_corners, o.half_pixel_centers = opt.half_pixel_centers;
  } else {
    const auto opt = l.Options(&tflite::Operator::builtin_options_as_ResizeNearestNeighborOptions);
    o.align_corners = opt.align_corners, o.half_pixel_centers = opt.half_pixel_centers;
  }
  return l.Emit(bilinear ? OpType::kResizeBilinear : OpType::kResizeNearest, std::move(o),
                {l.in(0)}, {l.out(0)});
}

}  // namespace

std::span<const LowerRow> ShapeRows() {
  static constexpr LowerRow kRows[] = {
      {BuiltinOperator::SHAPE, LowerShape},
      {BuiltinOperator::RANK, LowerRank},
      {BuiltinOperator::BROADCAST_ARGS, LowerBroadcastArgs},
      {BuiltinOperator::RANGE, LowerRange},
      {BuiltinOperator::FILL, LowerFill},
      {BuiltinOperator::ZEROS_LIKE, LowerZerosLike},
      {BuiltinOperator::BROADCAST_TO, LowerBroadcastTo},
      {BuiltinOperator::ONE_HOT, LowerOneHot},
      {BuiltinOperator::RESIZE_BILINEAR, LowerResize},
      {BuiltinOperator::RESIZE_NEAREST_NEIGHBOR, LowerResize},
  };
  return kRows;
}

}  // namespace whit::tools
