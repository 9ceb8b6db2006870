// The executed subgraph of a validated file as plain structs: what the planner works on. Names,
// shapes and quantization are owned; constants and weights point into the mapping.
#ifndef WHIT_RUNTIME_GRAPH_H_
#define WHIT_RUNTIME_GRAPH_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/op.h"
#include "platform/status.h"
#include "schema/reader.h"

namespace whit {

struct TensorDef {
  std::string name;
  DType type = DType::kFloat32;  // canonical: int8 for every quantized 8-bit activation
  Shape shape;
  std::vector<float> scale;
  std::vector<int32_t> zero_point;  // canonical
  int axis = -1;
  const void* constant = nullptr;  // in the mapping
  int variable = -1;
  int producer = -1;  // node, or -1

  size_t bytes() const { return static_cast<size_t>(shape.elements()) * DTypeSize(type); }
  /// Stored with the plan's bias: quantized int8 activations.
  bool biased() const { return type == DType::kInt8 && !scale.empty(); }
};

struct NodeDef {
  const fbs::Operator* op = nullptr;
  OpType type = OpType::kNone;
  std::string name;
  std::vector<int> in;  // -1: absent
  std::vector<int> out;
};

struct IoDef {
  std::string name;
  int tensor = -1;
  DType type = DType::kFloat32;  // what the caller sees
};

struct Graph {
  std::vector<TensorDef> tensors;
  std::vector<NodeDef> nodes;  // topological order
  std::vector<IoDef> inputs, outputs;
  std::vector<TensorDef> variables;  // constant = initial value or null
  std::vector<PackedWeights> weights;
  std::vector<std::vector<BlobView>> weight_blobs;  // of each: what it consists of
  std::vector<BlobView> blobs;
};

/// Values for named dimensions; names that the model lacks are an error.
using DimValues = std::vector<std::pair<std::string, uint32_t>>;

/// Reads signature 0 of `file`. With `dims`, tensors take those values instead of the file's
/// defaults.
Result<Graph> BuildGraph(const ModelFile& file, const DimValues& dims);

/// The constant bytes, shape, type and canonical quantization of a tensor as a view (data null
/// unless constant).
View ViewOf(const TensorDef& def);

}  // namespace whit

#endif  // WHIT_RUNTIME_GRAPH_H_
