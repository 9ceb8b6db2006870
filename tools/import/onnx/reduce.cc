// Reductions along axes, softmax and what picks the largest.
#include <algorithm>

#include "tools/import/onnx/op.h"

namespace whit::tools::onnx {

namespace {

// What is reduced: the value as it lies, stored axes, and the order of the result.
struct Reduction {
  Value x;
  Ints axes;
  Order order;
  bool keep = true;
  bool nothing = false;  // noop_with_empty_axes
};

std::optional<Reduction> ReadReduction(Op& op) {
  Reduction r;
  const auto given = op.IntsOf("axes", 1);
  if (op.has(1) && !given) return std::nullopt;
  r.x = op.Raw(0, &r.order);
  const int rank = op.Rank(0);
  r.keep = op.Int("keepdims", 1) != 0;
  std::vector<bool> gone(static_cast<size_t>(rank), !given || given->empty());
  if (given && given->empty()) r.nothing = op.Int("noop_with_empty_axes", 0) != 0;
  if (!given) r.nothing = op.Int("noop_with_empty_axes", 0) != 0;
  for (int64_t a : given.value_or(Ints())) {
    if (rank > 0) gone[static_cast<size_t>(op.Axis(a, rank))] = true;
  }
  Order rest;  // what is left, numbered anew
  const Order full = Full(r.order, rank);
  for (int k = 0; k < rank; ++k) {
    const int axis = full[static_cast<size_t>(k)];
    if (gone[static_cast<size_t>(axis)]) {
      r.axes.push_back(k);
    } else {
      const auto before = std::count(gone.begin(), gone.begin() + axis, true);
      rest.push_back(axis - static_cast<int>(before));
    }
  }
  if (!r.keep) r.order = rest;
  return r;
}

// before: what every element becomes first; after: what the result becomes.
template <OpType kType, typename Before, typename After>
void Reduce(Op& op, Before before, After after) {
  auto r = ReadReduction(op);
  if (!r) return;
  const Value x = before(op.g, r->x);
  const Value y = r->nothing ? x : op.g.Reduce(kType, x, r->axes, r->keep);
  Order order;
  if (r->nothing) op.Raw(0, &order);
  op.Set(0, after(op.g, y), r->nothing ? order : r->order);
}

Value Same(GraphBuilder&, Value x) { return x; }
Value Square(GraphBuilder& g, Value x) { return g.Unary(OpType::kSquare, x); }
Value Abs(GraphBuilder& g, Value x) { return g.Unary(OpType::kAbs, x); }
Value ExpOf(GraphBuilder& g, Value x) { return g.Unary(OpType::kExp, x); }
Value LogOf(GraphBuilder& g, Value x) { return g.Unary(OpType::kLog, x); }
Value Sqrt(GraphBuilder& g, Value x) { return g.Unary(OpType::kSqrt, x); }

template <OpType kType>
void Plain(Op& op) {
  if (op.has(0) && op.Type(0) == DType::kBool) {
    // Bool: the largest is any, the smallest all.
    if (kType == OpType::kReduceMax) return Reduce<OpType::kReduceAny>(op, Same, Same);
    if (kType == OpType::kReduceMin) return Reduce<OpType::kReduceAll>(op, Same, Same);
  }
  Reduce<kType>(op, Same, Same);
}

void L1(Op& op) { Reduce<OpType::kSum>(op, Abs, Same); }
void L2(Op& op) { Reduce<OpType::kSum>(op, Square, Sqrt); }
void SumSquare(Op& op) { Reduce<OpType::kSum>(op, Square, Same); }
void LogSum(Op& op) { Reduce<OpType::kSum>(op, Same, LogOf); }

// max + log(sum(exp(x - max))).
void LogSumExp(Op& op) {
  auto r = ReadReduction(op);
  if (!r) return;
  if (r->nothing) return Reduce<OpType::kSum>(op, Same, Same);
  GraphBuilder& g = op.g;
  const Value most = g.Reduce(OpType::kReduceMax, r->x, r->axes, true);
  const Value sum = g.Reduce(OpType::kSum, ExpOf(g, g.Sub(r->x, most)), r->axes, true);
  Value y = g.Add(most, LogOf(g, sum));
  if (!r->keep && !g.failed(y)) {
    Ints dims;
    for (int k = 0; k < g.shape(y).rank(); ++k) {
      if (std::count(r->axes.begin(), r->axes.end(), k) == 0) dims.push_back(g.shape(y)[k]);
    }
    y = g.Reshape(y, std::move(dims));
  }
  op.Set(0, y, r->order);
}

template <bool kMost>
void Arg(Op& op) {
  GraphBuilder& g = op.g;
  Order order;
  Value x = op.Raw(0, &order);
  const int rank = op.Rank(0), axis = op.Axis(op.Int("axis", 0), rank);
  const int at = PositionOf(order, axis);
  const bool last = op.Int("select_last_index", 0) != 0, keep = op.Int("keepdims", 1) != 0;
  if (last) x = g.Reverse(x, {at});
  Value y = kMost ? g.ArgMax(x, at, keep) : g.ArgMin(x, at, keep);
  if (last) y = g.Sub(g.Int64s(Shape(), std::array{g.shape(x)[at] - 1}), y);
  if (!keep && !order.empty()) {
    order.erase(order.begin() + at);
    for (int& a : order) a -= a > axis ? 1 : 0;
  }
  op.Set(0, y, order);
}

// ---- softmax ----

// Old sets flatten: everything from the axis on is one axis.
template <typename Fn>
void Flattened(Op& op, Fn fn) {
  const int rank = op.Rank(0);
  const int64_t given = op.Int("axis", 1);
  const int axis = given == rank ? rank : op.Axis(given, rank);
  const Ints dims = op.Dims(0);
  int wide = 0, only = axis;  // axes above 1 from `axis` on
  for (int i = axis; i < rank; ++i) {
    if (dims[static_cast<size_t>(i)] != 1) ++wide, only = i;
  }
  Order order;
  const Value x = op.Raw(0, &order);
  if (wide <= 1 && only < rank) return op.Set(0, fn(x, PositionOf(order, only)), order);
  int64_t lead = 1;
  for (int i = 0; i < axis; ++i) lead *= dims[static_cast<size_t>(i)];
  const Value flat = op.g.Reshape(op.Plain(0), Ints{lead, -1});
  op.Set(0, op.g.Reshape(fn(flat, 1), dims));
}

template <typename Fn>
void AlongAxis(Op& op, Fn fn) {
  if (op.version < 13) return Flattened(op, fn);
  Order order;
  const Value x = op.Raw(0, &order);
  const int axis = op.Axis(op.Int("axis", -1), op.Rank(0));
  op.Set(0, fn(x, PositionOf(order, axis)), order);
}

void Softmax(Op& op) {
  AlongAxis(op, [&](Value x, int axis) { return op.g.Softmax(x, axis); });
}

void LogSoftmax(Op& op) {
  AlongAxis(op, [&](Value x, int axis) { return op.g.LogSoftmax(x, axis); });
}

void Hardmax(Op& op) {
  GraphBuilder& g = op.g;
  AlongAxis(op, [&](Value x, int axis) {
    const Value most = g.ArgMax(x, axis);
    return g.OneHot(most, g.shape(x)[axis], g.Float(1), g.Float(0), axis);
  });
}

// ---- running sums, the k largest ----

void CumSum(Op& op) {
  const auto axis = op.ConstInts(1);
  if (!axis || axis->size() != 1) return op.Unsupported("an axis that is computed at run time");
  Order order;
  const Value x = op.Raw(0, &order);
  const int at = PositionOf(order, op.Axis(axis->front(), op.Rank(0)));
  op.Set(0, op.g.CumSum(x, at, op.Int("exclusive", 0) != 0, op.Int("reverse", 0) != 0), order);
}

void TopK(Op& op) {
  GraphBuilder& g = op.g;
  const auto k = op.IntsOf("k", 1);
  if (!k) return;
  if (k->size() != 1) return op.Invalid("k must be one number");
  const int rank = op.Rank(0);
  if (rank < 1) return op.Invalid("the input has no axis");
  const int axis = op.Axis(op.Int("axis", -1), rank);
  Order order;
  op.Raw(0, &order);
  order = Full(order, rank);
  order.erase(order.begin() + PositionOf(order, axis));
  order.push_back(axis);
  order = Canonical(order);
  Value x = op.As(0, order);
  const bool least = op.Int("largest", 1) == 0;
  if (least) x = g.Unary(OpType::kNeg, x);
  auto [values, indices] = g.TopK(x, k->front());
  if (least) values = g.Unary(OpType::kNeg, values);
  op.Set(0, values, order);
  op.Set(1, g.Cast(indices, DType::kInt64), order);
}

}  // namespace

std::span<const Row> ReduceRows() {
  static constexpr Row kRows[] = {
      {"ReduceMean", Plain<OpType::kMean>, 1},
      {"ReduceSum", Plain<OpType::kSum>, 1},
      {"ReduceMax", Plain<OpType::kReduceMax>, 1},
      {"ReduceMin", Plain<OpType::kReduceMin>, 1},
      {"ReduceProd", Plain<OpType::kReduceProd>, 1},
      {"ReduceL1", L1, 1},
      {"ReduceL2", L2, 1},
      {"ReduceSumSquare", SumSquare, 1},
      {"ReduceLogSum", LogSum, 1},
      {"ReduceLogSumExp", LogSumExp, 1},
      {"ArgMax", Arg<true>, 1},
      {"ArgMin", Arg<false>, 1},
      {"Softmax", Softmax, 1},
      {"LogSoftmax", LogSoftmax, 1},
      {"Hardmax", Hardmax, 1},
      {"CumSum", CumSum, 2},
      {"TopK", TopK, 1},
  };
  return kRows;
}

}  // namespace whit::tools::onnx
