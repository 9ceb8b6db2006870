// Operators that move elements and compute none.
#include <algorithm>
#include <limits>

#include "tools/import/onnx/reshape.h"

namespace whit::tools::onnx {

namespace {

// Of dimensions that are 0 or more; -1 where it is 2^40 or more.
int64_t ProductOf(const Ints& dims) {
  int64_t p = 1;
  for (int64_t d : dims) {
    // Shapes of constants: any size may stand there.
    if (d != 0 && p > (int64_t{1} << 40) / d) return -1;
    p *= d;
  }
  return p;
}

// ---- shapes ----

void Reshape(Op& op) {
  auto dims = op.IntsOf("shape", 1);
  if (!dims) {
    if (!op.has(1)) op.Invalid("it has no shape");
    return;
  }
  const Ints in = op.Dims(0);
  if (dims->size() > static_cast<size_t>(kMaxRank))
    return op.Unsupported("a shape of " + std::to_string(dims->size()) + " axes");
  int64_t known = 1;
  size_t open = dims->size();
  for (size_t i = 0; i < dims->size(); ++i) {
    int64_t& d = (*dims)[i];
    if (d == 0 && op.Int("allowzero", 0) == 0) d = i < in.size() ? in[i] : 0;
    if (d == -1 && open == dims->size()) {
      open = i;
    } else if (d < 0) {
      return op.Invalid("dimension " + std::to_string(i) + " of the shape is " + std::to_string(d));
    }
  }
  Ints others = *dims;
  if (open < dims->size()) others[open] = 1;
  known = ProductOf(others);
  const int64_t elements = ProductOf(in);
  const bool divides =
      open == dims->size() ? known == elements : known > 0 && elements % known == 0;
  if (!divides)
    return op.Invalid(std::to_string(elements) + " elements do not fit a shape of " +
                      std::to_string(known));
  if (open < dims->size()) (*dims)[open] = elements / known;
  op.SetOperand(0, Reshaped(op, 0, *dims));
}

void Flatten(Op& op) {
  const Ints in = op.Dims(0);
  const auto rank = static_cast<int64_t>(in.size());
  int64_t axis = op.Int("axis", 1);
  if (axis < -rank || axis > rank) return op.Invalid("axis " + std::to_string(axis));
  if (axis < 0) axis += rank;
  Ints dims = {1, 1};
  for (int64_t i = 0; i < rank; ++i) dims[i < axis ? 0 : 1] *= in[static_cast<size_t>(i)];
  op.SetOperand(0, Reshaped(op, 0, dims));
}

void Squeeze(Op& op) {
  const Ints in = op.Dims(0);
  const int rank = static_cast<int>(in.size());
  const auto axes = op.IntsOf("axes", 1);
  if (op.has(1) && !axes) return;
  std::vector<bool> gone(in.size(), false);
  for (size_t i = 0; !axes && i < in.size(); ++i) gone[i] = in[i] == 1;
  for (int64_t a : axes.value_or(Ints())) {
    const int axis = op.Axis(a, rank);
    if (rank == 0 || in[static_cast<size_t>(axis)] != 1)
      return op.Invalid("axis " + std::to_string(a) + " is not 1");
    gone[static_cast<size_t>(axis)] = true;
  }
  Ints dims;
  for (size_t i = 0; i < in.size(); ++i) {
    if (!gone[i]) dims.push_back(in[i]);
  }
  op.SetOperand(0, Reshaped(op, 0, dims));
}

void Unsqueeze(Op& op) {
  const Ints in = op.Dims(0);
  const auto axes = op.IntsOf("axes", 1);
  if (!axes) {
    if (!op.has(1)) op.Invalid("it has no axes");
    return;
  }
  const size_t rank = in.size() + axes->size();
  if (rank > static_cast<size_t>(kMaxRank))
    return op.Unsupported("a result of " + std::to_string(rank) + " axes");
  std::vector<bool> fresh(rank, false);
  for (int64_t a : *axes) fresh[static_cast<size_t>(op.Axis(a, static_cast<int>(rank)))] = true;
  if (std::count(fresh.begin(), fresh.end(), true) != static_cast<std::ptrdiff_t>(axes->size()))
    return op.Invalid("an axis twice");
  Ints dims;
  size_t from = 0;
  for (bool f : fresh) dims.push_back(f ? 1 : in[from++]);
  op.SetOperand(0, Reshaped(op, 0, dims));
}

// Only the numbers of the axes change; nothing moves.
void Transpose(Op& op) {
  const int rank = op.Rank(0);
  Ints perm = op.IntList("perm");
  if (!op.Has("perm")) {
    for (int i = rank - 1; i >= 0; --i) perm.push_back(i);
  }
  Ints sorted = perm;
  std::sort(sorted.begin(), sorted.end());
  bool good = static_cast<int>(perm.size()) == rank;
  for (size_t i = 0; good && i < sorted.size(); ++i) good = sorted[i] == static_cast<int64_t>(i);
  if (!good) return op.Invalid("perm is no permutation of " + std::to_string(rank) + " axes");
  Order order;
  const Value x = op.Raw(0, &order);
  Order turned;
  for (int axis : Full(order, rank)) {
    turned.push_back(static_cast<int>(std::find(perm.begin(), perm.end(), axis) - perm.begin()));
  }
  op.Set(0, x, turned);
}

void Identity(Op& op) {
  Operand same = op.in(0);
  op.SetOperand(0, std::move(same));
}

void Dropout(Op& op) {
  if (op.has(2)) {
    GraphBuilder& g = op.g;
    const Value training = op.Plain(2);
    if (!g.constant(training) || g.Info(training).values<uint8_t>().size() != 1 ||
        g.Info(training).values<uint8_t>()[0] != 0) {
      return op.Unsupported("training_mode");
    }
  }
  if (op.wants(1)) {
    const Ints dims = op.Dims(0);
    const Value one = op.g.Bools(Shape(), std::array<uint8_t, 1>{1});
    op.Set(1, op.g.BroadcastTo(one, dims));
  }
  Identity(op);
}

// ---- joins and splits ----

void Concat(Op& op) {
  GraphBuilder& g = op.g;
  std::vector<size_t> all;
  for (size_t i = 0; i < op.inputs(); ++i) {
    if (!op.has(i)) return op.Invalid("an input is absent");
    if (op.Rank(i) != op.Rank(0)) return op.Invalid("the inputs have different ranks");
    all.push_back(i);
  }
  if (all.empty()) return op.Invalid("it has no inputs");
  const int axis = op.Axis(op.Int("axis", 0), op.Rank(0));
  Order order;
  std::vector<Value> parts = op.Aligned(all, &order);
  for (Value part : parts) {
    if (!g.Info(part).SameQuant(g.Info(parts[0])))
      return op.Unsupported("codes of different quantizations");
  }
  const int at = PositionOf(order, axis);
  // What has no elements adds none.
  std::vector<Value> kept;
  for (Value part : parts) {
    if (g.failed(part) || g.shape(part)[at] != 0) kept.push_back(part);
  }
  if (kept.empty()) kept.push_back(parts[0]);
  op.Set(0, g.Concat(kept, at), order);
}

void Split(Op& op) {
  const int rank = op.Rank(0), axis = op.Axis(op.Int("axis", 0), rank);
  if (rank == 0) return op.Invalid("the input has no axis");
  auto sizes = op.IntsOf("split", 1);
  if (op.has(1) && !sizes) return;
  const int64_t dim = op.Dims(0)[static_cast<size_t>(axis)];
  const auto outs = static_cast<int64_t>(op.outputs());
  if (outs == 0) return op.Invalid("it has no outputs");
  if (!sizes || sizes->empty()) {
    const int64_t each = (dim + outs - 1) / outs;
    sizes.emplace();
    for (int64_t i = 0; i < outs; ++i)
      sizes->push_back(std::clamp<int64_t>(dim - i * each, 0, each));
  }
  if (static_cast<int64_t>(sizes->size()) != outs)
    return op.Invalid(std::to_string(sizes->size()) + " sizes for " + std::to_string(outs) +
                      " outputs");
  Order order;
  const Value x = op.Raw(0, &order);
  // Parts without elements are no tensors of a .whit file.
  const int at = PositionOf(order, axis);
  Ints some;
  std::copy_if(sizes->begin(), sizes->end(), std::back_inserter(some),
               [](int64_t s) { return s != 0; });
  const std::vector<Value> parts = some.empty() ? std::vector<Value>() : op.g.Split(x, at, some);
  size_t next = 0;
  for (size_t i = 0; i < sizes->size(); ++i) {
    const Value part = (*sizes)[i] == 0 ? op.g.SliceAxis(x, at, 0, 0) : parts[next++];
    op.Set(i, part, order);
  }
}

// ---- parts ----

struct SliceLists {
  Ints starts, ends, axes, steps;
};

std::optional<SliceLists> ReadSlice(Op& op) {
  const bool old = op.version < 10;
  const size_t none = 99;
  const auto starts = op.IntsOf("starts", old ? none : 1), ends = op.IntsOf("ends", old ? none : 2);
  const auto axes = op.IntsOf("axes", old ? none : 3), steps = op.IntsOf("steps", old ? none : 4);
  if (!starts || !ends) {
    if (!op.has(1)) op.Invalid("it has no starts or no ends");
    return std::nullopt;
  }
  if ((op.has(3) && !axes) || (op.has(4) && !steps)) return std::nullopt;
  SliceLists s = {*starts, *ends, axes.value_or(Ints()), steps.value_or(Ints())};
  if (!axes) {
    for (size_t i = 0; i < s.starts.size(); ++i) s.axes.push_back(static_cast<int64_t>(i));
  }
  if (!steps) s.steps.assign(s.starts.size(), 1);
  const bool fits = s.ends.size() == s.starts.size() && s.axes.size() == s.starts.size() &&
                    s.steps.size() == s.starts.size() &&
                    std::count(s.steps.begin(), s.steps.end(), 0) == 0;
  if (fits) return s;
  op.Invalid("starts, ends, axes and steps do not belong together");
  return std::nullopt;
}

// NumPy's start:end:step of a dimension as begin and size.
void PlaceSlice(int64_t dim, int64_t start, int64_t end, int64_t step, int64_t* begin,
                int64_t* size) {
  const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? dim : dim - 1;
  const auto place = [&](int64_t v) {
    return std::clamp(v < 0 && v > std::numeric_limits<int64_t>::min() + dim ? v + dim : v, low,
                      high);
  };
  const int64_t from = place(start), to = place(end);
  // Steps may be any number: beyond the dimension they all take one element.
  const int64_t stride = std::clamp<int64_t>(step, -dim - 1, dim + 1);
  const int64_t span = stride > 0 ? to - from : from - to;
  *size = span <= 0 ? 0 : (span - 1) / std::abs(stride) + 1;
  *begin = from;
}

void Slice(Op& op) {
  const auto lists = ReadSlice(op);
  if (!lists) return;
  Order order;
  const Value x = op.Raw(0, &order);
  const int rank = op.Rank(0);
  Ints begin(static_cast<size_t>(rank), 0), size = DimsOf(op.g, x), stride(begin.size(), 1);
  for (size_t i = 0; i < lists->starts.size(); ++i) {
    const int axis = op.Axis(lists->axes[i], rank);
    if (rank == 0) return;
    const auto at = static_cast<size_t>(PositionOf(order, axis));
    const int64_t dim = op.g.shape(x)[static_cast<int>(at)];
    PlaceSlice(dim, lists->starts[i], lists->ends[i], lists->steps[i], &begin[at], &size[at]);
    stride[at] = std::clamp<int64_t>(lists->steps[i], -dim - 1, dim + 1);
  }
  op.Set(0, op.g.Slice(x, begin, size, stride), order);
}

// ---- borders ----

// Amounts in the stored order, one pair an axis; negative ones cut off.
struct Borders {
  Ints before, after;
};

std::optional<Borders> ReadBorders(Op& op, const Order& order) {
  const bool old = op.version < 11;
  const auto pads = op.IntsOf(op.Has("pads") ? "pads" : "paddings", old ? 99 : 1);
  const auto given = op.version >= 18 ? op.IntsOf("axes", 3) : std::nullopt;
  if (!pads || (op.has(3) && !given)) {
    if (!op.has(1)) op.Invalid("it has no pads");
    return std::nullopt;
  }
  const int rank = op.Rank(0);
  Ints axes = given.value_or(Ints());
  for (int i = 0; !given && i < rank; ++i) axes.push_back(i);
  if (pads->size() != 2 * axes.size()) {
    op.Invalid(std::to_string(pads->size()) + " pads for " + std::to_string(axes.size()) + " axes");
    return std::nullopt;
  }
  Borders b = {Ints(static_cast<size_t>(rank), 0), Ints(static_cast<size_t>(rank), 0)};
  for (size_t i = 0; i < axes.size(); ++i) {
    const int axis = op.Axis(axes[i], rank);
    if (rank == 0) break;
    const auto at = static_cast<size_t>(PositionOf(order, axis));
    b.before[at] = (*pads)[i], b.after[at] = (*pads)[axes.size() + i];
    for (int64_t v : {b.before[at], b.after[at]}) {
      constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
      if (v < -kMost || v > kMost) {
        op.Invalid("a padding of " + std::to_string(v));
        return std::nullopt;
      }
    }
  }
  return b;
}

// Cuts off what negative amounts say and leaves the others.
Value Cropped(GraphBuilder& g, Value x, Borders* b) {
  Ints begin, size, stride;
  bool cut = false;
  for (int i = 0; i < g.shape(x).rank(); ++i) {
    int64_t& before = b->before[static_cast<size_t>(i)];
    int64_t& after = b->after[static_cast<size_t>(i)];
    begin.push_back(std::max<int64_t>(-before, 0));
    size.push_back(g.shape(x)[i] - begin.back() - std::max<int64_t>(-after, 0));
    stride.push_back(1);
    cut = cut || before < 0 || after < 0;
    before = std::max<int64_t>(before, 0), after = std::max<int64_t>(after, 0);
  }
  return cut ? g.Slice(x, begin, size, stride) : x;
}

// The other end's elements on both sides.
Value Wrapped(GraphBuilder& g, Value x, const Borders& b) {
  for (int i = 0; i < g.shape(x).rank(); ++i) {
    const int64_t before = b.before[static_cast<size_t>(i)],
                  after = b.after[static_cast<size_t>(i)];
    const int64_t dim = g.shape(x)[i];
    if (before > dim || after > dim) return g.Unsupported("wrapping more than the whole axis");
    std::vector<Value> parts;
    if (before > 0) parts.push_back(g.SliceAxis(x, i, dim - before, dim));
    parts.push_back(x);
    if (after > 0) parts.push_back(g.SliceAxis(x, i, 0, after));
    x = g.Concat(parts, i);
  }
  return x;
}

void Pad(Op& op) {
  GraphBuilder& g = op.g;
  Order order;
  Value x = op.Raw(0, &order);
  auto borders = ReadBorders(op, order);
  if (!borders) return;
  x = Cropped(g, x, &*borders);
  const std::string mode = op.Text("mode", "constant");
  const auto& [before, after] = *borders;
  if (mode == "reflect")
    return op.Set(0, g.MirrorPad(x, before, after, fbs::PadMode::reflect), order);
  if (mode == "edge") return op.Set(0, g.EdgePad(x, before, after), order);
  if (mode == "wrap") return op.Set(0, Wrapped(g, x, *borders), order);
  if (mode != "constant") return op.Invalid("mode '" + Shown(mode) + "'");
  double value = op.Float("value", 0);
  if (op.version >= 11 && op.has(2)) {
    const Value given = g.Cast(op.Plain(2), DType::kFloat32);
    if (!g.constant(given) || g.shape(given).elements() != 1)
      return op.Unsupported("a value that is computed at run time");
    value = g.Info(given).values<float>()[0];
  }
  op.Set(0, g.Pad(x, before, after, value), order);
}

// ---- repetition ----

void Tile(Op& op) {
  const auto repeats = op.ConstInts(1);
  if (!repeats) return op.Unsupported("repeats that are computed at run time");
  Order order;
  const Value x = op.Raw(0, &order);
  if (static_cast<int>(repeats->size()) != op.Rank(0)) return op.Invalid("repeats and axes differ");
  Ints multiples;
  for (int axis : Full(order, op.Rank(0)))
    multiples.push_back((*repeats)[static_cast<size_t>(axis)]);
  op.Set(0, op.g.Tile(x, multiples), order);
}

void Expand(Op& op) {
  const auto shape = op.ConstInts(1);
  if (!shape) return op.Unsupported("a shape that is computed at run time");
  Ints dims = *shape, in = op.Dims(0);
  if (dims.size() > static_cast<size_t>(kMaxRank))
    return op.Unsupported("a shape of " + std::to_string(dims.size()) + " axes");
  const size_t rank = std::max(dims.size(), in.size());
  dims.insert(dims.begin(), rank - dims.size(), 1);
  in.insert(in.begin(), rank - in.size(), 1);
  for (size_t i = 0; i < rank; ++i) {
    if (dims[i] == 1) dims[i] = in[i];
    if (dims[i] != in[i] && (in[i] != 1 || dims[i] < 0))
      return op.Invalid(std::to_string(in[i]) + " does not expand to " + std::to_string(dims[i]));
  }
  Order order;
  Value x = op.Raw(0, &order);
  if (op.Rank(0) != static_cast<int>(rank)) {
    x = Raised(op.g, op.Plain(0), static_cast<int>(rank));
    order.clear();
  }
  Ints stored;
  for (int axis : Full(order, static_cast<int>(rank)))
    stored.push_back(dims[static_cast<size_t>(axis)]);
  op.Set(0, op.g.BroadcastTo(x, stored), order);
}

// ---- blocks ----

bool ExpectImage(Op& op, int64_t block) {
  const Ints d = op.Dims(0);
  if (d.size() == 4 && block >= 1 && block < (1 << 15)) return true;
  op.Invalid("4 axes and a block of 1 or more are needed");
  return false;
}

void DepthToSpace(Op& op) {
  GraphBuilder& g = op.g;
  const int64_t b = op.Int("blocksize", 0);
  if (!ExpectImage(op, b)) return;
  const Value x = op.Channels(0);
  const std::string mode = op.Text("mode", "DCR");
  if (mode == "DCR") return op.Set(0, g.DepthToSpace(x, b), ChannelsLast(4));
  if (mode != "CRD") return op.Invalid("mode '" + Shown(mode) + "'");
  const Ints d = DimsOf(g, x);
  if (d[3] % (b * b) != 0) return op.Invalid("the channels are no multiple of the block");
  const int64_t c = d[3] / (b * b);
  const Value split = g.Reshape(x, Ints{d[0], d[1], d[2], c, b, b});
  const Value turned = g.Transpose(split, {0, 1, 4, 2, 5, 3});
  op.Set(0, g.Reshape(turned, Ints{d[0], d[1] * b, d[2] * b, c}), ChannelsLast(4));
}

void SpaceToDepth(Op& op) {
  const int64_t b = op.Int("blocksize", 0);
  if (!ExpectImage(op, b)) return;
  GraphBuilder& g = op.g;
  const Value x = op.Channels(0);
  const std::string mode = op.Text("mode", "DCR");
  if (mode == "DCR") return op.Set(0, g.SpaceToDepth(x, b), ChannelsLast(4));
  if (mode != "CRD") return op.Invalid("mode '" + Shown(mode) + "'");
  const Ints d = DimsOf(g, x);
  if (d[1] % b != 0 || d[2] % b != 0) return op.Invalid("the image is no multiple of the block");
  const Value split = g.Reshape(x, Ints{d[0], d[1] / b, b, d[2] / b, b, d[3]});
  const Value turned = g.Transpose(split, {0, 1, 3, 5, 2, 4});
  op.Set(0, g.Reshape(turned, Ints{d[0], d[1] / b, d[2] / b, d[3] * b * b}), ChannelsLast(4));
}

}  // namespace

std::span<const Row> LayoutRows() {
  static constexpr Row kRows[] = {
      {"Reshape", Reshape, 2, 5, 1000, true},
      {"Flatten", Flatten, 1, 1, 1000, true},
      {"Squeeze", Squeeze, 1, 1, 1000, true},
      {"Unsqueeze", Unsqueeze, 1, 1, 1000, true},
      {"Transpose", Transpose, 1, 1, 1000, true},
      {"Identity", Identity, 1, 1, 1000, true},
      {"Dropout", Dropout, 1, 1, 1000, true},
      {"Concat", Concat, 1, 4, 1000, true},
      {"Split", Split, 1, 2, 1000, true},
      {"Slice", Slice, 1, 1, 1000, true},
      {"Pad", Pad, 1, 2},
      {"Tile", Tile, 2, 6, 1000, true},
      {"Expand", Expand, 2, 8, 1000, true},
      {"DepthToSpace", DepthToSpace, 1, 1, 1000, true},
      {"SpaceToDepth", SpaceToDepth, 1, 1, 1000, true},
  };
  return kRows;
}

}  // namespace whit::tools::onnx
