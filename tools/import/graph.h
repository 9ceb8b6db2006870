// The importer's own graph: what lies between a foreign model and a .whit file. Plain data with
// owned constants; the lowering functions append to it, emit.cc writes it.
#ifndef WHIT_TOOLS_IMPORT_GRAPH_H_
#define WHIT_TOOLS_IMPORT_GRAPH_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/op.h"
#include "kernels/tensor.h"
#include "schema/model_generated.h"

namespace whit::tools {

using Bytes = std::vector<std::byte>;
constexpr float kInf = std::numeric_limits<float>::infinity();
using SharedBytes = std::shared_ptr<const Bytes>;

struct GraphTensor {
  std::string name;
  DType type = DType::kFloat32;
  Shape shape;
  std::vector<float> scale;  // empty: not quantized; else 1 or one an index of `axis`
  std::vector<int32_t> zero_point;
  int axis = -1;
  bool shifted = false;  // the source says quantized uint8; here it is int8 with 128 subtracted
  SharedBytes constant;  // null: computed
  int variable = -1;     // index into Graph::variables
  bool shape_unknown = false;  // the file states none that can be: whoever computes it knows

  bool is_const() const { return constant != nullptr; }
  bool quantized() const { return !scale.empty(); }
  bool per_tensor() const { return scale.size() == 1; }
  bool is_float() const { return type == DType::kFloat32; }
  /// An 8-bit activation in the canonical form: int8 with one scale and zero point.
  bool q8() const { return type == DType::kInt8 && per_tensor(); }
  bool q16() const { return type == DType::kInt16 && per_tensor(); }
  float s() const { return scale.at(0); }
  int32_t z() const { return zero_point.at(0); }
  size_t bytes() const { return static_cast<size_t>(shape.elements()) * DTypeSize(type); }
  template <typename T>
  std::span<const T> values() const {  // REQUIRES is_const()
    return {reinterpret_cast<const T*>(constant->data()), constant->size() / sizeof(T)};
  }
  void CopyQuantFrom(const GraphTensor& other) {
    scale = other.scale, zero_point = other.zero_point, axis = other.axis, shifted = other.shifted;
  }
  bool SameQuant(const GraphTensor& other) const {
    return scale == other.scale && zero_point == other.zero_point;
  }
};

/// What a product node multiplies by, while its weights are not packed: tensors of the graph by
/// index, so that what follows the product can still be folded into them (product.h).
struct PendingProduct {
  std::string label;  // of the node, for messages
  int x = -1;         // has the quantization of the node's input
  int weights = -1;   // constant; values in order [n][runs][run_length], or [taps][n] for depthwise
  int bias = -1;      // constant or -1
  bool depthwise = false;
  int64_t n = 0, groups = 1, runs = 1, run_length = 0;
  std::vector<int64_t> shape;  // logical, for Weights.shape
  bool fold = true;  // the input's zero point into the bias; false for transposed convolution
};

struct GraphNode {
  OpType type = OpType::kNone;
  std::string name;
  fbs::OptionsUnion options;
  std::vector<int> inputs;  // tensor indices; -1: absent
  std::vector<int> outputs;
  uint32_t source = 0;                      // number of the source operator
  std::shared_ptr<PendingProduct> product;  // null: packed, or not a product
};

struct GraphIo {
  std::string name;
  int tensor = -1;
  fbs::NormalizationT normalization;  // empty mean: not stated
  int labels = -1;
};

struct Graph {
  std::vector<GraphTensor> tensors;
  std::vector<GraphNode> nodes;  // in order of execution
  std::vector<fbs::WeightsT> weights;
  std::vector<SharedBytes> blobs;
  std::vector<fbs::VariableT> variables;
  std::vector<fbs::LabelsT> labels;
  std::vector<GraphIo> inputs, outputs;
  std::string signature, name, version, author, licence, description;
  std::vector<std::pair<std::string, std::string>> provenance;

  int AddTensor(GraphTensor tensor) {
    tensors.push_back(std::move(tensor));
    return static_cast<int>(tensors.size()) - 1;
  }
  int AddBlob(SharedBytes bytes) {
    blobs.push_back(std::move(bytes));
    return static_cast<int>(blobs.size()) - 1;
  }
  template <typename T>
  int AddArray(std::span<const T> values) {
    auto bytes = std::make_shared<Bytes>(values.size_bytes());
    if (!values.empty()) std::memcpy(bytes->data(), values.data(), bytes->size());
    return AddBlob(std::move(bytes));
  }
};

/// The options union of an operator: fbs::Options has the numbers of OpType. `T` must be the table
/// of model.fbs for it.
template <typename T>
fbs::OptionsUnion MakeOptions(OpType type, T options) {
  fbs::OptionsUnion u;
  u.type = static_cast<fbs::Options>(type);
  u.value = new T(std::move(options));  // OptionsUnion deletes it, by its type
  return u;
}

/// The options of a node as the object of its table. REQUIRES that T is that table.
template <typename T>
T* NodeOptions(GraphNode& node) {
  return static_cast<T*>(node.options.value);
}

/// Calls fn(int32_t&) for every index of a blob or of a weights record that a node's options hold.
template <typename BlobFn, typename WeightsFn>
void VisitReferences(GraphNode& node, BlobFn blob, WeightsFn weights) {
  switch (node.type) {
    case OpType::kConv2D:
    case OpType::kDepthwiseConv2D:
    case OpType::kTransposeConv2D: {
      auto* o = NodeOptions<fbs::ConvOptionsT>(node);
      weights(o->weights), blob(o->bias), blob(o->multiplier);
      break;
    }
    case OpType::kFullyConnected: {
      auto* o = NodeOptions<fbs::FullyConnectedOptionsT>(node);
      weights(o->weights), blob(o->bias), blob(o->multiplier);
      break;
    }
    case OpType::kTable:
    case OpType::kTable16:
      blob(NodeOptions<fbs::TableOptionsT>(node)->table);
      break;
    case OpType::kSoftmax:
    case OpType::kLogSoftmax:
      blob(NodeOptions<fbs::SoftmaxOptionsT>(node)->table);
      break;
    case OpType::kSvdf: {
      auto* o = NodeOptions<fbs::SvdfOptionsT>(node);
      weights(o->feature_weights), blob(o->feature_bias), blob(o->time_weights), blob(o->bias);
      break;
    }
    case OpType::kLstm: {
      auto* o = NodeOptions<fbs::LstmOptionsT>(node);
      for (auto& gate : o->gates) {
        weights(gate->input_weights), weights(gate->recurrent_weights);
        for (int32_t* i : {&gate->input_bias, &gate->recurrent_bias, &gate->peephole, &gate->norm,
                           &gate->norm_bias}) {
          blob(*i);
        }
      }
      weights(o->projection_weights), blob(o->projection_bias), blob(o->tables);
      break;
    }
    default:
      break;
  }
}

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_GRAPH_H_
