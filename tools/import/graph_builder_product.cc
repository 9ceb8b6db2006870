// GraphBuilder: convolutions, matrix products, batch normalization.
#include <algorithm>
#include <cmath>

#include "tools/import/axes.h"
#include "tools/import/graph_builder.h"
#include "tools/import/packing.h"
#include "tools/import/permute.h"
#include "tools/import/product.h"
#include "tools/import/window.h"

namespace whit::tools {

namespace {

// Positions of O, H, W and I in an array of that order.
std::array<int, 4> PlacesOf(WeightOrder order) {
  switch (order) {
    case WeightOrder::kOIHW:
      return {0, 2, 3, 1};
    case WeightOrder::kHWIO:
      return {3, 0, 1, 2};
    case WeightOrder::kIOHW:
      return {1, 2, 3, 0};
    case WeightOrder::kHWOI:
      return {2, 0, 1, 3};
    default:
      return {0, 1, 2, 3};
  }
}

// The constant weights `w` with their axes in the order `to`, as a new constant.
Result<int> Reordered(Scope& l, int w, const std::vector<int>& perm) {
  const GraphTensor& t = l.tensor(w);
  bool same = true;
  for (size_t i = 0; i < perm.size(); ++i) same = same && perm[i] == static_cast<int>(i);
  if (same) return w;
  WHIT_ASSIGN_OR_RETURN(Bytes bytes, Permuted(l, *t.constant, t.shape, perm, DTypeSize(t.type)));
  GraphTensor turned = t;
  turned.shape = Permuted(t.shape, perm);
  return l.Constant(std::move(turned), std::move(bytes));
}

Status ExpectConstant(const Scope& l, const GraphTensor& t, const char* what) {
  if (t.is_const()) return OkStatus();
  return l.Unsupported(std::string(what) + " computed at run time");
}

// A bias that a product can take: constant, one element a channel.
Status CheckBias(const Scope& l, const GraphTensor& t, int64_t n) {
  if (t.shape.elements() == n && t.shape.rank() >= 1) return OkStatus();
  return l.Invalid("bias " + Scope::Label(t) + " has shape " + t.shape.ToString() + ", " +
                   std::to_string(n) + " output channels");
}

template <typename Options>
void SetBounds(Options& o, const GraphTensor& out, const Bounds& bounds) {
  const Clamp clamp = StoredClamp(out, bounds.lo, bounds.hi);
  o.lo = clamp.lo, o.hi = clamp.hi;
}

// Windows that lie in padding altogether read a padded tensor instead.
bool PadsBeyondWindow(const Window& w) { return std::max(w.before, w.after) >= w.extent(); }

}  // namespace

// ---- convolutions ----

Result<int> GraphBuilder::EmitConv(OpType op, Value x, PendingProduct product,
                                   std::array<int64_t, 2> kernel, const ConvArgs& args) {
  const Shape in = shape(x);
  WHIT_ASSIGN_OR_RETURN(Window h, PlaceWindow(scope(), args.window, 0, in[1], kernel[0]));
  WHIT_ASSIGN_OR_RETURN(Window w, PlaceWindow(scope(), args.window, 1, in[2], kernel[1]));
  if (PadsBeyondWindow(h) || PadsBeyondWindow(w)) {
    ConvArgs bare = args;
    bare.window.before = bare.window.after = {0, 0};
    const Value padded = Pad(x, {0, h.before, w.before, 0}, {0, h.after, w.after, 0});
    if (failed(padded)) return Value::kFailed;
    return EmitConv(op, padded, std::move(product), kernel, bare);
  }
  WHIT_ASSIGN_OR_RETURN(const GraphTensor result, ResultType(x, args.out));
  WHIT_ASSIGN_OR_RETURN(const int out, NewOf(result, {in[0], h.out, w.out, product.n}));
  product.x = x.index_;
  fbs::ConvOptionsT o;
  const int from = AbsorbPad(scope(), x.index_, &h, &w);
  SetPadding(o, h, w);
  o.dilation_h = static_cast<uint32_t>(h.dilation),
  o.dilation_w = static_cast<uint32_t>(w.dilation);
  return EmitBiased(op, std::move(o), std::move(product), from, out, args.bounds);
}

template <typename Options>
Result<int> GraphBuilder::EmitBiased(OpType op, Options options, PendingProduct product, int x,
                                     int out, const Bounds& bounds) {
  const int bias = product.bias;
  if (bias >= 0) WHIT_RETURN_IF_ERROR(CheckBias(scope(), scope().tensor(bias), product.n));
  // A float bias that is computed is added behind.
  const bool add = bias >= 0 && !scope().tensor(bias).is_const() && scope().tensor(out).is_float();
  if (!add) {
    SetBounds(options, scope().tensor(out), bounds);
    WHIT_RETURN_IF_ERROR(EmitProduct(scope(), op, std::move(options), std::move(product), x, out));
    return out;
  }
  product.bias = -1;
  WHIT_ASSIGN_OR_RETURN(const int sum, scope().Temp(out, scope().tensor(out).shape));
  WHIT_RETURN_IF_ERROR(EmitProduct(scope(), op, std::move(options), std::move(product), x, out));
  fbs::BinaryOptionsT o;
  SetBounds(o, scope().tensor(sum), bounds);
  WHIT_RETURN_IF_ERROR(scope().Emit(OpType::kAdd, std::move(o), {out, bias}, {sum}));
  return sum;
}

Value GraphBuilder::Conv2D(Value x, Value weights, Value bias, const ConvArgs& args) {
  if (args.groups > 1 && shape(x).rank() == 4 && args.groups == shape(x)[3])
    return DepthwiseConv2D(x, weights, bias, args);
  return Try({x, weights, bias}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectRank(x, 4, "the input"));
    WHIT_RETURN_IF_ERROR(ExpectRank(weights, 4, "the weights"));
    WHIT_RETURN_IF_ERROR(ExpectConstant(scope(), Info(weights), "weights"));
    const auto places = PlacesOf(args.order);
    WHIT_ASSIGN_OR_RETURN(const int ohwi,
                          Reordered(scope(), weights.index_, {places.begin(), places.end()}));
    const Shape ws = scope().tensor(ohwi).shape;
    const int64_t channels = shape(x)[3];
    // By division: the product of two numbers somebody wrote may overflow.
    if (args.groups < 1 || ws[0] < 1 || ws[3] < 1 || channels % ws[3] != 0 ||
        channels / ws[3] != args.groups || ws[0] % args.groups != 0) {
      return scope().Invalid("weights of " + std::to_string(ws[0]) + " output and " +
                             std::to_string(ws[3]) + " input channels in " +
                             std::to_string(args.groups) + " groups do not fit an input of " +
                             std::to_string(channels) + " channels");
    }
    PendingProduct p;
    const Runs runs = ConvRuns(ws[1], ws[2], ws[3], args.groups, args.window.dilation[1]);
    p.weights = ohwi, p.bias = bias.index_, p.n = ws[0], p.groups = args.groups;
    p.runs = runs.runs, p.run_length = runs.run_length, p.shape = Dims(ws);
    return EmitConv(OpType::kConv2D, x, std::move(p), {ws[1], ws[2]}, args);
  });
}

Value GraphBuilder::DepthwiseConv2D(Value x, Value weights, Value bias, ConvArgs args) {
  const bool one_channel = shape(x).rank() == 4 && shape(x)[3] == 1;
  const bool hybrid = type(x) == DType::kFloat32 && type(weights) == DType::kInt8;
  const bool tf = args.order == WeightOrder::kHWOI;  // [H,W,C,multiplier]
  if (one_channel && !hybrid) {  // every output channel reads it: an ordinary convolution
    args.groups = 1;
    if (tf) args.order = WeightOrder::kHWIO;  // C is I
    return Conv2D(x, weights, bias, args);
  }
  return Try({x, weights, bias}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectRank(x, 4, "the input"));
    WHIT_RETURN_IF_ERROR(ExpectRank(weights, 4, "the weights"));
    WHIT_RETURN_IF_ERROR(ExpectConstant(scope(), Info(weights), "weights"));
    const auto [o, h, w, i] = PlacesOf(args.order);
    const std::vector<int> perm = tf ? std::vector<int>{0, 1, 2, 3} : std::vector<int>{h, w, i, o};
    WHIT_ASSIGN_OR_RETURN(const int hwc, Reordered(scope(), weights.index_, perm));
    const Shape ws = scope().tensor(hwc).shape;  // [H,W,C,multiplier] or [H,W,1,C*multiplier]
    const int64_t channels = shape(x)[3], n = ws[2] * ws[3];
    if (n < 1 || channels < 1 || n % channels != 0 || (tf ? ws[2] != channels : ws[2] != 1)) {
      return scope().Invalid("weights of shape " + shape(weights).ToString() +
                             " do not fit a depthwise convolution of " + std::to_string(channels) +
                             " channels");
    }
    PendingProduct p;
    p.weights = hwc, p.bias = bias.index_, p.depthwise = true, p.n = n;
    p.runs = ws[0] * ws[1], p.run_length = 1, p.shape = {ws[0], ws[1], n};
    return EmitConv(OpType::kDepthwiseConv2D, x, std::move(p), {ws[0], ws[1]}, args);
  });
}

// ---- transposed convolutions ----

namespace {

// One axis: what is cut off behind, and the size of the output.
Result<Window> PlaceTransposed(const Scope& l, const TransposeConvArgs& args, size_t i, int64_t in,
                               int64_t kernel) {
  const char* axis = i == 0 ? "height" : "width";
  Window w = {.in = in, .kernel = kernel, .stride = args.window.stride[i]};
  WHIT_RETURN_IF_ERROR(CheckWindow(l, axis, w));
  const int64_t extra = args.extra[i] - args.window.after[i];  // more than 0: behind the last tap
  w.before = args.window.before[i];
  w.after = std::max<int64_t>(-extra, 0);
  w.out = (in - 1) * w.stride + kernel - w.before + extra;
  if (in >= 1 && w.out >= 1 && extra < w.stride) return w;
  return l.Invalid(std::string(axis) + ": an input of " + std::to_string(in) + " by stride " +
                   std::to_string(w.stride) + ", kernel " + std::to_string(kernel) + ", " +
                   std::to_string(w.before) + " cut off before, " +
                   std::to_string(args.window.after[i]) + " after, " +
                   std::to_string(args.extra[i]) + " added gives " + std::to_string(w.out));
}

}  // namespace

// Weights [O,H,W,I] with zeros between the taps: a dilated kernel written out.
Result<int> GraphBuilder::SpreadKernel(int weights, std::array<int64_t, 2> dilation) {
  if (dilation[0] == 1 && dilation[1] == 1) return weights;
  const GraphTensor& t = scope().tensor(weights);
  const Shape s = t.shape;
  if (t.constant->empty()) {
    return scope().Invalid("dilated weights " + Scope::Label(t) + " without elements, of shape " +
                           s.ToString());
  }
  for (int64_t d : dilation) {
    if (d < 1 || d > kMaxWindow) return scope().Invalid("dilation " + std::to_string(d));
  }
  Shape wide = s;
  wide[1] = (s[1] - 1) * dilation[0] + 1, wide[2] = (s[2] - 1) * dilation[1] + 1;
  GraphTensor spread = t;
  const int index = scope().Constant(std::move(spread), {});
  WHIT_RETURN_IF_ERROR(scope().SetShape(index, wide));
  WHIT_RETURN_IF_ERROR(state_.memory.Charge(scope().tensor(index).bytes()));
  const GraphTensor& source = scope().tensor(weights);
  // Real 0 is the zero point; weights that have one are symmetric in every format but old uint8.
  const int32_t zero = source.zero_point.empty() ? 0 : source.zero_point[0];
  Bytes bytes(scope().tensor(index).bytes(), static_cast<std::byte>(source.is_float() ? 0 : zero));
  const size_t pixel = static_cast<size_t>(s[3]) * DTypeSize(source.type);
  for (int64_t o = 0; o < s[0]; ++o) {
    for (int64_t y = 0; y < s[1]; ++y) {
      for (int64_t x = 0; x < s[2]; ++x) {
        const int64_t from = (o * s[1] + y) * s[2] + x;
        const int64_t to = (o * wide[1] + y * dilation[0]) * wide[2] + x * dilation[1];
        std::memcpy(bytes.data() + static_cast<size_t>(to) * pixel,
                    source.constant->data() + static_cast<size_t>(from) * pixel, pixel);
      }
    }
  }
  WHIT_RETURN_IF_ERROR(scope().SetConstant(index, std::make_shared<const Bytes>(std::move(bytes))));
  return index;
}

Value GraphBuilder::TransposeConv2D(Value x, Value weights, Value bias,
                                    const TransposeConvArgs& args) {
  if (args.groups > 1) return GroupedTransposeConv(x, weights, bias, args);
  return Try({x, weights, bias}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectRank(x, 4, "the input"));
    WHIT_RETURN_IF_ERROR(ExpectRank(weights, 4, "the weights"));
    WHIT_RETURN_IF_ERROR(ExpectConstant(scope(), Info(weights), "weights"));
    WHIT_RETURN_IF_ERROR(CheckPads(scope(), args.window));
    WHIT_RETURN_IF_ERROR(CheckPads(scope(), {.after = args.extra}));
    const auto places = PlacesOf(args.order);
    WHIT_ASSIGN_OR_RETURN(const int ohwi,
                          Reordered(scope(), weights.index_, {places.begin(), places.end()}));
    WHIT_ASSIGN_OR_RETURN(const int spread, SpreadKernel(ohwi, args.window.dilation));
    const Shape ws = scope().tensor(spread).shape, in = shape(x);
    if (ws[3] != in[3] || ws[0] < 1 || args.groups < 1) {
      return scope().Invalid("weights of " + std::to_string(ws[3]) +
                             " input channels, the input has " + std::to_string(in[3]));
    }
    WHIT_ASSIGN_OR_RETURN(const Window h, PlaceTransposed(scope(), args, 0, in[1], ws[1]));
    WHIT_ASSIGN_OR_RETURN(const Window w, PlaceTransposed(scope(), args, 1, in[2], ws[2]));
    PendingProduct p;
    p.x = x.index_, p.weights = spread, p.bias = bias.index_, p.n = ws[0], p.fold = false;
    p.runs = ws[1] * ws[2], p.run_length = ws[3], p.shape = Dims(ws);  // every tap is a run
    WHIT_ASSIGN_OR_RETURN(const GraphTensor result, ResultType(x, args.out));
    WHIT_ASSIGN_OR_RETURN(const int out, NewOf(result, {in[0], h.out, w.out, ws[0]}));
    fbs::ConvOptionsT o;
    SetPadding(o, h, w);
    return EmitBiased(OpType::kTransposeConv2D, std::move(o), std::move(p), x.index_, out,
                      args.bounds);
  });
}

// Groups one by one: weights are [I, O / groups, H, W], PyTorch's order.
Value GraphBuilder::GroupedTransposeConv(Value x, Value weights, Value bias,
                                         TransposeConvArgs args) {
  const int64_t groups = args.groups;
  args.groups = 1;
  constexpr int64_t kMaxGroups = 1024;  // every group is an operator
  if (groups > kMaxGroups || shape(x).rank() != 4 || shape(weights).rank() != 4 ||
      shape(x)[3] % groups != 0 || shape(weights)[0] != shape(x)[3] ||
      args.order != WeightOrder::kIOHW || args.out) {
    return Unsupported(std::to_string(groups) +
                       " groups of a transposed convolution: at most 1024, float, " +
                       "weights [I,O/groups,H,W] of as many I as the input has channels expected");
  }
  const auto n = static_cast<size_t>(groups);
  const std::vector<int64_t> in(n, shape(x)[3] / groups), out(n, shape(weights)[1]);
  const std::vector<Value> xs = Split(x, 3, in), ws = Split(weights, 0, in);
  std::vector<Value> bs(n), ys;
  if (bias.present()) bs = Split(bias, 0, out);
  for (size_t i = 0; i < n && i < xs.size() && i < ws.size() && i < bs.size(); ++i)
    ys.push_back(TransposeConv2D(xs[i], ws[i], bs[i], args));
  return Concat(ys, 3);
}

// ---- matrix products ----

Value GraphBuilder::Linear(Value x, Value weights, Value bias, const LinearArgs& args) {
  if (!constant(weights) && type(x) == DType::kFloat32) {
    Value y = MatMul(x, weights, false, !args.in_out);
    if (bias.present()) y = Add(y, bias);
    return Clamp(y, args.bounds);
  }
  return Try({x, weights, bias}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectPresent({x}));
    WHIT_RETURN_IF_ERROR(ExpectRank(weights, 2, "the weights"));
    WHIT_RETURN_IF_ERROR(ExpectConstant(scope(), Info(weights), "weights"));
    const std::vector<int> perm = args.in_out ? std::vector<int>{1, 0} : std::vector<int>{0, 1};
    WHIT_ASSIGN_OR_RETURN(const int nk, Reordered(scope(), weights.index_, perm));
    const Shape ws = scope().tensor(nk).shape, in = shape(x);
    if (in.rank() < 1 || in.back() != ws[1] || ws[0] < 1 || ws[1] < 1 || in.elements() == 0) {
      return scope().Invalid("weights of " + std::to_string(ws[0]) + " outputs and " +
                             std::to_string(ws[1]) + " inputs do not fit an input of shape " +
                             in.ToString());
    }
    PendingProduct p;
    p.x = x.index_, p.weights = nk, p.bias = bias.index_, p.n = ws[0], p.run_length = ws[1];
    p.runs = 1, p.shape = Dims(ws);
    std::vector<int64_t> dims = Dims(in);
    dims.back() = ws[0];
    WHIT_ASSIGN_OR_RETURN(const GraphTensor result, ResultType(x, args.out));
    WHIT_ASSIGN_OR_RETURN(const int out, NewOf(result, dims));
    return EmitBiased(OpType::kFullyConnected, fbs::FullyConnectedOptionsT(), std::move(p),
                      x.index_, out, args.bounds);
  });
}

Value GraphBuilder::MatMul(Value x, Value y, bool adj_x, bool adj_y,
                           const std::optional<QuantizedType>& out) {
  const Shape xs = shape(x), ys = shape(y);
  const bool one_matrix =
      ys.rank() >= 2 && ys.Product(0, ys.rank() - 2) == 1 && ys.rank() <= xs.rank();
  if (one_matrix && constant(y) && !constant(x) && !adj_x && ys.elements() > 0) {
    const Value matrix = Reshape(y, Shape{ys[ys.rank() - 2], ys.back()});
    return Linear(x, matrix, {}, {.in_out = !adj_y, .bounds = {}, .out = out});
  }
  return Try({x, y}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectPresent({x, y}));
    WHIT_ASSIGN_OR_RETURN(const Shape product, ProductShape(scope(), xs, ys, adj_x, adj_y));
    WHIT_ASSIGN_OR_RETURN(const GraphTensor result, ResultType(x, out));
    WHIT_ASSIGN_OR_RETURN(const int z, NewOf(result, Dims(product)));
    fbs::BatchMatMulOptionsT o;
    o.adj_x = adj_x, o.adj_y = adj_y;
    WHIT_RETURN_IF_ERROR(
        scope().Emit(OpType::kBatchMatMul, std::move(o), {x.index_, y.index_}, {z}));
    return z;
  });
}

// ---- batch normalization ----

Value GraphBuilder::BatchNorm(Value x, const BatchNormArgs& args) {
  if (!Ready(std::array{x, args.gamma, args.beta, args.mean, args.variance}))
    return Value(Value::kFailed);
  const Shape s = shape(x);
  const int64_t channels = s.rank() < 1 ? 0 : s.back();
  const auto fits = [&](Value v) {
    const GraphTensor& t = Info(v);
    return v.present() && t.is_const() && t.is_float() && t.shape.elements() == channels;
  };
  if (!fits(args.mean) || !fits(args.variance) || (args.gamma.present() && !fits(args.gamma)) ||
      (args.beta.present() && !fits(args.beta))) {
    return Invalid("batch normalization of " + s.ToString() + " needs float constants of " +
                   std::to_string(channels) + " elements: mean " + shape(args.mean).ToString() +
                   ", variance " + shape(args.variance).ToString());
  }
  const auto n = static_cast<size_t>(channels);
  const auto value = [&](Value v, size_t i, double absent) {
    return v.present() ? double{Info(v).values<float>()[i]} : absent;
  };
  std::vector<float> scale(n), shift(n);
  for (size_t i = 0; i < n; ++i) {
    const double deviation = std::sqrt(value(args.variance, i, 1) + double{args.epsilon});
    const double factor = value(args.gamma, i, 1) / deviation;
    scale[i] = static_cast<float>(factor);
    shift[i] = static_cast<float>(value(args.beta, i, 0) - value(args.mean, i, 0) * factor);
  }
  return Add(Mul(x, Floats(Shape{channels}, scale)), Floats(Shape{channels}, shift));
}

}  // namespace whit::tools
