// What an ONNX import knows of the whole graph: values by name, initializers, who reads what.
#ifndef WHIT_TOOLS_IMPORT_ONNX_CONTEXT_H_
#define WHIT_TOOLS_IMPORT_ONNX_CONTEXT_H_

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tools/import/onnx/op.h"
#include "tools/import/refusals.h"

namespace whit::tools::onnx {

class Context {
 public:
  Context(const ModelProto& model, GraphBuilder& builder, const ImportOptions& options)
      : model_(model), g_(builder), folder_(options.folder), weights_(options.weights) {}

  /// Makes the initializers and readers of the main graph known, so that inputs can be bound.
  void Begin(const GraphProto& graph) { Register(graph); }
  /// Lowers the nodes of a graph of which results are wanted. `wanted`: names read from outside.
  void LowerGraph(const GraphProto& graph, const std::vector<std::string_view>& wanted);
  /// A value by name: computed, or an initializer, which becomes a constant when it is first asked
  /// for. Null: nobody wrote it.
  Operand* Find(std::string_view name);
  void Bind(std::string_view name, Operand operand) { values_[name] = std::move(operand); }

  /// Operands of an op outside of the course of lowering: those that are there.
  void FillInitializers(Op& op);

  const TensorProto* Initializer(std::string_view name) const;
  /// The elements of a tensor as a constant of whit's types.
  Value ConstantOf(const TensorProto& tensor, const Quantization& quantization = {});
  /// The one node that reads the value, or null where there are more, or the graph's outputs do.
  const NodeProto* OnlyReader(std::string_view name) const;
  /// The nodes that read it.
  std::span<const NodeProto* const> Readers(std::string_view name) const;
  /// The node has been lowered as part of another.
  void MarkDone(const NodeProto& node) { done_.insert(&node); }

  GraphBuilder& builder() { return g_; }
  const ModelProto& model() const { return model_; }
  Refusals& refusals() { return refusals_; }
  uint64_t nodes() const { return nodes_; }

 private:
  void LowerNode(const NodeProto& node);
  void Register(const GraphProto& graph);

  const ModelProto& model_;
  GraphBuilder& g_;
  std::string folder_;
  NamedWeights* weights_;  // which take the place of initializers, or null
  std::map<std::string_view, Operand> values_;
  std::map<std::string_view, const TensorProto*> initializers_;
  std::map<std::string_view, std::vector<const NodeProto*>> readers_;
  std::set<std::string_view> outputs_;
  std::set<const NodeProto*> done_;
  Refusals refusals_;
  uint64_t nodes_ = 0;
};

}  // namespace whit::tools::onnx

#endif  // WHIT_TOOLS_IMPORT_ONNX_CONTEXT_H_
