// GraphBuilder: reductions, softmax, normalization along axes, pools.
#include <algorithm>
#include <cmath>

#include "tools/import/axes.h"
#include "tools/import/graph_builder.h"
#include "tools/import/tables.h"
#include "tools/import/window.h"

namespace whit::tools {

Result<std::vector<uint32_t>> GraphBuilder::Axes(const std::vector<int64_t>& axes, int rank) const {
  std::vector<uint32_t> sorted;
  for (int64_t a : axes) {
    WHIT_ASSIGN_OR_RETURN(const int axis, scope_->Axis(a, rank));
    sorted.push_back(static_cast<uint32_t>(axis));
  }
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  return sorted;
}

// ---- reductions ----

Value GraphBuilder::Reduce(OpType op, Value x, const std::vector<int64_t>& axes, bool keep_dims) {
  return Try({x}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectPresent({x}));
    const Shape in = shape(x);
    fbs::ReduceOptionsT o;
    WHIT_ASSIGN_OR_RETURN(o.axes, Axes(axes, in.rank()));
    o.keep_dims = keep_dims;
    std::vector<int64_t> dims;
    for (int i = 0; i < in.rank(); ++i) {
      const bool gone = std::binary_search(o.axes.begin(), o.axes.end(), static_cast<uint32_t>(i));
      if (!gone || keep_dims) dims.push_back(gone ? 1 : in[i]);
    }
    WHIT_ASSIGN_OR_RETURN(const int y, NewLike(x, dims));
    WHIT_RETURN_IF_ERROR(scope().Emit(op, std::move(o), {x.index_}, {y}));
    return y;
  });
}

Value GraphBuilder::Arg(OpType op, Value x, int axis, bool keep_dims, DType to) {
  return Try({x}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectPresent({x}));
    const Shape in = shape(x);
    WHIT_ASSIGN_OR_RETURN(const int a, scope().Axis(axis, in.rank()));
    std::vector<int64_t> dims = Dims(in);
    dims.erase(dims.begin() + a);
    GraphTensor like;
    like.type = to;
    WHIT_ASSIGN_OR_RETURN(const int y, NewOf(like, dims));
    fbs::AxisOptionsT o;
    o.axis = static_cast<uint32_t>(a);
    WHIT_RETURN_IF_ERROR(scope().Emit(op, std::move(o), {x.index_}, {y}));
    if (!keep_dims) return y;
    Shape kept = in;
    kept[a] = 1;
    return scope().Reshaped(y, kept);
  });
}

Value GraphBuilder::ArgMax(Value x, int axis, bool keep_dims, DType type) {
  return Arg(OpType::kArgMax, x, axis, keep_dims, type);
}
Value GraphBuilder::ArgMin(Value x, int axis, bool keep_dims, DType type) {
  return Arg(OpType::kArgMin, x, axis, keep_dims, type);
}

std::array<Value, 2> GraphBuilder::TopK(Value x, int64_t k) {
  Value indices(Value::kFailed);
  const Value values = Try({x}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectPresent({x}));
    std::vector<int64_t> dims = Dims(shape(x));
    if (dims.empty() || k < 0 || k > dims.back()) {
      return scope().Invalid("k is " + std::to_string(k) + ", the input has shape " +
                             shape(x).ToString());
    }
    dims.back() = k;
    WHIT_ASSIGN_OR_RETURN(const int y, NewLike(x, dims));
    GraphTensor like;
    like.type = DType::kInt32;
    WHIT_ASSIGN_OR_RETURN(const int at, NewOf(like, dims));
    fbs::TopKOptionsT o;
    o.k = static_cast<uint32_t>(k);
    WHIT_RETURN_IF_ERROR(scope().Emit(OpType::kTopK, std::move(o), {x.index_}, {y, at}));
    indices = Value(at);
    return y;
  });
  return {values, indices};
}

Value GraphBuilder::CumSum(Value x, int axis, bool exclusive, bool reverse) {
  return Try({x}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectPresent({x}));
    fbs::CumSumOptionsT o;
    WHIT_ASSIGN_OR_RETURN(const int a, scope().Axis(axis, shape(x).rank()));
    o.axis = static_cast<uint32_t>(a);
    o.exclusive = exclusive, o.reverse = reverse;
    WHIT_ASSIGN_OR_RETURN(const int y, NewLike(x, Dims(shape(x))));
    WHIT_RETURN_IF_ERROR(scope().Emit(OpType::kCumSum, std::move(o), {x.index_}, {y}));
    return y;
  });
}

// ---- softmax ----

Value GraphBuilder::LastAxisSoftmax(Value x, bool log, float beta,
                                    const std::optional<QuantizedType>& out) {
  return Try({x}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectPresent({x}));
    if (!(beta > 0) || !std::isfinite(beta)) {
      return scope().Invalid("beta must be finite and positive, is " + std::to_string(beta));
    }
    if (shape(x).rank() < 1) return scope().Invalid("the input has no axis");
    WHIT_ASSIGN_OR_RETURN(const GraphTensor like, ResultType(x, out));
    WHIT_ASSIGN_OR_RETURN(const int y, NewOf(like, Dims(shape(x))));
    fbs::SoftmaxOptionsT o;
    o.beta = beta;
    WHIT_ASSIGN_OR_RETURN(o.table, SoftmaxTables(scope(), Info(x), log, beta));
    WHIT_RETURN_IF_ERROR(
        scope().Emit(log ? OpType::kLogSoftmax : OpType::kSoftmax, std::move(o), {x.index_}, {y}));
    return y;
  });
}

// Exchanges an axis with the last one; does the same again to undo it. Empty: nothing to do.
std::vector<int64_t> GraphBuilder::SwapToLast(Value x, int axis) const {
  const int rank = shape(x).rank();
  const int at = axis < 0 ? axis + rank : axis;
  if (at < 0 || at >= rank || at == rank - 1) return {};
  std::vector<int64_t> perm(static_cast<size_t>(rank));
  for (int i = 0; i < rank; ++i) perm[static_cast<size_t>(i)] = i;
  std::swap(perm[static_cast<size_t>(at)], perm.back());
  return perm;
}

Value GraphBuilder::AnyAxisSoftmax(Value x, int axis, bool log, float beta,
                                   const std::optional<QuantizedType>& out) {
  const int rank = shape(x).rank();
  if (axis < -rank || axis >= std::max(rank, 1)) {
    return Invalid("axis " + std::to_string(axis) + " is outside of rank " + std::to_string(rank));
  }
  const std::vector<int64_t> perm = SwapToLast(x, axis);
  if (perm.empty()) return LastAxisSoftmax(x, log, beta, out);
  return Transpose(LastAxisSoftmax(Transpose(x, perm), log, beta, out), perm);
}

Value GraphBuilder::Softmax(Value x, int axis, float beta,
                            const std::optional<QuantizedType>& out) {
  if (!Ready({&x, 1})) return Value(Value::kFailed);
  return AnyAxisSoftmax(x, axis, false, beta, out);
}

Value GraphBuilder::LogSoftmax(Value x, int axis) {
  if (!Ready({&x, 1})) return Value(Value::kFailed);
  return AnyAxisSoftmax(x, axis, true, 1, {});
}

// ---- normalization ----

Value GraphBuilder::LayerNorm(Value x, int axes, Value gamma, Value beta, float epsilon) {
  if (!Ready(std::array{x, gamma, beta})) return Value(Value::kFailed);
  if (axes < 1 || axes > shape(x).rank()) {
    return Invalid("normalizing " + std::to_string(axes) + " axes of " + shape(x).ToString());
  }
  std::vector<int64_t> last;
  for (int i = 0; i < axes; ++i) last.push_back(shape(x).rank() - axes + i);
  const Value centered = Sub(x, Mean(x, last, true));
  const Value variance = Mean(Unary(OpType::kSquare, centered), last, true);
  Value y = Mul(centered, Unary(OpType::kRsqrt, Add(variance, Float(epsilon))));
  if (gamma.present()) y = Mul(y, gamma);
  return beta.present() ? Add(y, beta) : y;
}

Value GraphBuilder::L2Norm(Value x) {
  return Try({x}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectFloat(x, "the input"));
    WHIT_ASSIGN_OR_RETURN(const int y, NewFloat(shape(x)));
    WHIT_RETURN_IF_ERROR(
        scope().Emit(OpType::kL2Normalization, fbs::L2NormOptionsT(), {x.index_}, {y}));
    return y;
  });
}

// ---- pools ----

Result<int> GraphBuilder::EmitPool(OpType op, Value x, const Window2D& window,
                                   const Bounds& bounds) {
  const Shape in = shape(x);
  WHIT_ASSIGN_OR_RETURN(const Window h, PlaceWindow(scope(), window, 0, in[1], window.kernel[0]));
  WHIT_ASSIGN_OR_RETURN(const Window w, PlaceWindow(scope(), window, 1, in[2], window.kernel[1]));
  WHIT_ASSIGN_OR_RETURN(const int y, NewLike(x, {in[0], h.out, w.out, in[3]}));
  fbs::PoolOptionsT o;
  SetPadding(o, h, w);
  o.filter_h = static_cast<uint32_t>(h.kernel), o.filter_w = static_cast<uint32_t>(w.kernel);
  const tools::Clamp clamp = StoredClamp(scope().tensor(y), bounds.lo, bounds.hi);
  o.lo = clamp.lo, o.hi = clamp.hi;
  WHIT_RETURN_IF_ERROR(scope().Emit(op, std::move(o), {x.index_}, {y}));
  return y;
}

Value GraphBuilder::MaxPool(Value x, const Window2D& window, const Bounds& bounds) {
  if (window.dilation != std::array<int64_t, 2>{1, 1}) return DilatedMaxPool(x, window, bounds);
  return Try({x}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectRank(x, 4, "the input"));
    return EmitPool(OpType::kMaxPool2D, x, window, bounds);
  });
}

// The largest of one strided slice a tap.
Value GraphBuilder::DilatedMaxPool(Value x, const Window2D& window, const Bounds& bounds) {
  std::array<Window, 2> placed;
  const Value checked = Try({x}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectRank(x, 4, "the input"));
    WHIT_RETURN_IF_ERROR(ExpectFloat(x, "the input of a dilated pool"));
    for (size_t i : {0, 1}) {
      WHIT_ASSIGN_OR_RETURN(
          placed[i],
          PlaceWindow(scope(), window, i, shape(x)[1 + static_cast<int>(i)], window.kernel[i]));
    }
    constexpr int64_t kMaxTaps = 64;  // every tap is an operator
    if (placed[0].kernel * placed[1].kernel > kMaxTaps)
      return scope().Unsupported("a dilated pool of more than " + std::to_string(kMaxTaps) +
                                 " taps");
    return x.index_;
  });
  if (failed(checked)) return checked;
  const auto& [h, w] = placed;
  const Value padded = Pad(x, {0, h.before, w.before, 0}, {0, h.after, w.after, 0},
                           -std::numeric_limits<double>::infinity());
  Value best;
  for (int64_t ky = 0; ky < h.kernel; ++ky) {
    for (int64_t kx = 0; kx < w.kernel; ++kx) {
      const Value tap = Slice(padded, {0, ky * h.dilation, kx * w.dilation, 0},
                              {shape(x)[0], h.out, w.out, shape(x)[3]}, {1, h.stride, w.stride, 1});
      best = best.present() ? Maximum(best, tap) : tap;
    }
  }
  return Clamp(best, bounds);
}

Value GraphBuilder::AveragePool(Value x, const AveragePoolArgs& args) {
  Window2D window = args.window;
  if (window.dilation != std::array<int64_t, 2>{1, 1})
    return Unsupported("average pools with a dilation");
  const bool padded =
      window.before != std::array<int64_t, 2>{0, 0} || window.after != std::array<int64_t, 2>{0, 0};
  if (args.count_padding && padded) {
    x = Pad(x, {0, window.before[0], window.before[1], 0},
            {0, window.after[0], window.after[1], 0});
    window.before = window.after = {0, 0};
  }
  return Try({x}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectRank(x, 4, "the input"));
    WHIT_RETURN_IF_ERROR(CheckPads(scope(), args.window));
    WHIT_RETURN_IF_ERROR(CheckPads(scope(), {.after = args.overhang}));
    for (size_t i : {0, 1}) window.after[i] += args.overhang[i];
    return EmitPool(OpType::kAveragePool2D, x, window, args.bounds);
  });
}

}  // namespace whit::tools
