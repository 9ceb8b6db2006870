// GraphBuilder: operators that move elements and compute none.
#include <algorithm>
#include <cmath>

#include "tools/import/axes.h"
#include "tools/import/graph_builder.h"
#include "tools/import/permute.h"

namespace whit::tools {

namespace {

Status ExpectCount(const Scope& l, size_t count, int rank, const char* what) {
  if (count == static_cast<size_t>(rank)) return OkStatus();
  return l.Invalid(std::string(what) + " has " + std::to_string(count) +
                   " numbers, the input has rank " + std::to_string(rank));
}

Status ExpectAmounts(const Scope& l, const std::vector<int64_t>& before,
                     const std::vector<int64_t>& after, int rank) {
  WHIT_RETURN_IF_ERROR(ExpectCount(l, before.size(), rank, "the padding before"));
  WHIT_RETURN_IF_ERROR(ExpectCount(l, after.size(), rank, "the padding after"));
  for (const auto* list : {&before, &after}) {
    for (int64_t v : *list) {
      if (v < 0 || v > std::numeric_limits<int32_t>::max())
        return l.Invalid("a padding of " + std::to_string(v));
    }
  }
  return OkStatus();
}

}  // namespace

// ---- the same elements under another shape ----

Value GraphBuilder::Reshape(Value x, std::vector<int64_t> dims) {
  return Try({x}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectPresent({x}));
    const int64_t elements = shape(x).elements();
    WHIT_RETURN_IF_ERROR(ResolveShape(scope(), elements, &dims));
    if (dims == Dims(shape(x))) return x.index_;
    WHIT_ASSIGN_OR_RETURN(const int y, NewLike(x, dims));
    WHIT_RETURN_IF_ERROR(scope().EmitReshape(x.index_, y));
    return y;
  });
}

Value GraphBuilder::Reshape(Value x, const Shape& s) { return Reshape(x, Dims(s)); }

Value GraphBuilder::Transpose(Value x, const std::vector<int64_t>& perm) {
  return Try({x}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectPresent({x}));
    const Shape in = shape(x);
    WHIT_RETURN_IF_ERROR(ExpectCount(scope(), perm.size(), in.rank(), "the permutation"));
    fbs::TransposeOptionsT o;
    std::vector<int64_t> dims;
    bool same = true;
    for (size_t i = 0; i < perm.size(); ++i) {
      WHIT_ASSIGN_OR_RETURN(const int axis, scope().Axis(perm[i], in.rank()));
      if (std::count(o.perm.begin(), o.perm.end(), static_cast<uint32_t>(axis)) != 0)
        return scope().Invalid("axis " + std::to_string(axis) + " twice in the permutation");
      o.perm.push_back(static_cast<uint32_t>(axis));
      dims.push_back(in[axis]);
      same = same && axis == static_cast<int>(i);
    }
    if (same) return x.index_;
    WHIT_ASSIGN_OR_RETURN(const int y, NewLike(x, dims));
    if (constant(x)) {  // of any size: folding by the kernel has a limit
      const GraphTensor& t = Info(x);
      WHIT_ASSIGN_OR_RETURN(
          Bytes bytes,
          Permuted(scope(), *t.constant, in, {o.perm.begin(), o.perm.end()}, DTypeSize(t.type)));
      WHIT_RETURN_IF_ERROR(scope().SetConstant(y, std::make_shared<const Bytes>(std::move(bytes))));
      return y;
    }
    WHIT_RETURN_IF_ERROR(scope().Emit(OpType::kTranspose, std::move(o), {x.index_}, {y}));
    return y;
  });
}

// ---- joins and splits ----

Result<int> GraphBuilder::EmitConcat(const std::vector<Value>& parts, int axis,
                                     const GraphTensor& like) {
  const Shape first = shape(parts[0]);
  WHIT_ASSIGN_OR_RETURN(const int a, scope().Axis(axis, first.rank()));
  std::vector<int64_t> dims = Dims(first);
  dims[static_cast<size_t>(a)] = 0;
  std::vector<int> from;
  for (Value part : parts) {
    Shape s = shape(part);
    const bool fits = s.rank() == first.rank() && type(part) == type(parts[0]);
    if (fits) dims[static_cast<size_t>(a)] += s[a];
    if (fits) s[a] = first[a];
    if (!fits || s != first) {
      return scope().Invalid(std::string(DTypeName(type(part))) + shape(part).ToString() +
                             " does not join " + DTypeName(type(parts[0])) + first.ToString());
    }
    from.push_back(part.index_);
    if (like.quantized()) {
      WHIT_ASSIGN_OR_RETURN(from.back(), scope().Requantized(from.back(), like));
    }
  }
  if (from.size() == 1) return from[0];
  WHIT_ASSIGN_OR_RETURN(const int y, NewOf(like, dims));
  fbs::AxisOptionsT o;
  o.axis = static_cast<uint32_t>(a);
  WHIT_RETURN_IF_ERROR(scope().Emit(OpType::kConcatenation, std::move(o), std::move(from), {y}));
  return y;
}

Value GraphBuilder::Concat(const std::vector<Value>& parts, int axis,
                           const std::optional<QuantizedType>& out) {
  return Try(std::span<const Value>(parts), [&]() -> Result<int> {
    if (parts.empty()) return scope().Invalid("nothing to join");
    for (Value part : parts) WHIT_RETURN_IF_ERROR(ExpectPresent({part}));
    GraphTensor like;
    like.type = type(parts[0]);
    if (out || Info(parts[0]).quantized()) {
      like.CopyQuantFrom(Info(parts[0]));
      if (out) {
        WHIT_ASSIGN_OR_RETURN(like, ResultType(parts[0], out));
      }
    }
    return EmitConcat(parts, axis, like);
  });
}

std::vector<Value> GraphBuilder::Split(Value x, int axis, const std::vector<int64_t>& sizes) {
  std::vector<Value> parts(sizes.size(), Value(Value::kFailed));
  Try({x}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectPresent({x}));
    const Shape in = shape(x);
    WHIT_ASSIGN_OR_RETURN(const int a, scope().Axis(axis, in.rank()));
    int64_t rest = in[a];
    std::vector<int> outs;
    for (int64_t size : sizes) {
      if (size < 0 || size > rest) break;
      rest -= size;
      std::vector<int64_t> dims = Dims(in);
      dims[static_cast<size_t>(a)] = size;
      WHIT_ASSIGN_OR_RETURN(const int y, NewLike(x, dims));
      outs.push_back(y);
    }
    if (rest != 0 || outs.size() != sizes.size() || outs.empty()) {
      return scope().Invalid(std::to_string(sizes.size()) + " parts do not make up axis " +
                             std::to_string(a) + " of " + in.ToString());
    }
    fbs::AxisOptionsT o;
    o.axis = static_cast<uint32_t>(a);
    if (outs.size() == 1) {
      outs[0] = x.index_;
    } else {
      WHIT_RETURN_IF_ERROR(scope().Emit(OpType::kSplit, std::move(o), {x.index_}, outs));
    }
    for (size_t i = 0; i < outs.size(); ++i) parts[i] = Value(outs[i]);
    return x.index_;
  });
  return parts;
}

// ---- parts ----

Value GraphBuilder::Slice(Value x, const std::vector<int64_t>& begin,
                          const std::vector<int64_t>& size, const std::vector<int64_t>& stride) {
  return Try({x}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectPresent({x}));
    const Shape in = shape(x);
    WHIT_RETURN_IF_ERROR(ExpectCount(scope(), begin.size(), in.rank(), "the begin"));
    WHIT_RETURN_IF_ERROR(ExpectCount(scope(), size.size(), in.rank(), "the size"));
    WHIT_RETURN_IF_ERROR(ExpectCount(scope(), stride.size(), in.rank(), "the stride"));
    fbs::SliceOptionsT o;
    for (size_t i = 0; i < begin.size(); ++i) {
      const int64_t dim = in[static_cast<int>(i)];
      constexpr int64_t kMax = std::numeric_limits<int32_t>::max();
      const int64_t step = size[i] <= 1 ? 1 : stride[i];
      bool fits = size[i] >= 0 && size[i] <= dim && step >= -kMax && step <= kMax && step != 0 &&
                  begin[i] >= 0 && begin[i] <= dim;
      const int64_t last = fits && size[i] > 0 ? begin[i] + (size[i] - 1) * step : 0;
      fits = fits && (size[i] == 0 || (begin[i] < dim && last >= 0 && last < dim));
      if (!fits) {
        return scope().Invalid("axis " + std::to_string(i) + ": " + std::to_string(size[i]) +
                               " elements from " + std::to_string(begin[i]) + " by " +
                               std::to_string(stride[i]) + " in a dimension of " +
                               std::to_string(dim));
      }
      o.begin.push_back(size[i] == 0 ? 0 : static_cast<int32_t>(begin[i]));
      o.size.push_back(static_cast<uint32_t>(size[i]));
      o.stride.push_back(static_cast<int32_t>(step));
    }
    if (size == Dims(in) &&
        std::all_of(o.stride.begin(), o.stride.end(), [](int32_t s) { return s == 1; })) {
      return x.index_;
    }
    WHIT_ASSIGN_OR_RETURN(const int y, NewLike(x, size));
    WHIT_RETURN_IF_ERROR(scope().Emit(OpType::kSlice, std::move(o), {x.index_}, {y}));
    return y;
  });
}

Value GraphBuilder::SliceAxis(Value x, int axis, int64_t begin, int64_t end, int64_t stride) {
  if (!Ready({&x, 1})) return Value(Value::kFailed);
  const Shape in = shape(x);
  const int a = axis < 0 ? axis + in.rank() : axis;
  if (a < 0 || a >= in.rank() || stride == 0) {
    return Invalid("axis " + std::to_string(axis) + " by " + std::to_string(stride) + " of " +
                   in.ToString());
  }
  const int64_t dim = in[a], low = stride > 0 ? 0 : -1, high = stride > 0 ? dim : dim - 1;
  const auto place = [&](int64_t v) {
    const int64_t positive = v < 0 ? std::max<int64_t>(v, -(int64_t{1} << 40)) + dim : v;
    return std::clamp(positive, low, high);
  };
  std::vector<int64_t> from(static_cast<size_t>(in.rank()), 0),
      size = Dims(in), step(static_cast<size_t>(in.rank()), 1);
  const auto i = static_cast<size_t>(a);
  from[i] = place(begin),
  step[i] = std::clamp<int64_t>(stride, -(int64_t{1} << 31) + 1, (int64_t{1} << 31) - 1);
  const int64_t span = step[i] > 0 ? place(end) - from[i] : from[i] - place(end);
  const int64_t by = std::abs(step[i]);
  size[i] = span <= 0 ? 0 : (span + by - 1) / by;
  return Slice(x, from, size, step);
}

Value GraphBuilder::DynamicSlice(Value x, Value begin, const std::vector<int64_t>& size) {
  return Try({x, begin}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectPresent({x, begin}));
    const Shape in = shape(x);
    WHIT_RETURN_IF_ERROR(ExpectCount(scope(), size.size(), in.rank(), "the size"));
    fbs::SliceOptionsT o;
    for (size_t i = 0; i < size.size(); ++i) {
      const int64_t dim = in[static_cast<int>(i)];
      if (size[i] < 0 || size[i] > dim) {
        return scope().Invalid("axis " + std::to_string(i) + ": " + std::to_string(size[i]) +
                               " elements in a dimension of " + std::to_string(dim));
      }
      o.begin.push_back(0), o.stride.push_back(1);
      o.size.push_back(static_cast<uint32_t>(size[i]));
    }
    o.dynamic_begin = true;
    WHIT_ASSIGN_OR_RETURN(const int y, NewLike(x, size));
    WHIT_RETURN_IF_ERROR(scope().Emit(OpType::kSlice, std::move(o), {x.index_, begin.index_}, {y}));
    return y;
  });
}

// ---- borders ----

Value GraphBuilder::EmitPad(Value x, const std::vector<int64_t>& before,
                            const std::vector<int64_t>& after, fbs::PadMode mode, double value) {
  return Try({x}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectPresent({x}));
    std::vector<int64_t> dims = Dims(shape(x));
    WHIT_RETURN_IF_ERROR(ExpectAmounts(scope(), before, after, shape(x).rank()));
    for (size_t i = 0; i < dims.size(); ++i) dims[i] += before[i] + after[i];
    if (dims == Dims(shape(x))) return x.index_;
    WHIT_ASSIGN_OR_RETURN(const int y, NewLike(x, dims));
    const GraphTensor& t = Info(x);
    fbs::PadOptionsT o;
    o.before = ToU32(before), o.after = ToU32(after), o.mode = mode;
    o.value = t.is_float() ? value : 0;
    if (!t.is_float()) {
      double stored = t.quantized() ? std::round(value / double{t.s()}) + t.z() : value;
      constexpr double kMost = 9.0e18;  // what an int64 holds
      if (!(std::abs(stored) <= kMost)) return scope().Invalid("a pad of " + std::to_string(value));
      o.value_i64 = static_cast<int64_t>(stored);
    }
    WHIT_RETURN_IF_ERROR(scope().Emit(OpType::kPad, std::move(o), {x.index_}, {y}));
    return y;
  });
}

Value GraphBuilder::Pad(Value x, const std::vector<int64_t>& before,
                        const std::vector<int64_t>& after, double value) {
  return EmitPad(x, before, after, fbs::PadMode::constant, value);
}

Value GraphBuilder::MirrorPad(Value x, const std::vector<int64_t>& before,
                              const std::vector<int64_t>& after, fbs::PadMode mode) {
  return EmitPad(x, before, after, mode, 0);
}

Value GraphBuilder::EdgePad(Value x, const std::vector<int64_t>& before,
                            const std::vector<int64_t>& after) {
  const Value checked = Try({x}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectAmounts(scope(), before, after, shape(x).rank()));
    if (shape(x).elements() > 0) return x.index_;
    return scope().Invalid("an empty tensor has no border");
  });
  if (failed(checked)) return checked;
  for (int axis = 0; axis < shape(x).rank(); ++axis) {
    const auto i = static_cast<size_t>(axis);
    const int64_t dim = shape(x)[axis];
    std::vector<int64_t> repeat(static_cast<size_t>(shape(x).rank()), 1);
    std::vector<Value> parts;
    if (before[i] > 0) {
      repeat[i] = before[i];
      parts.push_back(Tile(SliceAxis(x, axis, 0, 1), repeat));
    }
    parts.push_back(x);
    if (after[i] > 0) {
      repeat[i] = after[i];
      parts.push_back(Tile(SliceAxis(x, axis, dim - 1, dim), repeat));
    }
    x = Concat(parts, axis);
  }
  return x;
}

// ---- repeats ----

Value GraphBuilder::Tile(Value x, const std::vector<int64_t>& multiples) {
  return Try({x}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectPresent({x}));
    std::vector<int64_t> dims = Dims(shape(x));
    WHIT_RETURN_IF_ERROR(ExpectCount(scope(), multiples.size(), shape(x).rank(), "the multiples"));
    for (size_t i = 0; i < dims.size(); ++i) {
      if (multiples[i] < 0 || multiples[i] > std::numeric_limits<int32_t>::max())
        return scope().Invalid("multiple " + std::to_string(multiples[i]));
      dims[i] *= multiples[i];  // both below 2^31
    }
    if (dims == Dims(shape(x))) return x.index_;
    WHIT_ASSIGN_OR_RETURN(const int y, NewLike(x, dims));
    fbs::TileOptionsT o;
    o.multiples = ToU32(multiples);
    WHIT_RETURN_IF_ERROR(scope().Emit(OpType::kTile, std::move(o), {x.index_}, {y}));
    return y;
  });
}

Value GraphBuilder::BroadcastTo(Value x, const std::vector<int64_t>& dims) {
  return Try({x}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectPresent({x}));
    if (dims == Dims(shape(x))) return x.index_;
    WHIT_ASSIGN_OR_RETURN(const int y, NewLike(x, dims));
    WHIT_RETURN_IF_ERROR(
        scope().Emit(OpType::kBroadcastTo, fbs::BroadcastToOptionsT(), {x.index_}, {y}));
    return y;
  });
}

Value GraphBuilder::Reverse(Value x, const std::vector<int64_t>& axes) {
  return Try({x}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectPresent({x}));
    fbs::ReverseOptionsT o;
    WHIT_ASSIGN_OR_RETURN(o.axes, Axes(axes, shape(x).rank()));
    WHIT_ASSIGN_OR_RETURN(const int y, NewLike(x, Dims(shape(x))));
    WHIT_RETURN_IF_ERROR(scope().Emit(OpType::kReverse, std::move(o), {x.index_}, {y}));
    return y;
  });
}

// ---- pictures ----

Value GraphBuilder::MoveBlocks(Value x, int64_t block, bool to_depth) {
  return Try({x}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectRank(x, 4, "the input"));
    const Shape s = shape(x);
    constexpr int64_t kMaxBlock = 4096;  // times itself and a dimension it stays below 2^62
    const bool fits =
        block >= 1 && block <= kMaxBlock &&
        (to_depth ? s[1] % block == 0 && s[2] % block == 0 : s[3] % (block * block) == 0);
    if (!fits) {
      return scope().Invalid("blocks of " + std::to_string(block) + " do not divide " +
                             s.ToString());
    }
    fbs::BlockOptionsT o;
    const auto b = static_cast<uint32_t>(block);
    o.block = {b, b};
    const std::vector<int64_t> dims =
        to_depth ? std::vector<int64_t>{s[0], s[1] / block, s[2] / block, s[3] * block * block}
                 : std::vector<int64_t>{s[0], s[1] * block, s[2] * block, s[3] / (block * block)};
    WHIT_ASSIGN_OR_RETURN(const int y, NewLike(x, dims));
    WHIT_RETURN_IF_ERROR(scope().Emit(to_depth ? OpType::kSpaceToDepth : OpType::kDepthToSpace,
                                      std::move(o), {x.index_}, {y}));
    return y;
  });
}

Value GraphBuilder::SpaceToDepth(Value x, int64_t block) { return MoveBlocks(x, block, true); }
Value GraphBuilder::DepthToSpace(Value x, int64_t block) { return MoveBlocks(x, block, false); }

Value GraphBuilder::EmitResize(OpType op, Value x, int64_t out_h, int64_t out_w, ResizeRule rule) {
  return Try({x}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectRank(x, 4, "the input"));
    if (out_h < 1 || out_w < 1) {
      return scope().Invalid("a size of " + std::to_string(out_h) + " x " + std::to_string(out_w));
    }
    if (shape(x)[1] == out_h && shape(x)[2] == out_w) return x.index_;
    WHIT_ASSIGN_OR_RETURN(const int y, NewLike(x, {shape(x)[0], out_h, out_w, shape(x)[3]}));
    fbs::ResizeOptionsT o;
    o.align_corners = rule == ResizeRule::kAlignCorners;
    o.half_pixel_centers = rule == ResizeRule::kHalfPixel;
    WHIT_RETURN_IF_ERROR(scope().Emit(op, std::move(o), {x.index_}, {y}));
    return y;
  });
}

Value GraphBuilder::ResizeBilinear(Value x, int64_t out_h, int64_t out_w, ResizeRule rule) {
  return EmitResize(OpType::kResizeBilinear, x, out_h, out_w, rule);
}
Value GraphBuilder::ResizeNearest(Value x, int64_t out_h, int64_t out_w, ResizeRule rule) {
  return EmitResize(OpType::kResizeNearest, x, out_h, out_w, rule);
}

// ---- by index ----

Value GraphBuilder::Gather(Value x, Value indices, int axis, int batch_dims) {
  return Try({x, indices}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectPresent({x, indices}));
    const Shape s = shape(x), at = shape(indices);
    WHIT_ASSIGN_OR_RETURN(const int a, scope().Axis(axis, s.rank()));
    bool fits = batch_dims >= 0 && batch_dims <= a && batch_dims <= at.rank();
    for (int i = 0; fits && i < batch_dims; ++i) fits = s[i] == at[i];
    if (!fits) {
      return scope().Invalid("indices of shape " + at.ToString() + " with " +
                             std::to_string(batch_dims) + " batch axes on " + s.ToString());
    }
    std::vector<int64_t> dims;
    for (int i = 0; i < a; ++i) dims.push_back(s[i]);
    for (int i = batch_dims; i < at.rank(); ++i) dims.push_back(at[i]);
    for (int i = a + 1; i < s.rank(); ++i) dims.push_back(s[i]);
    WHIT_ASSIGN_OR_RETURN(const int y, NewLike(x, dims));
    fbs::GatherOptionsT o;
    o.axis = static_cast<uint32_t>(a), o.batch_dims = static_cast<uint32_t>(batch_dims);
    WHIT_RETURN_IF_ERROR(
        scope().Emit(OpType::kGather, std::move(o), {x.index_, indices.index_}, {y}));
    return y;
  });
}

Value GraphBuilder::GatherNd(Value x, Value indices) {
  return Try({x, indices}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectPresent({x, indices}));
    const Shape s = shape(x), at = shape(indices);
    if (at.rank() < 1 || at.back() > s.rank())
      return scope().Invalid("indices of shape " + at.ToString() + " on " + s.ToString());
    std::vector<int64_t> dims;
    for (int i = 0; i + 1 < at.rank(); ++i) dims.push_back(at[i]);
    for (int i = static_cast<int>(at.back()); i < s.rank(); ++i) dims.push_back(s[i]);
    WHIT_ASSIGN_OR_RETURN(const int y, NewLike(x, dims));
    WHIT_RETURN_IF_ERROR(
        scope().Emit(OpType::kGatherNd, fbs::GatherNdOptionsT(), {x.index_, indices.index_}, {y}));
    return y;
  });
}

Value GraphBuilder::OneHot(Value indices, int64_t depth, Value on, Value off, int axis) {
  return Try({indices, on, off}, [&]() -> Result<int> {
    WHIT_RETURN_IF_ERROR(ExpectPresent({indices, on, off}));
    std::vector<int64_t> dims = Dims(shape(indices));
    WHIT_ASSIGN_OR_RETURN(const int a, scope().Axis(axis, static_cast<int>(dims.size()) + 1));
    if (depth < 0 || depth > std::numeric_limits<int32_t>::max() || type(on) != type(off))
      return scope().Invalid("depth " + std::to_string(depth) + ", on and off of two types?");
    dims.insert(dims.begin() + a, depth);
    WHIT_ASSIGN_OR_RETURN(const int y, NewLike(on, dims));
    fbs::OneHotOptionsT o;
    o.axis = static_cast<uint32_t>(a), o.depth = static_cast<uint32_t>(depth);
    WHIT_RETURN_IF_ERROR(
        scope().Emit(OpType::kOneHot, std::move(o), {indices.index_, on.index_, off.index_}, {y}));
    return y;
  });
}

}  // namespace whit::tools
