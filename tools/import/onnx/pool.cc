// Pools of one, two and three spatial axes.
#include <algorithm>
#include <cmath>

#include "tools/import/onnx/window.h"

namespace whit::tools::onnx {

namespace {

enum class Kind { kMax, kAverage };

Value PoolPlanes(GraphBuilder& g, Kind kind, Value x, const Spatial& axes, size_t first,
                 bool count_padding) {
  Window2D window = WindowOf(axes, first);
  std::array<int64_t, 2> overhang = {0, 0};
  const size_t offset = axes.size() == 1 ? 1 : 0;
  for (size_t i = offset; i < 2; ++i) overhang[i] = axes[first + i - offset].overhang;
  if (kind == Kind::kMax) {
    for (size_t i : {0, 1}) window.after[i] += overhang[i];
    return g.MaxPool(x, window);
  }
  AveragePoolArgs args;
  args.window = window, args.count_padding = count_padding, args.overhang = overhang;
  return g.AveragePool(x, args);
}

// A pool over three axes is one over the last two, then one over the first: of averages too, as the
// pixels that count are a product of intervals.
Value PoolVolume(GraphBuilder& g, Kind kind, Value x, const Spatial& axes, bool count_padding) {
  const int64_t batch = g.shape(x)[0], depth = g.shape(x)[1];
  const Value planes = PoolPlanes(g, kind, Planes(g, x), axes, 1, count_padding);
  if (g.failed(planes)) return planes;
  const Shape p = g.shape(planes);
  const Value columns = g.Reshape(planes, Ints{batch, depth, 1, p[1] * p[2] * p[3]});
  const Spatial first = {axes[0], SpatialAxis()};
  const Value pooled = PoolPlanes(g, kind, columns, first, 0, count_padding);
  if (g.failed(pooled)) return pooled;
  return g.Reshape(pooled, Ints{batch, g.shape(pooled)[1], p[1], p[2], p[3]});
}

// The number of input pixels (and of padding, where it counts) below every window, inverted:
// [1,out..,1].
Value InverseCounts(GraphBuilder& g, const Spatial& axes, bool count_padding) {
  std::vector<float> inverse = {1};
  Ints dims = {1};
  for (const SpatialAxis& a : axes) {
    std::vector<float> next;
    for (float outer : inverse) {
      for (int64_t o = 0; o < a.out(); ++o) {
        int64_t count = 0;
        for (int64_t k = 0; k < a.kernel; ++k) {
          const int64_t at = o * a.stride + k * a.dilation - a.before;
          const int64_t lo = count_padding ? -a.before : 0;
          const int64_t hi = count_padding ? a.in + a.after : a.in;
          count += at >= lo && at < hi ? 1 : 0;
        }
        next.push_back(outer / static_cast<float>(std::max<int64_t>(count, 1)));
      }
    }
    inverse = std::move(next);
    dims.push_back(a.out());
  }
  dims.push_back(1);
  return g.Reshape(g.Floats(Shape{static_cast<int64_t>(inverse.size())}, inverse), std::move(dims));
}

// An average with a dilation: sums axis by axis, one strided slice a tap.
Value DilatedAverage(Op& op, Value x, const Spatial& axes, bool count_padding) {
  GraphBuilder& g = op.g;
  int64_t taps = 0, windows = 1;
  Ints before = {0}, after = {0};
  for (const SpatialAxis& a : axes) {
    taps += std::min<int64_t>(a.kernel, 100);
    windows *= std::min<int64_t>(a.out(), 1 << 20);
    if (taps > 64 || windows > 1 << 20)
      return g.Unsupported("a dilated average of more than 64 taps or 2^20 windows");
    before.push_back(a.before);
    after.push_back(a.after + a.overhang);
  }
  before.push_back(0), after.push_back(0);
  x = g.Pad(x, before, after);
  for (size_t i = 0; i < axes.size(); ++i) {
    const SpatialAxis& a = axes[i];
    Value sum;
    for (int64_t k = 0; k < a.kernel; ++k) {
      const int64_t begin = k * a.dilation;
      const Value part = g.SliceAxis(x, static_cast<int>(i) + 1, begin,
                                     begin + (a.out() - 1) * a.stride + 1, a.stride);
      sum = k == 0 ? part : g.Add(sum, part);
    }
    x = sum;
  }
  return g.Mul(x, InverseCounts(g, axes, count_padding));
}

Value Pooled(Op& op, Kind kind, Value x, const Spatial& axes, bool count_padding) {
  GraphBuilder& g = op.g;
  const int rank = g.shape(x).rank();
  const bool dilated =
      std::any_of(axes.begin(), axes.end(), [](const SpatialAxis& a) { return a.dilation != 1; });
  if (kind == Kind::kAverage && dilated) return DilatedAverage(op, x, axes, count_padding);
  if (rank == 5) return PoolVolume(g, kind, x, axes, count_padding);
  const Value y = PoolPlanes(g, kind, Planes(g, x), axes, 0, count_padding);
  return Unplanes(g, y, rank, g.shape(x)[0]);
}

std::optional<Spatial> Window(Op& op) {
  const Ints dims = op.Dims(0);
  if (dims.size() < 3) {
    op.Invalid("the input must have 3 axes or more");
    return std::nullopt;
  }
  if (dims.size() > 5) {
    op.Unsupported("a pool over " + std::to_string(dims.size() - 2) + " axes");
    return std::nullopt;
  }
  return ReadSpatial(op, SpatialDims(dims), op.IntList("kernel_shape"));
}

void MaxPool(Op& op) {
  const auto axes = Window(op);
  if (!axes) return;
  if (op.wants(1)) return op.Unsupported("the indices of the largest elements");
  op.Set(0, Pooled(op, Kind::kMax, op.Channels(0), *axes, false), ChannelsLast(op.Rank(0)));
}

void AveragePool(Op& op) {
  const auto axes = Window(op);
  if (!axes) return;
  const bool count = op.Int("count_include_pad", 0) != 0;
  op.Set(0, Pooled(op, Kind::kAverage, op.Channels(0), *axes, count), ChannelsLast(op.Rank(0)));
}

// The p-th root of the sum of p-th powers; a sum is an average that counts padding, times the
// window.
void LpPool(Op& op) {
  const auto axes = Window(op);
  if (!axes) return;
  GraphBuilder& g = op.g;
  const auto p = static_cast<float>(op.Int("p", 2));
  float taps = 1;
  for (const SpatialAxis& a : *axes) {
    taps *= static_cast<float>(a.kernel);
    if (a.overhang != 0) return op.Unsupported("ceil_mode");
  }
  const Value power = g.Pow(g.Unary(OpType::kAbs, op.Channels(0)), g.Float(p));
  const Value sum = g.Mul(Pooled(op, Kind::kAverage, power, *axes, true), g.Float(taps));
  op.Set(0, g.Pow(sum, g.Float(1 / p)), ChannelsLast(op.Rank(0)));
}

// All axes from the third on, wherever they lie.
Value ReduceSpatial(Op& op, OpType type, Value x, const Order& order) {
  Ints axes;
  for (int axis = 2; axis < op.Rank(0); ++axis) axes.push_back(PositionOf(order, axis));
  return op.g.Reduce(type, x, axes, true);
}

template <OpType kType>
void GlobalPool(Op& op) {
  if (op.Rank(0) < 3) return op.Invalid("the input must have 3 axes or more");
  Order order;
  const Value x = op.Raw(0, &order);
  op.Set(0, ReduceSpatial(op, kType, x, order), order);
}

void GlobalLpPool(Op& op) {
  GraphBuilder& g = op.g;
  Order order;
  const Value x = op.Raw(0, &order);
  const auto p = static_cast<float>(op.Int("p", 2));
  const Value power = g.Pow(g.Unary(OpType::kAbs, x), g.Float(p));
  op.Set(0, g.Pow(ReduceSpatial(op, OpType::kSum, power, order), g.Float(1 / p)), order);
}

}  // namespace

std::span<const Row> PoolRows() {
  static constexpr Row kRows[] = {
      {"MaxPool", MaxPool, 1, 1, 1000, true},
      {"AveragePool", AveragePool, 1},
      {"LpPool", LpPool, 1, 2},
      {"GlobalAveragePool", GlobalPool<OpType::kMean>, 1},
      {"GlobalMaxPool", GlobalPool<OpType::kReduceMax>, 1},
      {"GlobalLpPool", GlobalLpPool, 1, 2},
  };
  return kRows;
}

}  // namespace whit::tools::onnx
