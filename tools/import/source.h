// Reading the tensors of a verified .tflite: types, shapes, quantization and constant bytes, every
// number checked.
#ifndef WHIT_TOOLS_IMPORT_SOURCE_H_
#define WHIT_TOOLS_IMPORT_SOURCE_H_

#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "tools/import/lowering.h"

namespace whit::tools {

/// Element i of a vector of 64-bit numbers. FlatBuffers' verifier looks at the alignment of a
/// vector's length alone, which is 4.
inline int64_t LongAt(const flatbuffers::Vector<int64_t>& v, uint32_t i) {
  int64_t value;
  std::memcpy(&value, v.Data() + i * sizeof(value), sizeof(value));
  return flatbuffers::EndianScalar(value);
}

/// What an operator may not touch, by tensor: empty where the tensor is fine, else why it is not
/// supported.
using TensorFaults = std::vector<std::string>;

/// Sets the budgets from the size of state.file. A file whose tables share no vector needs no more
/// than its own bytes; some sharing is taken.
void SetTfliteBudgets(TfliteState& state);

/// Verifies state.file as a FlatBuffer of the TFLite schema with the rules its reader relies on
/// (indices of operators, tensors and codes in range, a main subgraph).
Result<const tflite::Model*> VerifyTflite(TfliteState& state);

/// Fills state.graph.tensors with one tensor for each of the main subgraph. Quantized uint8 becomes
/// int8, constants too.
Status LoadTensors(TfliteState& state, TensorFaults* faults);

/// One tensor of any subgraph, by itself. `fault`: why it is not supported, or empty.
Status LoadTensor(TfliteState& state, const tflite::Tensor& source, GraphTensor* tensor,
                  std::string* fault);

/// Every index that the subgraph's operators hold is in range.
Status CheckOperators(TfliteState& state, const tflite::Model& model,
                      const tflite::SubGraph& graph);

/// Bytes of buffer `index`: in the FlatBuffer or behind it. Empty: no data.
Result<std::span<const std::byte>> BufferBytes(const tflite::Model& model,
                                               std::span<const uint8_t> file, uint32_t index);

/// A name of the file, cut where it is longer than any converter writes.
std::string NameOf(const flatbuffers::String* name);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_SOURCE_H_
