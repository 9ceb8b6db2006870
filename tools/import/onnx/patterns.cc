#include "tools/import/onnx/patterns.h"

#include <cmath>
#include <utility>

#include "tools/import/onnx/context.h"

namespace whit::tools::onnx {

namespace {

bool Near(float value, float wanted) {
  return std::abs(value - wanted) <= 1e-4f * std::abs(wanted);
}

bool IsA(const NodeProto* node, std::string_view type) {
  return node != nullptr && node->domain.empty() && node->op_type == type &&
         node->outputs.size() == 1;
}

// The other operand of a node of two, one of which is `name`; empty where that is none of them.
std::string_view OtherOperand(const NodeProto& node, std::string_view name) {
  if (node.inputs.size() != 2) return {};
  if (node.inputs[0] == name) return node.inputs[1];
  return node.inputs[1] == name ? node.inputs[0] : std::string_view();
}

// The activation's operand, in its own order, or null.
Operand* FloatOperand(Context& context, std::string_view name) {
  Operand* x = name.empty() ? nullptr : context.Find(name);
  const bool good = x != nullptr && x->value.present() && !x->failed &&
                    !context.builder().failed(x->value) &&
                    context.builder().type(x->value) == DType::kFloat32;
  return good ? x : nullptr;
}

bool HardSwish(Op& op) {
  Context& context = op.context();
  if (!Near(op.Float("alpha", 0.2f), 1.0f / 6) || op.Float("beta", 0.5f) != 0.5f) return false;
  const std::string_view source = op.node.inputs[0];
  const NodeProto* times = context.OnlyReader(op.node.outputs[0]);
  if (!IsA(times, "Mul") || OtherOperand(*times, op.node.outputs[0]) != source) return false;
  const Operand* x = FloatOperand(context, source);
  if (x == nullptr) return false;
  Operand result;
  result.value = op.g.HardSwish(x->value), result.order = x->order;
  context.Bind(times->outputs[0], std::move(result));
  context.MarkDone(*times);
  return true;
}

}  // namespace

bool LowerPattern(Op& op) {
  return op.has(0) && op.outputs() == 1 && IsA(&op.node, "HardSigmoid") && HardSwish(op);
}

}  // namespace whit::tools::onnx
