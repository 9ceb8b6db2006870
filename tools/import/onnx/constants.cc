// Constants, what is known of shapes, and If: all of it ends at import.
#include <cmath>
#include <limits>

#include "tools/import/onnx/context.h"

namespace whit::tools::onnx {

namespace {

// Elements that a constant made here may have; larger ones come from files.
constexpr int64_t kMaxMade = 1 << 24;

void Constant(Op& op) {
  GraphBuilder& g = op.g;
  if (const AttributeProto* a = op.Find("value"); a != nullptr && a->t != nullptr)
    return op.Set(0, op.ConstantOf(*a->t));
  if (op.Has("value_float")) return op.Set(0, g.Float(op.Float("value_float", 0)));
  if (op.Has("value_int")) return op.Set(0, g.Int64s(Shape(), std::array{op.Int("value_int", 0)}));
  if (op.Has("value_ints")) return op.Set(0, IntsValue(g, op.IntList("value_ints")));
  if (op.Has("value_floats")) {
    const auto floats = op.FloatList("value_floats");
    return op.Set(0, g.Floats(Shape{static_cast<int64_t>(floats.size())}, floats));
  }
  op.Unsupported("a constant that is no dense tensor of numbers");
}

// Shape and number of elements of a constant to be made; false where it cannot be.
bool MadeShape(Op& op, const Ints& dims, Shape* shape) {
  if (dims.size() > static_cast<size_t>(kMaxRank)) {
    op.Unsupported(std::to_string(dims.size()) + " axes");
    return false;
  }
  int64_t elements = 1;
  *shape = Shape::OfRank(static_cast<int>(dims.size()));
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] < 0 || dims[i] > kMaxMade || (elements *= dims[i]) > kMaxMade) {
      op.Unsupported("a constant of more than " + std::to_string(kMaxMade) + " elements");
      return false;
    }
    (*shape)[static_cast<int>(i)] = dims[i];
  }
  return true;
}

void ConstantOfShape(Op& op) {
  GraphBuilder& g = op.g;
  const auto dims = op.ConstInts(0);
  if (!dims) return op.Unsupported("a shape that is computed at run time");
  Shape shape;
  if (!MadeShape(op, *dims, &shape)) return;
  const AttributeProto* a = op.Find("value");
  const Value value = a != nullptr && a->t != nullptr ? op.ConstantOf(*a->t) : g.Float(0);
  if (g.failed(value)) return;
  if (g.shape(value).elements() != 1) return op.Invalid("the value must be one number");
  const Bytes one = *g.Info(value).constant;
  Bytes bytes;
  bytes.reserve(static_cast<size_t>(shape.elements()) * one.size());
  for (int64_t i = 0; i < shape.elements(); ++i) bytes.insert(bytes.end(), one.begin(), one.end());
  op.Set(0, g.Constant(g.type(value), shape, std::move(bytes)));
}

void ShapeOf(Op& op) {
  const Ints dims = op.Dims(0);
  const auto rank = static_cast<int64_t>(dims.size());
  const auto place = [&](int64_t v) { return std::clamp<int64_t>(v < 0 ? v + rank : v, 0, rank); };
  const int64_t start = place(op.Int("start", 0)), end = place(op.Int("end", rank));
  Ints part;
  for (int64_t i = start; i < end; ++i) part.push_back(dims[static_cast<size_t>(i)]);
  op.Set(0, IntsValue(op.g, part));
}

void Size(Op& op) {
  int64_t size = 1;
  for (int64_t d : op.Dims(0)) size *= d;
  op.Set(0, op.g.Int64s(whit::Shape(), std::array{size}));
}

// One number of a constant operand, as a double; int64 beyond 2^53 are no lengths.
std::optional<double> Number(Op& op, size_t i) {
  if (!op.Constant(i)) return std::nullopt;
  const GraphTensor& t = op.g.Info(op.Plain(i));
  if (t.shape.elements() != 1) return std::nullopt;
  if (t.type == DType::kFloat32) return t.values<float>()[0];
  if (t.type == DType::kInt32) return t.values<int32_t>()[0];
  if (t.type == DType::kInt64) return static_cast<double>(t.values<int64_t>()[0]);
  return std::nullopt;
}

void Range(Op& op) {
  GraphBuilder& g = op.g;
  const auto start = Number(op, 0), limit = Number(op, 1), delta = Number(op, 2);
  if (!start || !limit || !delta) return op.Unsupported("limits that are no constant numbers");
  if (*delta == 0 || !std::isfinite(*start) || !std::isfinite(*limit) || !std::isfinite(*delta))
    return op.Invalid("a step of 0, or limits that are not finite");
  const double steps = std::ceil((*limit - *start) / *delta);
  constexpr double kLargest = 9e18;  // of int64, with room
  if (std::abs(*start) > kLargest || std::abs(*limit) > kLargest || std::abs(*delta) > kLargest ||
      steps > static_cast<double>(kMaxMade)) {
    return op.Unsupported("more than 2^24 elements");
  }
  const auto n = static_cast<int64_t>(std::max(steps, 0.0));
  const DType type = op.Type(0);
  std::vector<float> floats;
  Ints ints;
  for (int64_t i = 0; i < n; ++i) {
    const double v = *start + static_cast<double>(i) * *delta;
    if (type == DType::kFloat32)
      floats.push_back(static_cast<float>(v));
    else
      ints.push_back(static_cast<int64_t>(v));
  }
  if (type == DType::kFloat32) return op.Set(0, g.Floats(Shape{n}, floats));
  op.Set(0, g.Cast(IntsValue(g, ints), type));
}

void EyeLike(Op& op) {
  GraphBuilder& g = op.g;
  const Ints dims = op.Dims(0);
  Shape shape;
  if (dims.size() != 2) return op.Invalid("the input must have 2 axes");
  if (!MadeShape(op, dims, &shape)) return;
  DType type = op.Type(0);
  if (op.Has("dtype") && !WhitTypeOf(static_cast<DataType>(op.Int("dtype", 1)), &type))
    return op.Unsupported("that element type");
  std::vector<float> eye(static_cast<size_t>(shape.elements()), 0.0f);
  const int64_t k = op.Int("k", 0);
  for (int64_t row = 0; row < dims[0]; ++row) {
    if (k >= -row && k < dims[1] - row) eye[static_cast<size_t>(row * dims[1] + row + k)] = 1;
  }
  op.Set(0, g.Cast(g.Floats(shape, eye), type));
}

// The branch that a constant chooses; its results are the node's.
void If(Op& op) {
  GraphBuilder& g = op.g;
  if (!op.Constant(0)) return op.Unsupported("a condition that is computed at run time");
  const Value condition = op.Plain(0);
  if (g.type(condition) != DType::kBool || g.shape(condition).elements() != 1)
    return op.Invalid("the condition must be one bool");
  const bool yes = g.Info(condition).values<uint8_t>()[0] != 0;
  const AttributeProto* a = op.Find(yes ? "then_branch" : "else_branch");
  if (a == nullptr || a->g == nullptr || a->g->outputs.size() < op.outputs())
    return op.Invalid("a branch is missing or has too few outputs");
  Context& context = op.context();
  std::vector<std::string_view> wanted;
  for (size_t i = 0; i < op.outputs(); ++i) wanted.push_back(a->g->outputs[i].name);
  context.LowerGraph(*a->g, wanted);
  for (size_t i = 0; i < wanted.size(); ++i) {
    const Operand* result = context.Find(wanted[i]);
    if (result == nullptr) return op.Invalid("the branch does not write its output");
    op.SetOperand(i, *result);
  }
}

}  // namespace

std::span<const Row> ConstantRows() {
  static constexpr Row kRows[] = {
      {"Constant", Constant, 0},
      {"ConstantOfShape", ConstantOfShape, 1},
      {"Shape", ShapeOf, 1, 1, 1000, true},
      {"Size", Size, 1, 1, 1000, true},
      {"Range", Range, 3},
      {"EyeLike", EyeLike, 1},
      {"If", If, 1},
  };
  return kRows;
}

}  // namespace whit::tools::onnx
