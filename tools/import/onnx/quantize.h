// Scales and zero points that ONNX has as operands, as those of whit's tensors.
#ifndef WHIT_TOOLS_IMPORT_ONNX_QUANTIZE_H_
#define WHIT_TOOLS_IMPORT_ONNX_QUANTIZE_H_

#include "tools/import/onnx/op.h"

namespace whit::tools::onnx {

/// Operands `scale` and `zero_point` (which may be absent) as a quantization. Nothing where they
/// are no constants, or no scales.
std::optional<Quantization> QuantizationOf(Op& op, size_t scale, size_t zero_point);

/// The same as type of a result: one scale, and the zero point's own type.
std::optional<QuantizedType> ResultType(Op& op, size_t scale, size_t zero_point);

/// The type that a QuantizeLinear makes, where scale and zero point are one constant each; nothing
/// else.
std::optional<QuantizedType> QuantizeType(Op& op);

/// Whether input i of a node holds codes whose scale and zero point are other inputs of it.
bool CodesOperand(const NodeProto& node, size_t i, size_t* scale, size_t* zero_point);

}  // namespace whit::tools::onnx

#endif  // WHIT_TOOLS_IMPORT_ONNX_QUANTIZE_H_
