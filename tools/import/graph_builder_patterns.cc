// GraphBuilder: what frameworks write as several operators and whit has as one. The operators that
// were made before stay in the graph until nobody reads them, and fall away then.
#include <cmath>

#include "tools/import/graph_builder.h"

namespace whit::tools {

namespace {

constexpr double kRootHalf = 0.70710678118654752;  // 1 / sqrt 2

bool Near(double value, double want) { return std::abs(value - want) <= 1e-5 * std::abs(want); }

}  // namespace

// One finite number that broadcasts over `other` without changing its shape.
std::optional<double> GraphBuilder::ScalarBeside(Value scalar, Value other) const {
  const GraphTensor& t = Info(scalar);
  const bool fits = scalar.index_ >= 0 && other.index_ >= 0 && t.is_const() && t.is_float() &&
                    t.shape.elements() == 1 && t.shape.rank() <= shape(other).rank();
  if (!fits || !std::isfinite(t.values<float>()[0])) return std::nullopt;
  return double{t.values<float>()[0]};
}

// ---- powers ----

Value GraphBuilder::EasyPower(Value x, Value exponent) {
  const auto power = ScalarBeside(exponent, x);
  if (!power || type(x) != DType::kFloat32) return {};
  if (*power == 1) return x;
  if (*power == 2) return Unary(OpType::kSquare, x);
  if (*power == 3) return Mul(Unary(OpType::kSquare, x), x);
  return {};
}

// ---- x / 2 * (1 + erf(x / sqrt 2)), factors in any order ----

GraphBuilder::GeluTerm GraphBuilder::TermOf(Value v) const {
  const auto known = terms_.find(v.index_);
  return known != terms_.end() ? known->second : GeluTerm{GeluTerm::kLinear, v.index_, 1};
}

void GraphBuilder::NoteErf(Value x, Value y) {
  const GeluTerm inner = TermOf(x);
  if (!failed(y) && inner.kind == GeluTerm::kLinear && Near(inner.factor, kRootHalf))
    terms_[y.index_] = {GeluTerm::kErf, inner.x, 1};
}

std::optional<GraphBuilder::GeluTerm> GraphBuilder::TermOfBinary(OpType op, Value a,
                                                                 Value b) const {
  if (op == OpType::kMul && ScalarBeside(a, b)) std::swap(a, b);
  if (op == OpType::kAdd && ScalarBeside(a, b)) std::swap(a, b);
  const auto scalar = ScalarBeside(b, a);
  GeluTerm t = TermOf(a);
  if (scalar && op == OpType::kAdd && *scalar == 1 && t.kind == GeluTerm::kErf) {
    t.kind = GeluTerm::kOnePlusErf;
    return t;
  }
  if (scalar && (op == OpType::kMul || op == OpType::kDiv) && *scalar != 0) {
    if (t.kind == GeluTerm::kErf) return std::nullopt;
    t.factor *= op == OpType::kMul ? *scalar : 1 / *scalar;
    return t;
  }
  const GeluTerm u = TermOf(b);
  const bool pair = (t.kind == GeluTerm::kLinear && u.kind == GeluTerm::kOnePlusErf) ||
                    (t.kind == GeluTerm::kOnePlusErf && u.kind == GeluTerm::kLinear);
  if (op != OpType::kMul || !pair || t.x != u.x) return std::nullopt;
  return GeluTerm{GeluTerm::kProduct, t.x, t.factor * u.factor};
}

Value GraphBuilder::Pattern(OpType op, Value a, Value b) {
  if (!Ready(std::array{a, b}) || Info(a).quantized()) return {};
  if (op == OpType::kPow) return EasyPower(a, b);
  const auto term = TermOfBinary(op, a, b);
  if (!term || term->kind != GeluTerm::kProduct || !Near(term->factor, 0.5)) return {};
  return Gelu(Value(term->x));
}

}  // namespace whit::tools
