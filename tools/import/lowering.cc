#include "tools/import/lowering.h"

#include <algorithm>

#include "tools/import/source.h"

namespace whit::tools {

namespace {

std::vector<int> ToInts(const flatbuffers::Vector<int32_t>* v) {
  return v == nullptr ? std::vector<int>() : std::vector<int>(v->begin(), v->end());
}

// Operators of TFLite have no name of their own.
std::string NameOfOutput(const TfliteState& state, const tflite::Operator& op) {
  if (op.outputs() == nullptr || op.outputs()->size() == 0) return "";
  return state.graph.tensors[static_cast<size_t>(op.outputs()->Get(0))].name;
}

std::string LabelOf(const TfliteState& state, const tflite::Operator& op, uint32_t index) {
  const std::string name = NameOfOutput(state, op);
  return "operator " + std::to_string(index) + " (" + Shown(OperatorName(state, op)) +
         (name.empty() ? "" : " '" + Shown(name) + "'") + ")";
}

}  // namespace

Lowering::Lowering(TfliteState& state, const tflite::Operator& op, uint32_t index,
                   BuiltinOperator code)
    : Scope(state, LabelOf(state, op, index), NameOfOutput(state, op), index),
      tflite_(state),
      op_(op),
      code_(code),
      in_(ToInts(op.inputs())),
      out_(ToInts(op.outputs())) {}

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
  return IntsOf(input(i), what);
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
  return FloatOf(input(i), what);
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

Result<Clamp> Lowering::Activation(tflite::ActivationFunctionType activation,
                                   const GraphTensor& out) {
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

BuiltinOperator CodeOf(const tflite::OperatorCode& code) {
  return static_cast<BuiltinOperator>(
      std::max<int32_t>(code.deprecated_builtin_code(), static_cast<int32_t>(code.builtin_code())));
}

std::string OperatorName(const TfliteState& state, const tflite::Operator& op) {
  const tflite::OperatorCode* code = state.model->operator_codes()->Get(op.opcode_index());
  const BuiltinOperator builtin = CodeOf(*code);
  if (builtin == BuiltinOperator::CUSTOM) {
    return "CUSTOM " + (code->custom_code() != nullptr ? code->custom_code()->str() : "");
  }
  const char* name = tflite::EnumNameBuiltinOperator(builtin);
  return name != nullptr && *name != 0
             ? name
             : "operator code " + std::to_string(static_cast<int>(builtin));
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
