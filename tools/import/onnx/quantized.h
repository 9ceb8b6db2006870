// Operators between DequantizeLinear and QuantizeLinear, as integer kernels.
#ifndef WHIT_TOOLS_IMPORT_ONNX_QUANTIZED_H_
#define WHIT_TOOLS_IMPORT_ONNX_QUANTIZED_H_

#include "tools/import/onnx/op.h"

namespace whit::tools::onnx {

/// Exporters write an integer operator as DequantizeLinear -> operator -> (Relu or Clip ->)
/// QuantizeLinear. Where nobody else reads what lies between and whit has the operator for codes,
/// makes it, binds QuantizeLinear's result and is done with all of them: true. False: nothing done,
/// the operator is lowered as one of floats.
bool LowerQuantized(Op& op, const Row& row);

/// The product of codes x (operand 0 of `op`, channels last) and constant codes w[O,I,k..] as a
/// convolution with the attributes of `op`. Bias: real numbers, int32 codes, or absent.
Value ConvOfCodes(Op& op, Value x, Value w, Value bias, const QuantizedType& out,
                  const Bounds& bounds);

/// x[..,K] * w of codes, w constant ([K,n], or [n,K] with `transposed`). Bias as above.
Value LinearOfCodes(Op& op, Value x, Value w, bool transposed, Value bias, const QuantizedType& out,
                    const Bounds& bounds);

}  // namespace whit::tools::onnx

#endif  // WHIT_TOOLS_IMPORT_ONNX_QUANTIZED_H_
