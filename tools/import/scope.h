// What lowering one operator of any source format needs of the graph: shapes, new tensors, nodes
// that fold where they can, and messages that name the operator.
#ifndef WHIT_TOOLS_IMPORT_SCOPE_H_
#define WHIT_TOOLS_IMPORT_SCOPE_H_

#include <string>
#include <utility>
#include <vector>

#include "tools/import/clamp.h"
#include "tools/import/shown.h"
#include "tools/import/state.h"

namespace whit::tools {

/// One source operator being lowered. Errors begin with its label.
class Scope {
 public:
  /// `label` names the operator in messages, `name` its nodes and temporary tensors, `source` is
  /// its number in the source graph. `state` must outlive the scope.
  Scope(ImportState& state, std::string label, std::string name, uint32_t source)
      : state_(state), label_(std::move(label)), name_(std::move(name)), source_(source) {}

  Graph& graph() { return state_.graph; }
  ImportState& state() { return state_; }
  const std::string& name() const { return name_; }
  const std::string& label() const { return label_; }
  GraphTensor& tensor(int i) { return state_.graph.tensors[static_cast<size_t>(i)]; }

  // ---- operands ----
  /// A constant int32 or int64 tensor, flattened: a shape, axes, sizes, so not a long one.
  /// kUnsupported where it is computed at run time. `what` names it in messages.
  Result<std::vector<int64_t>> IntsOf(const GraphTensor& t, const char* what) const;
  /// A constant of one float32 element.
  Result<float> FloatOf(const GraphTensor& t, const char* what) const;
  /// Axis counted from the front, in [0, rank).
  Result<int> Axis(int64_t axis, int rank) const;

  // ---- results ----
  /// Declares the shape of a tensor (checked: rank, no dimension below 0, product) in place of what
  /// it was.
  Status SetShape(int tensor, const Shape& shape);
  Status SetShape(int tensor, const std::vector<int64_t>& dims);
  /// A new tensor of the type and quantization of `like`.
  Result<int> Temp(int like, Shape shape);
  /// The same as temporary tensor, float32.
  Result<int> TempFloat(Shape shape);
  Result<int> TempOf(GraphTensor like, Shape shape);
  int Constant(GraphTensor like, Bytes bytes);

  /// Appends a node, or computes it at once where all inputs are constants.
  template <typename T>
  Status Emit(OpType type, T options, std::vector<int> inputs, std::vector<int> outputs) {
    GraphNode node;
    node.type = type;
    node.options = MakeOptions(type, std::move(options));
    node.inputs = std::move(inputs);
    node.outputs = std::move(outputs);
    return EmitNode(std::move(node));
  }
  /// The same of a node that has all but its name.
  Status EmitNode(GraphNode node);
  /// Makes output tensor `out` the constant `bytes` (its shape is set already).
  Status SetConstant(int out, SharedBytes bytes);
  /// out = in under out's shape: same elements, same order.
  Status EmitReshape(int in, int out);
  /// The tensor in another quantization (8 or 16 bit) or shape; itself where nothing changes.
  Result<int> Requantized(int in, const GraphTensor& like);
  Result<int> Reshaped(int in, Shape shape);

  // ---- errors ----
  Status Unsupported(const std::string& what) const;
  Status Invalid(const std::string& what) const;
  /// The tensor's name in quotes, fit for a message.
  static std::string Label(const GraphTensor& t);
  void Warn(const std::string& what);
  void Note(const std::string& what);

 private:
  ImportState& state_;
  std::string label_, name_;
  uint32_t source_;
};

/// Shape two operands broadcast to, NumPy's rule. kInvalidModel where they do not.
Result<Shape> BroadcastShape(const Scope& l, const Shape& a, const Shape& b);

/// The shape of the matrix product x * y, batch axes broadcast; adj_*: the last two axes exchanged.
Result<Shape> ProductShape(const Scope& l, const Shape& x, const Shape& y, bool adj_x, bool adj_y);

/// Replaces the one -1 of a shape by what the number of elements leaves.
Status ResolveShape(const Scope& l, int64_t elements, std::vector<int64_t>* dims);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_SCOPE_H_
