// Convolutions of one, two and three spatial axes, and transposed ones of one and two.
#include <algorithm>

#include "tools/import/onnx/window.h"

namespace whit::tools::onnx {

namespace {

constexpr int64_t kMaxDepthTaps = 64;  // every tap of a third axis is a convolution

// Weights [O,I,k..] of one or two axes as [O,I,kh,kw].
Value Kernel2D(GraphBuilder& g, Value w) {
  const Ints d = DimsOf(g, w);
  return d.size() == 3 ? g.Reshape(w, Ints{d[0], d[1], 1, d[2]}) : w;
}

// x[N,D,H,W,C] with weights [O,I,kd,kh,kw]: one convolution of planes for every kd, added up.
Value Conv3D(Op& op, Value x, Value w, Value bias, const Spatial& axes, ConvArgs args) {
  GraphBuilder& g = op.g;
  const SpatialAxis& depth = axes[0];
  const Ints wd = DimsOf(g, w);
  if (depth.kernel > kMaxDepthTaps)
    return g.Unsupported("a kernel of " + std::to_string(depth.kernel) + " along the third axis");
  const Value padded = g.Pad(x, {0, depth.before, 0, 0, 0}, {0, depth.after, 0, 0, 0});
  Value sum;
  for (int64_t k = 0; k < depth.kernel; ++k) {
    const int64_t begin = k * depth.dilation;
    const Value planes =
        g.SliceAxis(padded, 1, begin, begin + (depth.out() - 1) * depth.stride + 1, depth.stride);
    const Value tap = g.Reshape(g.SliceAxis(w, 2, k, k + 1), Ints{wd[0], wd[1], wd[3], wd[4]});
    const Value y = g.Conv2D(Planes(g, planes), tap, k == 0 ? bias : Value(), args);
    sum = k == 0 ? y : g.Add(sum, y);
  }
  return sum;
}

void Conv(Op& op) {
  GraphBuilder& g = op.g;
  const Ints dims = op.Dims(0), wd = op.Dims(1);
  const int rank = static_cast<int>(dims.size());
  if (rank < 3 || wd.size() != dims.size())
    return op.Invalid("input and weights must have 3 axes or more, as many as each other");
  if (rank > 5) return op.Unsupported("a convolution of " + std::to_string(rank - 2) + " axes");
  const auto axes = ReadSpatial(op, SpatialDims(dims), SpatialDims(wd));
  if (!axes) return;
  ConvArgs args;
  args.groups = op.Int("group", 1);
  args.order = WeightOrder::kOIHW;
  args.window = WindowOf(*axes, rank == 5 ? 1 : 0);
  const Value x = op.Channels(0), w = op.Plain(1), bias = op.Plain(2);
  const Value y = rank == 5 ? Conv3D(op, x, w, bias, *axes, args)
                            : g.Conv2D(Planes(g, x), Kernel2D(g, w), bias, args);
  op.Set(0, Unplanes(g, y, rank, dims[0]), ChannelsLast(rank));
}

// Padding of a transposed convolution, from pads, auto_pad or output_shape; in `after` and `extra`
// what is cut off and added behind.
bool PlaceTransposed(Op& op, Spatial* axes, Ints* extra) {
  const size_t n = axes->size();
  Ints output_padding = op.IntList("output_padding"), output_shape = op.IntList("output_shape");
  output_padding.resize(n, 0);
  if (output_shape.size() == n + 2)
    output_shape.erase(output_shape.begin(), output_shape.begin() + 2);
  const std::string auto_pad = op.Text("auto_pad", "NOTSET");
  const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  bool good = output_shape.empty() || output_shape.size() == n;
  for (const Ints* list : {&output_padding, &output_shape}) {
    for (int64_t v : *list) good = good && v >= 0 && v <= (1 << 24);
  }
  if (!good) {
    op.Invalid("output_padding and output_shape must be one number an axis, of 0 or more");
    return false;
  }
  *extra = output_padding;
  for (size_t i = 0; i < n; ++i) {
    SpatialAxis& a = (*axes)[i];
    if (output_shape.empty() && !same) continue;
    const int64_t out = output_shape.empty() ? a.in * a.stride : output_shape[i];
    const int64_t total = (a.in - 1) * a.stride + output_padding[i] + a.extent() - out;
    const int64_t cut = std::max<int64_t>(total, 0);
    const bool upper = auto_pad == "SAME_UPPER";
    a.before = upper ? cut / 2 : cut - cut / 2;
    a.after = cut - a.before;
    if (total < 0) (*extra)[i] -= total;
  }
  return true;
}

void ConvTranspose(Op& op) {
  GraphBuilder& g = op.g;
  const Ints dims = op.Dims(0), wd = op.Dims(1);
  const int rank = static_cast<int>(dims.size());
  if (rank < 3 || wd.size() != dims.size())
    return op.Invalid("input and weights must have 3 axes or more, as many as each other");
  if (rank > 4)
    return op.Unsupported("a transposed convolution of " + std::to_string(rank - 2) + " axes");
  // The output pads: whether a window fits the input is no question here.
  Ints room = SpatialDims(dims);
  const Ints in = room;
  for (size_t i = 0; i < room.size(); ++i) room[i] = int64_t{1} << 40;
  auto axes = ReadSpatial(op, room, SpatialDims(wd));
  if (!axes) return;
  for (size_t i = 0; i < in.size(); ++i) {
    (*axes)[i].in = in[i];
    const bool same = op.Text("auto_pad", "").substr(0, 4) == "SAME";
    if (same) (*axes)[i].before = (*axes)[i].after = 0;
  }
  Ints extra;
  if (!PlaceTransposed(op, &*axes, &extra)) return;
  TransposeConvArgs args;
  args.groups = op.Int("group", 1);
  args.order = WeightOrder::kIOHW;
  args.window = WindowOf(*axes, 0);
  args.extra =
      rank == 3 ? std::array<int64_t, 2>{0, extra[0]} : std::array<int64_t, 2>{extra[0], extra[1]};
  const Value y =
      g.TransposeConv2D(Planes(g, op.Channels(0)), Kernel2D(g, op.Plain(1)), op.Plain(2), args);
  op.Set(0, Unplanes(g, y, rank, dims[0]), ChannelsLast(rank));
}

}  // namespace

std::span<const Row> ConvRows() {
  static constexpr Row kRows[] = {
      {"Conv", Conv, 2},
      {"ConvTranspose", ConvTranspose, 2},
  };
  return kRows;
}

}  // namespace whit::tools::onnx
