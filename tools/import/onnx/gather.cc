// Operators that take elements by index.
#include <algorithm>
#include <map>
#include <numeric>

#include "tools/import/onnx/op.h"

namespace whit::tools::onnx {

namespace {

// Elements that are moved by a list of places made at import.
constexpr int64_t kMaxPlaces = 1 << 22;

int64_t ElementsOf(const Ints& dims) {
  return std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
}

// Indices counted from behind become ones counted from the front.
Value FromFront(GraphBuilder& g, Value indices, int64_t dim) {
  const DType type = g.type(indices);
  if (g.failed(indices) || (type != DType::kInt32 && type != DType::kInt64)) return indices;
  const Value zero = Scalar(g, type, 0);
  const Value size = g.Cast(g.Int64s(Shape(), std::array{dim}), type);
  return g.Select(g.Compare(OpType::kLess, indices, zero), g.Add(indices, size), indices);
}

// Places in the flat array x, as a result of shape `dims`.
Value Places(GraphBuilder& g, Value x, const std::vector<int32_t>& places, const Ints& dims) {
  const Value flat = g.Reshape(x, Ints{-1});
  const Value at = g.Int32s(Shape{static_cast<int64_t>(places.size())}, places);
  return g.Reshape(g.Gather(flat, at, 0), dims);
}

void Gather(Op& op) {
  GraphBuilder& g = op.g;
  Order order;
  Value x = op.Raw(0, &order);
  const int rank = op.Rank(0), axis = op.Axis(op.Int("axis", 0), rank);
  if (rank == 0) return op.Invalid("the input has no axis");
  const int rank_of_indices = op.Rank(1);
  if (rank_of_indices > 1) x = op.Plain(0), order.clear();
  const int at = PositionOf(order, axis);
  const int64_t dim = g.shape(x)[at];
  if (rank_of_indices == 0 && !order.empty()) {
    order.erase(order.begin() + at);
    for (int& a : order) a -= a > axis ? 1 : 0;
  }
  const auto index = op.ConstInts(1);
  if (rank_of_indices == 0 && index) {  // one slice, without the axis
    const int64_t i = index->front() < 0 ? index->front() + dim : index->front();
    if (i < 0 || i >= dim)
      return op.Invalid("index " + std::to_string(index->front()) + " of " + std::to_string(dim));
    Ints dims = DimsOf(g, x);
    dims.erase(dims.begin() + at);
    return op.Set(0, g.Reshape(g.SliceAxis(x, at, i, i + 1), dims), order);
  }
  op.Set(0, g.Gather(x, FromFront(g, op.Plain(1), dim), at), order);
}

// Counts an index through `dims`, the last axis fastest. False at the end.
bool Next(const Ints& dims, Ints* index) {
  for (size_t k = dims.size(); k-- > 0;) {
    if (++(*index)[k] < dims[k]) return true;
    (*index)[k] = 0;
  }
  return false;
}

int64_t FlatIndex(const Ints& dims, const Ints& index) {
  int64_t flat = 0;
  for (size_t k = 0; k < dims.size(); ++k) flat = flat * dims[k] + index[k];
  return flat;
}

// Flat places that GatherElements and ScatterElements name: every index of `indices` with the one
// on `axis` taken from there. Nothing, and an error, where one is out of range.
std::optional<std::vector<int32_t>> ElementPlaces(Op& op, const Ints& dims, const Ints& shape,
                                                  const Ints& values, int axis) {
  std::vector<int32_t> places;
  Ints at(shape.size(), 0);
  for (int64_t value : values) {
    Ints in = at;
    const int64_t dim = dims[static_cast<size_t>(axis)];
    in[static_cast<size_t>(axis)] = value < 0 ? value + dim : value;
    bool inside = true;
    for (size_t k = 0; k < in.size(); ++k) inside = inside && in[k] >= 0 && in[k] < dims[k];
    if (!inside) {
      op.Invalid("index " + std::to_string(value) + " of " + std::to_string(dim));
      return std::nullopt;
    }
    places.push_back(static_cast<int32_t>(FlatIndex(dims, in)));
    Next(shape, &at);
  }
  return places;
}

std::optional<Ints> ConstantIndices(Op& op, size_t i) {
  if (!op.Constant(i)) return std::nullopt;
  GraphBuilder& g = op.g;
  const Value v = g.Cast(op.Plain(i), DType::kInt64);
  if (g.failed(v) || !g.constant(v) || g.shape(v).elements() > kMaxPlaces) return std::nullopt;
  const auto values = g.Info(v).values<int64_t>();
  return Ints(values.begin(), values.end());
}

// Computed indices: flat place = index * stride of the axis + the place of the rest, a constant.
Value ComputedElements(Op& op, const Ints& dims, const Ints& shape, int axis) {
  GraphBuilder& g = op.g;
  int64_t stride = 1;
  for (size_t k = static_cast<size_t>(axis) + 1; k < dims.size(); ++k) stride *= dims[k];
  Ints rest, at(shape.size(), 0);
  for (int64_t n = ElementsOf(shape); n > 0; --n) {
    Ints in = at;
    in[static_cast<size_t>(axis)] = 0;
    rest.push_back(FlatIndex(dims, in));
    Next(shape, &at);
  }
  const Value index =
      FromFront(g, g.Cast(op.Plain(1), DType::kInt64), dims[static_cast<size_t>(axis)]);
  const Value step = g.Int64s(Shape(), std::array{stride});
  const Value place = g.Add(g.Mul(index, step), g.Reshape(IntsValue(g, rest), shape));
  return g.Gather(g.Reshape(op.Plain(0), Ints{-1}), place, 0);
}

bool SameRanks(Op& op) {
  const Ints dims = op.Dims(0), shape = op.Dims(1);
  if (dims.size() == shape.size() && !dims.empty() && ElementsOf(shape) <= kMaxPlaces &&
      ElementsOf(dims) <= std::numeric_limits<int32_t>::max()) {
    return true;
  }
  op.Invalid("input and indices must have as many axes, 1 or more, and at most 2^22 indices");
  return false;
}

void GatherElements(Op& op) {
  if (!SameRanks(op)) return;
  const Ints dims = op.Dims(0), shape = op.Dims(1);
  const int axis = op.Axis(op.Int("axis", 0), op.Rank(0));
  for (size_t k = 0; k < dims.size(); ++k) {
    if (shape[k] > dims[k] && static_cast<int>(k) != axis)
      return op.Invalid("more indices than elements on axis " + std::to_string(k));
  }
  const auto indices = ConstantIndices(op, 1);
  if (!indices) return op.Set(0, ComputedElements(op, dims, shape, axis));
  const auto places = ElementPlaces(op, dims, shape, *indices, axis);
  if (places) op.Set(0, Places(op.g, op.Plain(0), *places, shape));
}

// ---- scattering: a gather from input and updates behind each other ----

OpType ReductionOf(const std::string& reduction) {
  if (reduction == "add") return OpType::kAdd;
  if (reduction == "mul") return OpType::kMul;
  if (reduction == "max") return OpType::kMaximum;
  if (reduction == "min") return OpType::kMinimum;
  return OpType::kNone;
}

// The updates of places that come up for the n-th time, so that each list has every place once.
std::vector<std::vector<int32_t>> Rounds(const std::vector<int32_t>& places) {
  std::vector<std::vector<int32_t>> rounds;
  std::map<int32_t, size_t> seen;
  for (size_t i = 0; i < places.size(); ++i) {
    const size_t round = seen[places[i]]++;
    if (round == rounds.size()) rounds.emplace_back();
    rounds[round].push_back(static_cast<int32_t>(i));
  }
  return rounds;
}

// flat with update from[i] reduced into places[from[i]], for a list that has every place once.
Value Reduced(GraphBuilder& g, OpType type, Value flat, Value updates,
              const std::vector<int32_t>& places, const std::vector<int32_t>& from) {
  std::vector<int32_t> at, whole(static_cast<size_t>(g.shape(flat).elements()));
  for (int32_t i : from) at.push_back(places[static_cast<size_t>(i)]);
  const auto n = static_cast<int64_t>(at.size());
  const Value now = g.Gather(flat, g.Int32s(Shape{n}, at), 0);
  const Value joined = g.Binary(type, now, g.Gather(updates, g.Int32s(Shape{n}, from), 0));
  std::iota(whole.begin(), whole.end(), 0);
  for (size_t i = 0; i < at.size(); ++i)
    whole[static_cast<size_t>(at[i])] = static_cast<int32_t>(whole.size() + i);
  return Places(g, g.Concat({flat, joined}, 0), whole, Ints{static_cast<int64_t>(whole.size())});
}

// Updates u, one for each of `places` of x (all constant): later ones win, or are reduced.
Value Scattered(Op& op, Value x, Value updates, const std::vector<int32_t>& places) {
  GraphBuilder& g = op.g;
  const Ints dims = DimsOf(g, x);
  const int64_t n = ElementsOf(dims), m = static_cast<int64_t>(places.size());
  if (n + m > kMaxPlaces) return g.Unsupported("more than 2^22 elements");
  if (g.type(x) != g.type(updates)) return g.Invalid("input and updates have different types");
  const std::string reduction = op.Text("reduction", "none");
  Value flat = g.Reshape(x, Ints{n}), u = g.Reshape(updates, Ints{m});
  if (reduction != "none") {
    const OpType type = ReductionOf(reduction);
    if (type == OpType::kNone) return g.Invalid("reduction '" + Shown(reduction) + "'");
    const auto rounds = Rounds(places);
    if (rounds.size() > 64) return g.Unsupported("more than 64 updates to one place");
    for (const auto& from : rounds) flat = Reduced(g, type, flat, u, places, from);
    return g.Reshape(flat, dims);
  }
  std::vector<int32_t> from(static_cast<size_t>(n));
  std::iota(from.begin(), from.end(), 0);
  for (size_t i = 0; i < places.size(); ++i)
    from[static_cast<size_t>(places[i])] = static_cast<int32_t>(n + static_cast<int64_t>(i));
  if (m == 0) return x;
  return Places(g, g.Concat({flat, u}, 0), from, dims);
}

void ScatterElements(Op& op) {
  if (!SameRanks(op)) return;
  const auto indices = ConstantIndices(op, 1);
  if (!indices) return op.Unsupported("indices that are computed at run time");
  const int axis = op.Axis(op.Int("axis", 0), op.Rank(0));
  const auto places = ElementPlaces(op, op.Dims(0), op.Dims(1), *indices, axis);
  if (!places) return;
  if (op.Dims(2) != op.Dims(1)) return op.Invalid("indices and updates have different shapes");
  op.Set(0, Scattered(op, op.Plain(0), op.Plain(2), *places));
}

// Rows of the last axis of `shape` are indices into the first axes of `dims`; every one names a
// slice of the axes that are left.
std::optional<std::vector<int32_t>> SlicePlaces(Op& op, const Ints& dims, const Ints& shape,
                                                const Ints& values) {
  const auto depth = static_cast<size_t>(shape.back());
  int64_t slice = 1;
  for (size_t k = depth; k < dims.size(); ++k) slice *= dims[k];
  std::vector<int32_t> places;
  if (depth == 0 || static_cast<int64_t>(values.size() / depth) * slice > kMaxPlaces) {
    op.Unsupported("no indices, or more than 2^22 elements");
    return std::nullopt;
  }
  for (size_t row = 0; row + depth <= values.size(); row += depth) {
    int64_t flat = 0;
    for (size_t k = 0; k < depth; ++k) {
      const int64_t index = values[row + k] < 0 ? values[row + k] + dims[k] : values[row + k];
      if (index < 0 || index >= dims[k]) {
        op.Invalid("index " + std::to_string(values[row + k]) + " of " + std::to_string(dims[k]));
        return std::nullopt;
      }
      flat = flat * dims[k] + index;
    }
    for (int64_t i = 0; i < slice; ++i) places.push_back(static_cast<int32_t>(flat * slice + i));
  }
  return places;
}

void ScatterND(Op& op) {
  const Ints dims = op.Dims(0), shape = op.Dims(1);
  if (shape.empty() || shape.back() > static_cast<int64_t>(dims.size()))
    return op.Invalid("the indices name more axes than the input has");
  const auto indices = ConstantIndices(op, 1);
  if (!indices) return op.Unsupported("indices that are computed at run time");
  const auto places = SlicePlaces(op, dims, shape, *indices);
  if (!places) return;
  if (ElementsOf(op.Dims(2)) != static_cast<int64_t>(places->size()))
    return op.Invalid("indices and updates do not fit");
  op.Set(0, Scattered(op, op.Plain(0), op.Plain(2), *places));
}

void GatherND(Op& op) {
  GraphBuilder& g = op.g;
  const Ints dims = op.Dims(0), shape = op.Dims(1);
  const int64_t batch = op.Int("batch_dims", 0);
  if (shape.empty() || batch < 0 ||
      batch >= static_cast<int64_t>(std::min(dims.size(), shape.size())) || shape.back() < 1 ||
      batch + shape.back() > static_cast<int64_t>(dims.size())) {
    return op.Invalid("indices of shape rank " + std::to_string(shape.size()) + " with " +
                      std::to_string(batch) + " batch axes");
  }
  Value indices = g.Cast(op.Plain(1), DType::kInt64);
  // The size of the axis that each column counts, against indices from behind.
  const Ints sizes(dims.begin() + batch, dims.begin() + batch + shape.back());
  const Value zero = g.Int64s(Shape(), std::array<int64_t, 1>{0});
  indices = g.Select(g.Compare(OpType::kLess, indices, zero), g.Add(indices, IntsValue(g, sizes)),
                     indices);
  if (batch > 0) {
    if (ElementsOf(shape) > kMaxPlaces) return op.Unsupported("more than 2^22 indices");
    Ints rows(shape.begin(), shape.end() - 1), at(rows.size(), 0), columns;
    for (int64_t n = ElementsOf(rows); n > 0; --n) {
      columns.insert(columns.end(), at.begin(), at.begin() + batch);
      Next(rows, &at);
    }
    Ints wide = rows;
    wide.push_back(batch);
    const Value lead = g.Reshape(IntsValue(g, columns), wide);
    indices = g.Concat({lead, indices}, static_cast<int>(shape.size()) - 1);
  }
  op.Set(0, g.GatherNd(op.Plain(0), indices));
}

// ---- made of positions ----

void OneHot(Op& op) {
  GraphBuilder& g = op.g;
  const Value depth_value = g.Cast(op.Plain(1), DType::kInt64);
  const auto depth = g.ConstantInts(depth_value);
  if (!depth || depth->size() != 1) return op.Unsupported("a depth that is computed at run time");
  const Value values = op.Plain(2);
  const Value off = g.Reshape(g.SliceAxis(values, 0, 0, 1), Ints{});
  const Value on = g.Reshape(g.SliceAxis(values, 0, 1, 2), Ints{});
  const Value indices = FromFront(g, g.Cast(op.Plain(0), DType::kInt64), depth->front());
  const int axis = op.Axis(op.Int("axis", -1), op.Rank(0) + 1);
  op.Set(0, g.OneHot(indices, depth->front(), on, off, axis));
}

void Trilu(Op& op) {
  GraphBuilder& g = op.g;
  const int rank = op.Rank(0);
  int64_t k = 0;
  if (op.has(1)) {
    const auto given = op.ConstInts(1);
    if (!given || given->size() != 1) return op.Unsupported("a k that is computed at run time");
    k = given->front();
  }
  const Ints dims = op.Dims(0);
  if (rank < 2) return op.Invalid("the input must have 2 axes or more");
  const int64_t rows = dims[static_cast<size_t>(rank) - 2], columns = dims.back();
  if (rows * columns > kMaxPlaces) return op.Unsupported("more than 2^22 elements");
  const bool upper = op.Int("upper", 1) != 0;
  std::vector<uint8_t> kept;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = 0; column < columns; ++column) {
      const int64_t off = column - row;
      kept.push_back((upper ? off >= k : off <= k) ? 1 : 0);
    }
  }
  const Value x = op.Plain(0);
  op.Set(0, g.Select(g.Bools(Shape{rows, columns}, kept), x, Scalar(g, g.type(x), 0)));
}

void ReverseSequence(Op& op) {
  GraphBuilder& g = op.g;
  const auto lengths = op.ConstInts(1);
  if (!lengths) return op.Unsupported("lengths that are computed at run time");
  const int64_t batch_axis = op.Int("batch_axis", 1), time_axis = op.Int("time_axis", 0);
  const Ints dims = op.Dims(0);
  if (dims.size() < 2 || batch_axis < 0 || batch_axis > 1 || time_axis != 1 - batch_axis ||
      static_cast<int64_t>(lengths->size()) != dims[static_cast<size_t>(batch_axis)]) {
    return op.Invalid("axes 0 and 1 and one length a batch are needed");
  }
  const int64_t rest = ElementsOf({dims.begin() + 2, dims.end()});
  if (dims[0] * dims[1] > kMaxPlaces) return op.Unsupported("more than 2^22 steps");
  std::vector<int32_t> places;
  for (int64_t i = 0; i < dims[0]; ++i) {
    for (int64_t j = 0; j < dims[1]; ++j) {
      const int64_t b = batch_axis == 0 ? i : j, t = batch_axis == 0 ? j : i;
      const int64_t length = (*lengths)[static_cast<size_t>(b)];
      if (length < 0 || length > dims[static_cast<size_t>(time_axis)])
        return op.Invalid("a length of " + std::to_string(length));
      const int64_t from = t < length ? length - 1 - t : t;
      places.push_back(
          static_cast<int32_t>(batch_axis == 0 ? i * dims[1] + from : from * dims[1] + j));
    }
  }
  const Value rows = g.Reshape(op.Plain(0), Ints{dims[0] * dims[1], rest});
  const Value at = g.Int32s(Shape{static_cast<int64_t>(places.size())}, places);
  op.Set(0, g.Reshape(g.Gather(rows, at, 0), dims));
}

void Compress(Op& op) {
  GraphBuilder& g = op.g;
  if (!op.Constant(1) || op.Type(1) != DType::kBool)
    return op.Unsupported("a condition that is computed at run time");
  const auto kept = g.Info(op.Plain(1)).values<uint8_t>();
  Value x = op.Plain(0);
  int axis = 0;
  if (op.Has("axis")) {
    axis = op.Axis(op.Int("axis", 0), op.Rank(0));
  } else {
    x = g.Reshape(x, Ints{-1});
  }
  std::vector<int32_t> at;
  for (size_t i = 0; i < kept.size(); ++i) {
    if (kept[i] != 0) at.push_back(static_cast<int32_t>(i));
  }
  op.Set(0, g.Gather(x, g.Int32s(Shape{static_cast<int64_t>(at.size())}, at), axis));
}

// The places of a constant that are not 0, one column each.
void NonZero(Op& op) {
  GraphBuilder& g = op.g;
  const Ints dims = op.Dims(0);
  if (!op.Constant(0) || ElementsOf(dims) > kMaxPlaces)
    return op.Unsupported("a result whose size is known at run time alone");
  const Value flags = g.Cast(op.Plain(0), DType::kBool);
  if (g.failed(flags)) return;
  std::vector<Ints> rows(dims.size());
  Ints at(dims.size(), 0);
  for (uint8_t flag : g.Info(flags).values<uint8_t>()) {
    for (size_t k = 0; flag != 0 && k < at.size(); ++k) rows[k].push_back(at[k]);
    Next(dims, &at);
  }
  Ints all;
  for (const Ints& row : rows) all.insert(all.end(), row.begin(), row.end());
  const int64_t columns = rows.empty() ? 0 : static_cast<int64_t>(rows[0].size());
  op.Set(0, g.Int64s(Shape{static_cast<int64_t>(dims.size()), columns}, all));
}

}  // namespace

std::span<const Row> GatherRows() {
  static constexpr Row kRows[] = {
      {"Gather", Gather, 2, 1, 1000, true},
      {"GatherElements", GatherElements, 2, 1, 1000, true},
      {"GatherND", GatherND, 2, 1, 1000, true},
      {"Scatter", ScatterElements, 3},
      {"ScatterElements", ScatterElements, 3},
      {"ScatterND", ScatterND, 3},
      {"OneHot", OneHot, 3},
      {"Trilu", Trilu, 1},
      {"ReverseSequence", ReverseSequence, 2},
      {"Compress", Compress, 2},
      {"NonZero", NonZero, 1},
  };
  return kRows;
}

}  // namespace whit::tools::onnx
