#include "tools/import/onnx/reshape.h"

#include <algorithm>

namespace whit::tools::onnx {

std::vector<AxisGroup> GroupAxes(const Ints& in, const Ints& out) {
  std::vector<AxisGroup> groups;
  const auto n = static_cast<int>(in.size()), m = static_cast<int>(out.size());
  for (int i = 0, j = 0; i < n || j < m;) {
    AxisGroup group = {i, i, j, j};
    int64_t left = 1, right = 1;
    if (i < n) left *= in[static_cast<size_t>(i++)];
    if (j < m) right *= out[static_cast<size_t>(j++)];
    while (left != right && (left < right ? i < n : j < m)) {
      if (left < right) {
        left *= in[static_cast<size_t>(i++)];
      } else {
        right *= out[static_cast<size_t>(j++)];
      }
    }
    group.in_end = i, group.out_end = j;
    groups.push_back(group);
  }
  return groups;
}

namespace {

// Where a group's first axis above 1 lies: groups are stored in that order.
int PlaceOf(const AxisGroup& group, const Order& order, const Ints& dims) {
  int place = static_cast<int>(order.size());
  for (int axis = group.in_begin; axis < group.in_end; ++axis) {
    if (dims[static_cast<size_t>(axis)] != 1) place = std::min(place, PositionOf(order, axis));
  }
  return place;
}

// Whether going from one order to another moves more than axes of 1.
bool Moves(const Order& from, const Order& to, const Ints& dims) {
  std::vector<int> places;
  for (int axis : to) {
    if (dims[static_cast<size_t>(axis)] != 1) places.push_back(PositionOf(from, axis));
  }
  return !std::is_sorted(places.begin(), places.end());
}

}  // namespace

Operand Reshaped(Op& op, size_t i, const Ints& dims) {
  GraphBuilder& g = op.g;
  Operand result;
  Order order;
  const Value x = op.Raw(i, &order);
  const Ints in = op.Dims(i);
  const bool empty = std::count(in.begin(), in.end(), 0) != 0;
  if (order.empty() || empty) {
    result.value = g.Reshape(op.Plain(i), dims);
    return result;
  }
  std::vector<AxisGroup> groups = GroupAxes(in, dims);
  std::stable_sort(groups.begin(), groups.end(), [&](const AxisGroup& a, const AxisGroup& b) {
    return PlaceOf(a, order, in) < PlaceOf(b, order, in);
  });
  Order target, made;
  Ints stored;
  for (const AxisGroup& group : groups) {
    for (int axis = group.in_begin; axis < group.in_end; ++axis) target.push_back(axis);
    for (int axis = group.out_begin; axis < group.out_end; ++axis) {
      made.push_back(axis);
      stored.push_back(dims[static_cast<size_t>(axis)]);
    }
  }
  // A flattened image: the matrix that it is multiplied by may follow its order instead.
  if (dims.size() == 2 && order[0] == 0 && dims[0] == in[0] && Moves(order, target, in)) {
    result.merged = std::make_shared<Operand>();
    result.merged->value = x, result.merged->order = order;
    result.merged_dims = dims;
    return result;
  }
  result.value = g.Reshape(Reorder(g, x, order, Canonical(target)), std::move(stored));
  result.order = Canonical(std::move(made));
  return result;
}

}  // namespace whit::tools::onnx
