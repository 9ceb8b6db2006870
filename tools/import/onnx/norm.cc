// Normalizations.
#include "tools/import/onnx/op.h"

namespace whit::tools::onnx {

namespace {

// (x - mean) / sqrt(variance + epsilon) over stored axes; the mean and 1 / sqrt beside it.
struct Normalized {
  Value value, mean, inverse;
};

Normalized Normalize(GraphBuilder& g, Value x, const Ints& axes, float epsilon) {
  Normalized n;
  n.mean = g.Mean(x, axes, true);
  const Value centered = g.Sub(x, n.mean);
  const Value variance = g.Mean(g.Unary(OpType::kSquare, centered), axes, true);
  n.inverse = g.Unary(OpType::kRsqrt, g.Add(variance, g.Float(epsilon)));
  n.value = g.Mul(centered, n.inverse);
  return n;
}

// y * scale + bias; either may be absent.
Value Affine(GraphBuilder& g, Value y, Value scale, Value bias) {
  if (scale.present()) y = g.Mul(y, scale);
  return bias.present() ? g.Add(y, bias) : y;
}

void BatchNormalization(Op& op) {
  GraphBuilder& g = op.g;
  if (op.Int("training_mode", 0) != 0 || op.wants(1)) return op.Unsupported("training");
  if (op.Int("spatial", 1) == 0) return op.Unsupported("statistics of every pixel");
  const int rank = op.Rank(0);
  if (rank < 2) return op.Invalid("the input must have 2 axes or more");
  const float epsilon = op.Float("epsilon", 1e-5f);
  const Value x = op.Channels(0);
  const Value gamma = op.Plain(1), beta = op.Plain(2), mean = op.Plain(3), variance = op.Plain(4);
  Value y;
  if (g.constant(gamma) && g.constant(beta) && g.constant(mean) && g.constant(variance)) {
    y = g.BatchNorm(x, {gamma, beta, mean, variance, epsilon});
  } else {
    const Value inverse = g.Unary(OpType::kRsqrt, g.Add(variance, g.Float(epsilon)));
    y = Affine(g, g.Mul(g.Sub(x, mean), inverse), gamma, beta);
  }
  op.Set(0, y, ChannelsLast(rank));
}

// Stored axes between the first and the last: the pixels.
Ints PixelAxes(int rank) {
  Ints axes;
  for (int i = 1; i < rank - 1; ++i) axes.push_back(i);
  return axes;
}

void InstanceNormalization(Op& op) {
  const int rank = op.Rank(0);
  if (rank < 3) return op.Invalid("it needs 3 inputs, the first of 3 axes or more");
  const Normalized n = Normalize(op.g, op.Channels(0), PixelAxes(rank), op.Float("epsilon", 1e-5f));
  op.Set(0, Affine(op.g, n.value, op.Plain(1), op.Plain(2)), ChannelsLast(rank));
}

// Scale and bias are one a group in old sets, one a channel in new ones.
void GroupNormalization(Op& op) {
  GraphBuilder& g = op.g;
  const int rank = op.Rank(0);
  const int64_t groups = op.Int("num_groups", 0);
  const Ints dims = op.Dims(0);
  if (rank < 3 || groups < 1 || dims[1] % groups != 0)
    return op.Invalid("channels and groups do not fit");
  const Value x = op.Channels(0);
  Ints grouped = DimsOf(g, x);
  const Ints whole = grouped;
  grouped.back() = groups;
  grouped.push_back(dims[1] / groups);
  Ints axes = PixelAxes(rank);
  axes.push_back(rank);
  Value y = Normalize(g, g.Reshape(x, grouped), axes, op.Float("epsilon", 1e-5f)).value;
  const auto each = [&](size_t i) {
    const Value v = op.Plain(i);
    if (op.Dims(i) == Ints{dims[1]}) return g.Reshape(v, Ints{groups, dims[1] / groups});
    return g.Reshape(v, Ints{groups, 1});
  };
  op.Set(0, g.Reshape(Affine(g, y, each(1), each(2)), whole), ChannelsLast(rank));
}

// An operand that broadcasts over the last axes of x, in x's order.
Value Trailing(Op& op, size_t i, int rank, const Order& order) {
  if (!op.has(i)) return Value();
  return Reorder(op.g, Raised(op.g, op.Plain(i), rank), {}, order);
}

Ints StoredAxesFrom(const Order& order, int first, int rank) {
  Ints axes;
  for (int axis = first; axis < rank; ++axis) axes.push_back(PositionOf(order, axis));
  return axes;
}

void LayerNormalization(Op& op) {
  Order order;
  const Value x = op.Raw(0, &order);
  const int rank = op.Rank(0), axis = op.Axis(op.Int("axis", -1), rank);
  const Normalized n =
      Normalize(op.g, x, StoredAxesFrom(order, axis, rank), op.Float("epsilon", 1e-5f));
  op.Set(0, Affine(op.g, n.value, Trailing(op, 1, rank, order), Trailing(op, 2, rank, order)),
         order);
  op.Set(1, n.mean, order);
  op.Set(2, n.inverse, order);
}

void RmsNormalization(Op& op) {
  GraphBuilder& g = op.g;
  Order order;
  const Value x = op.Raw(0, &order);
  const int rank = op.Rank(0), axis = op.Axis(op.Int("axis", -1), rank);
  const Value power = g.Mean(g.Unary(OpType::kSquare, x), StoredAxesFrom(order, axis, rank), true);
  const Value inverse = g.Unary(OpType::kRsqrt, g.Add(power, g.Float(op.Float("epsilon", 1e-5f))));
  op.Set(0, Affine(g, g.Mul(x, inverse), Trailing(op, 1, rank, order), Value()), order);
}

// Layer normalization of the sum of two inputs (and a bias), which is output 3.
void SkipLayerNormalization(Op& op) {
  GraphBuilder& g = op.g;
  if (op.wants(1) || op.wants(2)) return op.Unsupported("the mean and the variance as outputs");
  Value sum = g.Add(op.Plain(0), op.Plain(1));
  if (op.has(4)) sum = g.Add(sum, op.Plain(4));
  op.Set(0, g.LayerNorm(sum, 1, op.Plain(2), op.Plain(3), op.Float("epsilon", 1e-12f)));
  op.Set(3, sum);
}

void LpNormalization(Op& op) {
  GraphBuilder& g = op.g;
  Order order;
  const Value x = op.Raw(0, &order);
  const Ints axis = {PositionOf(order, op.Axis(op.Int("axis", -1), op.Rank(0)))};
  const int64_t p = op.Int("p", 2);
  if (p != 1 && p != 2) return op.Invalid("p must be 1 or 2, is " + std::to_string(p));
  const Value size =
      p == 1
          ? g.Reduce(OpType::kSum, g.Unary(OpType::kAbs, x), axis, true)
          : g.Unary(OpType::kSqrt, g.Reduce(OpType::kSum, g.Unary(OpType::kSquare, x), axis, true));
  // Nothing but zeros stays so.
  const Value none = g.Compare(OpType::kEqual, size, g.Float(0));
  op.Set(0, g.Div(x, g.Select(none, g.Float(1), size)), order);
}

void MeanVarianceNormalization(Op& op) {
  Order order;
  const Value x = op.Raw(0, &order);
  Ints axes = op.Has("axes") ? op.IntList("axes") : Ints{0, 2, 3};
  for (int64_t& a : axes) a = PositionOf(order, op.Axis(a, op.Rank(0)));
  op.Set(0, Normalize(op.g, x, axes, 1e-9f).value, order);
}

// x / (bias + alpha / size * sum of squares over neighbouring channels)^beta. The sum is an average
// pool along the channels that counts padding, times its window.
void Lrn(Op& op) {
  GraphBuilder& g = op.g;
  const int rank = op.Rank(0);
  const int64_t size = op.Int("size", 1);
  if (rank < 3 || size < 1) return op.Invalid("3 axes or more and a size of 1 or more are needed");
  const Value x = op.Channels(0);
  const Ints dims = DimsOf(g, x);
  const int64_t channels = dims.back();
  if (channels < 1) return op.Invalid("no channels");
  const Value columns = g.Reshape(g.Unary(OpType::kSquare, x), Ints{-1, channels, 1, 1});
  AveragePoolArgs args;
  args.window.kernel = {size, 1};
  args.window.before = {(size - 1) / 2, 0};
  args.window.after = {size - 1 - (size - 1) / 2, 0};
  args.count_padding = true;
  const Value mean = g.Reshape(g.AveragePool(columns, args), dims);
  const Value base =
      g.Add(g.Mul(mean, g.Float(op.Float("alpha", 1e-4f))), g.Float(op.Float("bias", 1)));
  op.Set(0, g.Mul(x, g.Pow(base, g.Float(-op.Float("beta", 0.75f)))), ChannelsLast(rank));
}

}  // namespace

std::span<const Row> NormRows() {
  static constexpr Row kRows[] = {
      {"BatchNormalization", BatchNormalization, 5},
      {"InstanceNormalization", InstanceNormalization, 3, 6},
      {"GroupNormalization", GroupNormalization, 3},
      {"LayerNormalization", LayerNormalization, 2},
      {"RMSNormalization", RmsNormalization, 2},
      {"SimplifiedLayerNormalization", RmsNormalization, 2},
      {"SkipLayerNormalization", SkipLayerNormalization, 3, 1, 1000, false, "com.microsoft"},
      {"LpNormalization", LpNormalization, 1},
      {"MeanVarianceNormalization", MeanVarianceNormalization, 1},
      {"LRN", Lrn, 1},
  };
  return kRows;
}

}  // namespace whit::tools::onnx
