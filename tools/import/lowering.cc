#include "tools/import/lowering.h"

#include <algorithm>
#include <cmath>

#include "tools/import/host_run.h"
#include "tools/import/source.h"

namespace whit::tools {

namespace {

std::string NodeLabel(uint32_t index, const std::string& kind, const std::string& name) {
  return "operator " + std::to_string(index) + " (" + kind +
         (name.empty() ? "" : " '" + Shown(name) + "'") + ")";
}

std::vector<int> ToInts(const flatbuffers::Vector<int32_t>* v) {
  return v == nullptr ? std::vector<int>() : std::vector<int>(v->begin(), v->end());
}

// The longest list of integers that an operator takes: sizes of SPLIT_V. Shapes and axes have 8.
constexpr int64_t kMaxInts = 1024;

}  // namespace

Lowering::Lowering(ImportState& state, const tflite::Operator& op, uint32_t index,
                   BuiltinOperator code)
    : state_(state),
      op_(op),
      index_(index),
      code_(code),
      in_(ToInts(op.inputs())),
      out_(ToInts(op.outputs())) {
  if (!out_.empty()) name_ = output(0).name;
}

Status Lowering::Unsupported(const std::string& what) const {
  return Status(StatusCode::kUnsupported,
                NodeLabel(index_, Shown(OperatorName(state_, op_)), name_) + ": " + what);
}

Status Lowering::Invalid(const std::string& what) const {
  return Status(StatusCode::kInvalidModel,
                NodeLabel(index_, Shown(OperatorName(state_, op_)), name_) + ": " + what);
}

std::string Lowering::Label(const GraphTensor& t) { return "'" + Shown(t.name) + "'"; }

void Lowering::Warn(const std::string& what) {
  state_.report.warnings.push_back(NodeLabel(index_, Shown(OperatorName(state_, op_)), name_) +
                                   ": " + what);
}

void Lowering::Note(const std::string& what) {
  state_.report.notes.push_back(NodeLabel(index_, Shown(OperatorName(state_, op_)), name_) + ": " +
                                what);
}

Status Lowering::Expect(size_t least, size_t most, size_t outs) {
  if (in_.size() < least || in_.size() > most) {
    return Invalid(std::to_string(least) + " to " + std::to_string(most) +
                   " inputs expected, has " + std::to_string(in_.size()));
  }
  for (size_t i = 0; i < least; ++i) {
    if (!has(i)) return Invalid("input " + std::to_string(i) + " is absent");
  }
  if (out_.size() != outs) {
    return Invalid(std::to_string(outs) + " outputs expected, has " + std::to_string(out_.size()));
  }
  return OkStatus();
}

Result<std::vector<int64_t>> Lowering::Ints(size_t i, const char* what) {
  if (!has(i)) return Invalid(std::string(what) + " is absent");
  const GraphTensor& t = input(i);
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

Result<int64_t> Lowering::Int(size_t i, const char* what) {
  WHIT_ASSIGN_OR_RETURN(std::vector<int64_t> values, Ints(i, what));
  if (values.size() != 1) {
    return Invalid(std::string(what) + " must be one number, has " + std::to_string(values.size()));
  }
  return values[0];
}

Result<float> Lowering::Float(size_t i, const char* what) {
  if (!has(i)) return Invalid(std::string(what) + " is absent");
  const GraphTensor& t = input(i);
  if (!t.is_const()) return Unsupported(std::string(what) + " is computed at run time");
  if (t.type != DType::kFloat32 || t.shape.elements() != 1) {
    return Invalid(std::string(what) + " must be one float32, is " + DTypeName(t.type) +
                   t.shape.ToString());
  }
  return t.values<float>()[0];
}

Result<int> Lowering::Axis(int64_t axis, int rank) {
  const int64_t positive = axis < 0 ? axis + rank : axis;
  if (positive < 0 || positive >= rank) {
    return Invalid("axis " + std::to_string(axis) + " is outside of rank " + std::to_string(rank));
  }
  return static_cast<int>(positive);
}

Status Lowering::SetShape(int index, const Shape& shape) {
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

Status Lowering::SetShape(int index, const std::vector<int64_t>& dims) {
  if (dims.size() > static_cast<size_t>(kMaxRank)) {
    return Unsupported("rank " + std::to_string(dims.size()) + " is above " +
                       std::to_string(kMaxRank));
  }
  Shape shape = Shape::OfRank(static_cast<int>(dims.size()));
  for (size_t i = 0; i < dims.size(); ++i) shape[static_cast<int>(i)] = dims[i];
  return SetShape(index, shape);
}

Status Lowering::PassThrough(size_t from, size_t i) {
  const GraphTensor& source = input(from);
  GraphTensor& target = output(i);
  if (source.type != target.type && !(source.shifted || target.shifted)) {
    return Invalid(std::string("input is ") + DTypeName(source.type) + ", output " +
                   DTypeName(target.type) + "; they must be equal");
  }
  // The bytes pass through, so only the input's quantization can be true of them, unless both state
  // one.
  if (source.type != target.type || !source.quantized() || !target.quantized() ||
      source.axis != target.axis || source.scale.size() != target.scale.size()) {
    target.type = source.type;
    target.CopyQuantFrom(source);
  }
  return OkStatus();
}

Result<int> Lowering::TempOf(GraphTensor like, Shape shape) {
  like.constant = nullptr;
  like.variable = -1;
  like.name = name_ + "/" + std::to_string(state_.graph.tensors.size());
  const int index = state_.graph.AddTensor(std::move(like));
  state_.producer.push_back(-1);
  state_.handle_of.push_back(-1);
  WHIT_RETURN_IF_ERROR(SetShape(index, shape));
  return index;
}

Result<int> Lowering::Temp(int like, Shape shape) { return TempOf(tensor(like), shape); }

Result<int> Lowering::TempFloat(Shape shape) { return TempOf(GraphTensor(), shape); }

int Lowering::Constant(GraphTensor like, Bytes bytes) {
  like.constant = std::make_shared<const Bytes>(std::move(bytes));
  like.variable = -1;
  if (like.name.empty()) like.name = name_ + "/" + std::to_string(state_.graph.tensors.size());
  state_.producer.push_back(-1);
  state_.handle_of.push_back(-1);
  return state_.graph.AddTensor(std::move(like));
}

Status Lowering::SetConstant(int out, SharedBytes bytes) {
  GraphTensor& t = tensor(out);
  if (bytes->size() != t.bytes()) {
    return Invalid("constant has " + std::to_string(bytes->size()) + " bytes, shape " +
                   t.shape.ToString() + " needs " + std::to_string(t.bytes()));
  }
  t.constant = std::move(bytes);
  return OkStatus();
}

Status Lowering::EmitReshape(int in, int out) {
  if (tensor(in).shape.elements() != tensor(out).shape.elements()) {
    return Invalid("shape " + tensor(in).shape.ToString() + " cannot become " +
                   tensor(out).shape.ToString());
  }
  if (tensor(in).is_const()) return SetConstant(out, tensor(in).constant);
  return Emit(OpType::kReshape, fbs::ReshapeOptionsT(), {in}, {out});
}

Result<int> Lowering::Reshaped(int in, Shape shape) {
  if (tensor(in).shape == shape) return in;
  WHIT_ASSIGN_OR_RETURN(const int out, Temp(in, shape));
  WHIT_RETURN_IF_ERROR(EmitReshape(in, out));
  return out;
}

Result<int> Lowering::Requantized(int in, const GraphTensor& like) {
  if (tensor(in).type == like.type && tensor(in).SameQuant(like)) return in;
  WHIT_ASSIGN_OR_RETURN(const int out, TempOf(like, tensor(in).shape));
  WHIT_RETURN_IF_ERROR(Emit(OpType::kQuantize, fbs::QuantizeOptionsT(), {in}, {out}));
  return out;
}

Status Lowering::EmitNode(GraphNode node) {
  node.name = name_;
  node.source = index_;
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

Clamp Lowering::StoredClamp(const GraphTensor& t, float lo, float hi) {
  if (!t.per_tensor()) return {lo, hi};
  // Bounds become stored values by the rule of the source format: nearest, ties away from zero.
  const auto stored = [&](float real) {
    return std::isinf(real) ? real : static_cast<float>(t.z()) + std::round(real / t.s());
  };
  const bool narrow = t.type == DType::kInt8;
  const float type_lo = narrow ? -128.0f : -32768.0f, type_hi = narrow ? 127.0f : 32767.0f;
  if (t.type != DType::kInt8 && t.type != DType::kInt16) return {lo, hi};
  Clamp c{stored(lo), stored(hi)};
  if (!std::isinf(c.lo)) c.lo = std::clamp(c.lo, type_lo, type_hi);
  if (!std::isinf(c.hi)) c.hi = std::clamp(c.hi, type_lo, type_hi);
  return c;
}

Result<Clamp> Lowering::Activation(tflite::ActivationFunctionType activation,
                                   const GraphTensor& out) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  using A = tflite::ActivationFunctionType;
  switch (activation) {
    case A::NONE:
      return Clamp{};
    case A::RELU:
      return StoredClamp(out, 0, kInf);
    case A::RELU_N1_TO_1:
      return StoredClamp(out, -1, 1);
    case A::RELU6:
      return StoredClamp(out, 0, 6);
    default:
      return Unsupported(std::string("fused activation ") +
                         tflite::EnumNameActivationFunctionType(activation));
  }
}

std::string OperatorName(const ImportState& state, const tflite::Operator& op) {
  const tflite::OperatorCode* code = state.model->operator_codes()->Get(op.opcode_index());
  const int builtin =
      std::max<int>(code->deprecated_builtin_code(), static_cast<int>(code->builtin_code()));
  if (builtin == static_cast<int>(BuiltinOperator::CUSTOM)) {
    return "CUSTOM " + (code->custom_code() != nullptr ? code->custom_code()->str() : "");
  }
  const char* name = tflite::EnumNameBuiltinOperator(static_cast<BuiltinOperator>(builtin));
  return name != nullptr && *name != 0 ? name : "operator code " + std::to_string(builtin);
}

Result<Shape> BroadcastShape(const Lowering& l, const Shape& a, const Shape& b) {
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

Status (*FindLowering(BuiltinOperator code, const std::string& custom_name))(Lowering&) {
  if (code == BuiltinOperator::CUSTOM && custom_name != kDetectionPostProcess) return nullptr;
  for (auto rows : {ConvRows(), MatmulRows(), BinaryRows(), UnaryRows(), QuantizeRows(),
                    ReduceRows(), LayoutRows(), BlockRows(), SliceRows(), ShapeRows(),
                    VariableRows(), RecurrentRows(), DetectionRows()}) {
    for (const LowerRow& row : rows) {
      if (row.code == code) return row.lower;
    }
  }
  return nullptr;
}

}  // namespace whit::tools
