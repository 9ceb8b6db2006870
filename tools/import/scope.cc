#include "tools/import/scope.h"

#include <algorithm>

#include "tools/import/host_run.h"

namespace whit::tools {

namespace {

// The longest list of integers that an operator takes: sizes of SPLIT_V. Shapes and axes have 8.
constexpr int64_t kMaxInts = 1024;

}  // namespace

Status Scope::Unsupported(const std::string& what) const {
  return Status(StatusCode::kUnsupported, label_ + ": " + what);
}

Status Scope::Invalid(const std::string& what) const {
  return Status(StatusCode::kInvalidModel, label_ + ": " + what);
}

std::string Scope::Label(const GraphTensor& t) { return "'" + Shown(t.name) + "'"; }

void Scope::Warn(const std::string& what) {
  state_.report.warnings.push_back(label_ + ": " + what);
}

void Scope::Note(const std::string& what) { state_.report.notes.push_back(label_ + ": " + what); }

Result<int> Scope::Axis(int64_t axis, int rank) const {
  const int64_t positive = axis < 0 ? axis + rank : axis;
  if (positive < 0 || positive >= rank) {
    return Invalid("axis " + std::to_string(axis) + " is outside of rank " + std::to_string(rank));
  }
  return static_cast<int>(positive);
}

Status Scope::SetShape(int index, const Shape& shape) {
  int64_t elements = 1;
  for (int i = 0; i < shape.rank(); ++i) {
    const int64_t d = shape[i];
    if (d < 0 || d > std::numeric_limits<int32_t>::max()) {
      return Invalid("tensor " + Label(tensor(index)) + ": dimension " + std::to_string(i) +
                     " would be " + std::to_string(d));
    }
    elements *= d;  // both below 2^31
    if (elements > std::numeric_limits<int32_t>::max()) {
      return Invalid("tensor " + Label(tensor(index)) + ": shape " + shape.ToString() +
                     " has 2^31 elements or more");
    }
  }
  tensor(index).shape = shape;
  tensor(index).shape_unknown = false;
  return OkStatus();
}

Status Scope::SetShape(int index, const std::vector<int64_t>& dims) {
  if (dims.size() > static_cast<size_t>(kMaxRank)) {
    return Unsupported("rank " + std::to_string(dims.size()) + " is above " +
                       std::to_string(kMaxRank));
  }
  Shape shape = Shape::OfRank(static_cast<int>(dims.size()));
  for (size_t i = 0; i < dims.size(); ++i) shape[static_cast<int>(i)] = dims[i];
  return SetShape(index, shape);
}

Result<int> Scope::TempOf(GraphTensor like, Shape shape) {
  like.constant = nullptr;
  like.variable = -1;
  like.name = name_ + "/" + std::to_string(state_.graph.tensors.size());
  const int index = state_.graph.AddTensor(std::move(like));
  state_.producer.push_back(-1);
  WHIT_RETURN_IF_ERROR(SetShape(index, shape));
  return index;
}

Result<int> Scope::Temp(int like, Shape shape) { return TempOf(tensor(like), shape); }

Result<int> Scope::TempFloat(Shape shape) { return TempOf(GraphTensor(), shape); }

int Scope::Constant(GraphTensor like, Bytes bytes) {
  like.constant = std::make_shared<const Bytes>(std::move(bytes));
  like.variable = -1;
  if (like.name.empty()) like.name = name_ + "/" + std::to_string(state_.graph.tensors.size());
  state_.producer.push_back(-1);
  return state_.graph.AddTensor(std::move(like));
}

Status Scope::SetConstant(int out, SharedBytes bytes) {
  GraphTensor& t = tensor(out);
  if (bytes->size() != t.bytes()) {
    return Invalid("constant has " + std::to_string(bytes->size()) + " bytes, shape " +
                   t.shape.ToString() + " needs " + std::to_string(t.bytes()));
  }
  t.constant = std::move(bytes);
  return OkStatus();
}

Status Scope::EmitReshape(int in, int out) {
  if (tensor(in).shape.elements() != tensor(out).shape.elements()) {
    return Invalid("shape " + tensor(in).shape.ToString() + " cannot become " +
                   tensor(out).shape.ToString());
  }
  if (tensor(in).is_const()) return SetConstant(out, tensor(in).constant);
  return Emit(OpType::kReshape, fbs::ReshapeOptionsT(), {in}, {out});
}

Result<int> Scope::Reshaped(int in, Shape shape) {
  if (tensor(in).shape == shape) return in;
  WHIT_ASSIGN_OR_RETURN(const int out, Temp(in, shape));
  WHIT_RETURN_IF_ERROR(EmitReshape(in, out));
  return out;
}

Result<int> Scope::Requantized(int in, const GraphTensor& like) {
  if (tensor(in).type == like.type && tensor(in).SameQuant(like)) return in;
  WHIT_ASSIGN_OR_RETURN(const int out, TempOf(like, tensor(in).shape));
  WHIT_RETURN_IF_ERROR(Emit(OpType::kQuantize, fbs::QuantizeOptionsT(), {in}, {out}));
  return out;
}

Status Scope::EmitNode(GraphNode node) {
  node.name = name_;
  node.source = source_;
  std::string why_not;
  WHIT_ASSIGN_OR_RETURN(const bool folded, TryFold(state_, node, &why_not));
  if (folded) return OkStatus();
  for (int o : node.outputs) {
    if (o >= 0)
      state_.producer[static_cast<size_t>(o)] = static_cast<int>(state_.graph.nodes.size());
  }
  state_.graph.nodes.push_back(std::move(node));
  return OkStatus();
}

Result<std::vector<int64_t>> Scope::IntsOf(const GraphTensor& t, const char* what) const {
  if (!t.is_const()) return Unsupported(std::string(what) + " is computed at run time");
  if (t.shape.elements() > kMaxInts) {
    return Invalid(std::string(what) + " has " + std::to_string(t.shape.elements()) +
                   " numbers, at most " + std::to_string(kMaxInts) + " are taken");
  }
  std::vector<int64_t> values;
  if (t.type == DType::kInt32) {
    for (int32_t v : t.values<int32_t>()) values.push_back(v);
  } else if (t.type == DType::kInt64) {
    for (int64_t v : t.values<int64_t>()) values.push_back(v);
  } else {
    return Unsupported(std::string(what) + " is " + DTypeName(t.type) + ", must be int32 or int64");
  }
  return values;
}

Result<float> Scope::FloatOf(const GraphTensor& t, const char* what) const {
  if (!t.is_const()) return Unsupported(std::string(what) + " is computed at run time");
  if (t.type != DType::kFloat32 || t.shape.elements() != 1) {
    return Invalid(std::string(what) + " must be one float32, is " + DTypeName(t.type) +
                   t.shape.ToString());
  }
  return t.values<float>()[0];
}

Result<Shape> BroadcastShape(const Scope& l, const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  Shape out = Shape::OfRank(rank);
  for (int i = 0; i < rank; ++i) {
    const int ia = i - (rank - a.rank()), ib = i - (rank - b.rank());
    const int64_t da = ia < 0 ? 1 : a[ia], db = ib < 0 ? 1 : b[ib];
    if (da != db && da != 1 && db != 1) {
      return l.Invalid("shapes " + a.ToString() + " and " + b.ToString() + " do not broadcast");
    }
    out[i] = da == 1 ? db : da;
  }
  return out;
}

Result<Shape> ProductShape(const Scope& l, const Shape& x, const Shape& y, bool adj_x, bool adj_y) {
  const int rx = x.rank(), ry = y.rank();
  if (rx < 2 || ry < 2)
    return l.Invalid("operands need 2 axes or more, have " + x.ToString() + " and " + y.ToString());
  const int64_t m = adj_x ? x[rx - 1] : x[rx - 2], kx = adj_x ? x[rx - 2] : x[rx - 1];
  const int64_t n = adj_y ? y[ry - 2] : y[ry - 1], ky = adj_y ? y[ry - 1] : y[ry - 2];
  if (kx != ky)
    return l.Invalid("inner dimensions " + std::to_string(kx) + " and " + std::to_string(ky) +
                     " differ");
  Shape bx = Shape::OfRank(rx - 2), by = Shape::OfRank(ry - 2);
  for (int i = 0; i < rx - 2; ++i) bx[i] = x[i];
  for (int i = 0; i < ry - 2; ++i) by[i] = y[i];
  WHIT_ASSIGN_OR_RETURN(const Shape batch, BroadcastShape(l, bx, by));
  Shape out = Shape::OfRank(batch.rank() + 2);
  for (int i = 0; i < batch.rank(); ++i) out[i] = batch[i];
  out[batch.rank()] = m;
  out[batch.rank() + 1] = n;
  return out;
}

Status ResolveShape(const Scope& l, int64_t elements, std::vector<int64_t>* dims) {
  int64_t known = 1;
  int wildcard = -1;
  for (size_t i = 0; i < dims->size(); ++i) {
    const int64_t d = (*dims)[i];
    if (d == -1 && wildcard < 0) {
      wildcard = static_cast<int>(i);
      continue;
    }
    if (d < 0 || d > (int64_t{1} << 31) || known * d > (int64_t{1} << 31)) {
      return l.Invalid("new shape: dimension " + std::to_string(i) + " is " + std::to_string(d));
    }
    known *= d;
  }
  if (wildcard >= 0) (*dims)[static_cast<size_t>(wildcard)] = known == 0 ? 0 : elements / known;
  return OkStatus();
}

}  // namespace whit::tools
