// CONV_2D, DEPTHWISE_CONV_2D, TRANSPOSE_CONV, and the 2D pools that share their padding rule.
#include <algorithm>

#include "tools/import/dilation.h"
#include "tools/import/lowering.h"
#include "tools/import/packing.h"
#include "tools/import/window.h"

namespace whit::tools {

namespace {

Status Place(Lowering& l, const char* axis, tflite::Padding padding, Window* w) {
  WHIT_RETURN_IF_ERROR(CheckWindow(l, axis, *w));
  if (padding == tflite::Padding::SAME) {
    w->out = (w->in + w->stride - 1) / w->stride;
    const int64_t total = std::max<int64_t>((w->out - 1) * w->stride + w->extent() - w->in, 0);
    w->before = total / 2;
    w->after = total - w->before;
    return OkStatus();
  }
  WHIT_RETURN_IF_ERROR(CheckFits(l, axis, *w));
  w->out = (w->in - w->extent()) / w->stride + 1;
  return OkStatus();
}

Status ExpectRank4(Lowering& l, const GraphTensor& t) {
  if (t.shape.rank() == 4) return OkStatus();
  return l.Invalid(Lowering::Label(t) + " must have 4 axes, has shape " + t.shape.ToString());
}

struct ConvGeometry {
  tflite::Padding padding;
  int32_t stride_h, stride_w, dilation_h, dilation_w;
  tflite::ActivationFunctionType activation;
};

// Of Conv2DOptionsT or DepthwiseConv2DOptionsT.
template <typename Options>
ConvGeometry GeometryOf(const Options& o) {
  return {o.padding,           o.stride_h,          o.stride_w,
          o.dilation_h_factor, o.dilation_w_factor, o.fused_activation_function};
}

// Where a convolution reads and writes.
struct Placed {
  int x = -1;  // the tensor that is read
  Window h, w;
};

// Dilated, with the blocks around it taken away, if it is the middle of such and no window lies in
// the padding altogether.
std::optional<Placed> PlaceSpread(Lowering& l, int64_t kernel_h, int64_t kernel_w) {
  const auto spread = FindSpreadConv(l);
  if (!spread) return std::nullopt;
  const Shape in = l.tensor(spread->x).shape;
  Placed p = {spread->x, {in[1], kernel_h}, {in[2], kernel_w}};
  for (size_t axis : {0, 1}) {
    Window& w = axis == 0 ? p.h : p.w;
    w.dilation = spread->dilation[axis];
    w.before = spread->before[axis], w.after = spread->after[axis];
    w.out = w.in + w.before + w.after - w.extent() + 1;
    const bool fits =
        w.dilation <= kMaxWindow && w.out >= 1 && w.before < w.extent() && w.after < w.extent();
    if (!fits) return std::nullopt;
  }
  return p;
}

// Where a convolution lies; `g` becomes the dilation it has there. `hybrid` arithmetic sees every
// image's largest value, and blocks are images of their own.
Result<Placed> PlaceConv(Lowering& l, ConvGeometry* g, int64_t kernel_h, int64_t kernel_w,
                         bool hybrid) {
  const bool plain = g->padding == tflite::Padding::VALID && g->stride_h == 1 && g->stride_w == 1 &&
                     g->dilation_h == 1 && g->dilation_w == 1;
  if (plain && !hybrid) {
    if (const auto spread = PlaceSpread(l, kernel_h, kernel_w)) {
      g->dilation_h = static_cast<int32_t>(spread->h.dilation);
      g->dilation_w = static_cast<int32_t>(spread->w.dilation);
      l.state().spread.insert(l.out(0));
      return *spread;
    }
  }
  const Shape in = l.input(0).shape;
  Placed p = {l.in(0),
              {in[1], kernel_h, g->stride_h, g->dilation_h},
              {in[2], kernel_w, g->stride_w, g->dilation_w}};
  WHIT_RETURN_IF_ERROR(Place(l, "height", g->padding, &p.h));
  WHIT_RETURN_IF_ERROR(Place(l, "width", g->padding, &p.w));
  return p;
}

// What CONV_2D and DEPTHWISE_CONV_2D share once weights and channels are known.
Status FinishConv(Lowering& l, OpType type, const ConvGeometry& g, WeightArray source, Placed p) {
  const Shape in = l.tensor(p.x).shape;
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), Shape{in[0], p.h.out, p.w.out, source.n}));
  WHIT_ASSIGN_OR_RETURN(const ProductKind kind, KindOf(l, l.input(0), l.input(1), l.output(0)));
  WHIT_ASSIGN_OR_RETURN(const Clamp clamp, l.Activation(g.activation, l.output(0)));

  fbs::ConvOptionsT o;
  WHIT_ASSIGN_OR_RETURN(o.weights, AddWeights(l, source));
  WHIT_ASSIGN_OR_RETURN(
      const ProductBlobs blobs,
      AddProductBlobs(l, kind, l.input(0), o.weights, l.has(2) ? l.in(2) : -1, l.output(0), true));
  const int x = AbsorbPad(l, p.x, &p.h, &p.w);
  SetPadding(o, p.h, p.w);
  o.bias = blobs.bias, o.multiplier = blobs.multiplier;
  o.dilation_h = static_cast<uint32_t>(p.h.dilation);
  o.dilation_w = static_cast<uint32_t>(p.w.dilation);
  o.lo = clamp.lo, o.hi = clamp.hi;
  return l.Emit(type, std::move(o), {x}, {l.out(0)});
}

Status ExpectConstWeights(Lowering& l, size_t i) {
  WHIT_RETURN_IF_ERROR(ExpectRank4(l, l.input(i)));
  if (!l.input(i).is_const()) return l.Unsupported("the weights are computed at run time");
  return OkStatus();
}

Status LowerConv(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(2, 3, 1));
  const auto opt = l.Options(&tflite::Operator::builtin_options_as_Conv2DOptions);
  WHIT_RETURN_IF_ERROR(ExpectRank4(l, l.input(0)));
  WHIT_RETURN_IF_ERROR(ExpectConstWeights(l, 1));
  const GraphTensor& weights = l.input(1);
  const Shape ws = weights.shape;  // [O, kh, kw, I]
  const int64_t channels = l.input(0).shape[3];
  if (ws[3] < 1 || channels % ws[3] != 0 || ws[0] < 1 ||
      ws[0] % std::max<int64_t>(channels / ws[3], 1) != 0) {
    return l.Invalid("weights " + ws.ToString() + " do not fit an input of " +
                     std::to_string(channels) + " channels");
  }
  WeightArray source;
  source.tensor = &weights;
  source.values = *weights.constant;
  source.n = ws[0];
  source.groups = channels / ws[3];
  ConvGeometry geometry = GeometryOf(opt);
  const bool hybrid = l.input(0).is_float() && !weights.is_float();
  WHIT_ASSIGN_OR_RETURN(const Placed placed, PlaceConv(l, &geometry, ws[1], ws[2], hybrid));
  const Runs runs = ConvRuns(ws[1], ws[2], ws[3], source.groups, geometry.dilation_w);
  source.runs = runs.runs, source.run_length = runs.run_length;
  source.shape = {ws[0], ws[1], ws[2], ws[3]};
  return FinishConv(l, OpType::kConv2D, geometry, source, placed);
}

Status LowerDepthwise(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(2, 3, 1));
  const auto opt = l.Options(&tflite::Operator::builtin_options_as_DepthwiseConv2DOptions);
  WHIT_RETURN_IF_ERROR(ExpectRank4(l, l.input(0)));
  WHIT_RETURN_IF_ERROR(ExpectConstWeights(l, 1));
  const GraphTensor& weights = l.input(1);
  const Shape ws = weights.shape;  // [1, kh, kw, C * multiplier]
  const int64_t channels = l.input(0).shape[3];
  if (ws[0] != 1 || channels < 1 || ws[3] < 1 || ws[3] % channels != 0) {
    return l.Invalid("weights " + ws.ToString() + " do not fit an input of " +
                     std::to_string(channels) + " channels");
  }
  ConvGeometry geometry = GeometryOf(opt);
  const bool hybrid = l.input(0).is_float() && !weights.is_float();
  WHIT_ASSIGN_OR_RETURN(const Placed placed, PlaceConv(l, &geometry, ws[1], ws[2], hybrid));
  WeightArray source;
  source.tensor = &weights;
  source.n = ws[3];
  // One input channel: every output channel reads it, so this is an ordinary convolution, which has
  // a product to run as. Not in hybrid arithmetic, whose rules for the two differ.
  if (channels == 1 && !hybrid) {
    WHIT_ASSIGN_OR_RETURN(const Bytes turned, TransposedMatrix(l, *weights.constant, ws[1] * ws[2],
                                                               ws[3], DTypeSize(weights.type)));
    source.values = turned, source.transposed = true;
    const Runs runs = ConvRuns(ws[1], ws[2], 1, 1, geometry.dilation_w);
    source.runs = runs.runs, source.run_length = runs.run_length;
    source.shape = {ws[3], ws[1], ws[2], 1};
    return FinishConv(l, OpType::kConv2D, geometry, source, placed);
  }
  source.values = *weights.constant;
  source.depthwise = true;
  source.runs = ws[1] * ws[2];
  source.run_length = 1;
  source.shape = {ws[1], ws[2], ws[3]};
  return FinishConv(l, OpType::kDepthwiseConv2D, geometry, source, placed);
}

// The output size is given; what the full product overhangs is cut off, as much before as after
// (less before). `expected` below keeps an output that is longer than the product short of one
// stride more.
Status PlaceTransposed(Lowering& l, const char* axis, tflite::Padding padding, Window* w) {
  if (w->stride < 1 || w->stride > kMaxWindow || w->kernel < 1 || w->kernel > kMaxWindow ||
      w->in < 1) {
    return l.Invalid(std::string(axis) + ": stride " + std::to_string(w->stride) + ", kernel " +
                     std::to_string(w->kernel) + ", input " + std::to_string(w->in));
  }
  const int64_t expected = padding == tflite::Padding::SAME
                               ? (w->out + w->stride - 1) / w->stride
                               : (w->out - w->kernel + w->stride) / w->stride;
  if (w->out < 1 || expected != w->in) {
    return l.Invalid(std::string(axis) + ": an output of " + std::to_string(w->out) +
                     " belongs to an input of " + std::to_string(expected) + ", not " +
                     std::to_string(w->in));
  }
  // Below 0 where the stride is larger than the kernel: rows behind the last tap hold the bias.
  const int64_t overhang = std::max<int64_t>((w->in - 1) * w->stride + w->kernel - w->out, 0);
  w->before = overhang / 2;
  w->after = overhang - w->before;
  return OkStatus();
}

Status LowerTransposeConv(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(3, 4, 1));
  const auto opt = l.Options(&tflite::Operator::builtin_options_as_TransposeConvOptions);
  WHIT_ASSIGN_OR_RETURN(const std::vector<int64_t> dims, l.Ints(0, "the output shape"));
  WHIT_RETURN_IF_ERROR(ExpectConstWeights(l, 1));
  WHIT_RETURN_IF_ERROR(ExpectRank4(l, l.input(2)));
  const GraphTensor& weights = l.input(1);
  const Shape ws = weights.shape, in = l.input(2).shape;  // [O, kh, kw, I], [N, H, W, I]
  if (dims.size() != 4 || dims[3] != ws[0] || in[3] != ws[3] || dims[0] != in[0]) {
    return l.Invalid("weights " + ws.ToString() + ", input " + in.ToString() +
                     " and the output shape do not fit together");
  }
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), dims));
  Window h{in[1], ws[1], opt.stride_h}, w{in[2], ws[2], opt.stride_w};
  h.out = dims[1], w.out = dims[2];
  WHIT_RETURN_IF_ERROR(PlaceTransposed(l, "height", opt.padding, &h));
  WHIT_RETURN_IF_ERROR(PlaceTransposed(l, "width", opt.padding, &w));
  WHIT_ASSIGN_OR_RETURN(const ProductKind kind, KindOf(l, l.input(2), weights, l.output(0)));
  WHIT_ASSIGN_OR_RETURN(const Clamp clamp,
                        l.Activation(opt.fused_activation_function, l.output(0)));

  WeightArray source;
  source.tensor = &weights;
  source.values = *weights.constant;
  source.n = ws[0];
  source.runs = ws[1] * ws[2];  // a tap meets one output pixel, so every tap is a run
  source.run_length = ws[3];
  source.shape = {ws[0], ws[1], ws[2], ws[3]};
  fbs::ConvOptionsT o;
  WHIT_ASSIGN_OR_RETURN(o.weights, AddWeights(l, source));
  WHIT_ASSIGN_OR_RETURN(
      const ProductBlobs blobs,
      AddProductBlobs(l, kind, l.input(2), o.weights, l.has(3) ? l.in(3) : -1, l.output(0), false));
  SetPadding(o, h, w);
  o.bias = blobs.bias, o.multiplier = blobs.multiplier;
  o.lo = clamp.lo, o.hi = clamp.hi;
  return l.Emit(OpType::kTransposeConv2D, std::move(o), {l.in(2)}, {l.out(0)});
}

Status LowerPool(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(1, 1, 1));
  const auto opt = l.Options(&tflite::Operator::builtin_options_as_Pool2DOptions);
  WHIT_RETURN_IF_ERROR(ExpectRank4(l, l.input(0)));
  const Shape in = l.input(0).shape;
  Window h{in[1], opt.filter_height, opt.stride_h}, w{in[2], opt.filter_width, opt.stride_w};
  WHIT_RETURN_IF_ERROR(Place(l, "height", opt.padding, &h));
  WHIT_RETURN_IF_ERROR(Place(l, "width", opt.padding, &w));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), Shape{in[0], h.out, w.out, in[3]}));
  WHIT_ASSIGN_OR_RETURN(const Clamp clamp,
                        l.Activation(opt.fused_activation_function, l.output(0)));
  fbs::PoolOptionsT o;
  SetPadding(o, h, w);
  o.filter_h = static_cast<uint32_t>(h.kernel), o.filter_w = static_cast<uint32_t>(w.kernel);
  o.lo = clamp.lo, o.hi = clamp.hi;
  const bool average = l.code() == BuiltinOperator::AVERAGE_POOL_2D;
  return l.Emit(average ? OpType::kAveragePool2D : OpType::kMaxPool2D, std::move(o), {l.in(0)},
                {l.out(0)});
}

}  // namespace

std::span<const LowerRow> ConvRows() {
  static constexpr LowerRow kRows[] = {
      {BuiltinOperator::CONV_2D, LowerConv},
      {BuiltinOperator::DEPTHWISE_CONV_2D, LowerDepthwise},
      {BuiltinOperator::TRANSPOSE_CONV, LowerTransposeConv},
      {BuiltinOperator::AVERAGE_POOL_2D, LowerPool},
      {BuiltinOperator::MAX_POOL_2D, LowerPool},
  };
  return kRows;
}

}  // namespace whit::tools
