// One node of an ONNX graph being lowered: its attributes, operands and results, and the builder
// that it is lowered with.
//
// ONNX graphs of images are NCHW, whit is NHWC. The change happens here once and not at run time:
// every value carries the order in which its axes lie (Operand::order), an operator asks for the
// order that it needs and says which order its result has. A transpose is made only where an
// operator asks for another order than the value has; ONNX's own Transpose makes none by itself.
#ifndef WHIT_TOOLS_IMPORT_ONNX_OP_H_
#define WHIT_TOOLS_IMPORT_ONNX_OP_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/import/graph_builder.h"
#include "tools/import/onnx/model_proto.h"

namespace whit::tools::onnx {

/// Axis k of a stored array is ONNX axis order[k]. Empty: as ONNX has them.
using Order = std::vector<int>;
using Ints = std::vector<int64_t>;

/// NHWC and its like of any rank: {0, 2, .., rank - 1, 1}; empty below rank 3.
Order ChannelsLast(int rank);
/// Position in the stored array of an ONNX axis.
int PositionOf(const Order& order, int axis);
/// Empty where the order changes nothing.
Order Canonical(Order order);
/// `order` of `rank` axes, spelled out where it is empty.
Order Full(const Order& order, int rank);

/// A value of the ONNX graph.
struct Operand {
  Value value;  // absent where only `codes` or `merged` is there yet
  Order order;
  /// The quantized value of which DequantizeLinear makes this one, in the same order.
  Value codes;
  /// This value is `*merged` in ONNX's order, reshaped to `merged_dims`. Kept apart because a
  /// matrix product can exchange its weights' rows in place of a transpose.
  std::shared_ptr<Operand> merged;
  Ints merged_dims;
  /// The same value in other orders, as operators have asked for it.
  std::vector<std::pair<Order, Value>> reordered;
  bool failed = false;
};

/// What an import has beside its builder.
class Context;

class Op {
 public:
  Op(Context& context, GraphBuilder& builder, const NodeProto& node, int64_t version);

  GraphBuilder& g;
  const NodeProto& node;
  const int64_t version;  // of the operator set that the node is of

  // ---- attributes ----
  const AttributeProto* Find(std::string_view name) const;
  bool Has(std::string_view name) const { return Find(name) != nullptr; }
  int64_t Int(std::string_view name, int64_t otherwise) const;
  float Float(std::string_view name, float otherwise) const;
  std::string Text(std::string_view name, std::string_view otherwise) const;
  Ints IntList(std::string_view name) const;
  std::vector<float> FloatList(std::string_view name) const;

  // ---- operands ----
  size_t inputs() const { return in_.size(); }
  size_t outputs() const { return node.outputs.size(); }
  bool has(size_t i) const { return i < in_.size() && in_[i] != nullptr; }
  bool wants(size_t i) const { return i < node.outputs.size() && !node.outputs[i].empty(); }
  /// REQUIRES has(i).
  Operand& in(size_t i) { return *in_[i]; }
  /// The value as it lies, its order beside it.
  Value Raw(size_t i, Order* order);
  /// In ONNX's order; absent where there is no such operand.
  Value Plain(size_t i);
  /// In the given order; REQUIRES one of the operand's rank.
  Value As(size_t i, const Order& order);
  /// Channels (axis 1) last.
  Value Channels(size_t i) { return As(i, ChannelsLast(Rank(i))); }
  DType Type(size_t i);
  /// In ONNX's order.
  Ints Dims(size_t i);
  int Rank(size_t i) { return static_cast<int>(Dims(i).size()); }
  /// The operand is a constant, and has few elements where they are asked for.
  bool Constant(size_t i);
  std::optional<Ints> ConstInts(size_t i);
  std::optional<std::vector<float>> ConstFloats(size_t i);
  /// An integer list that is attribute `name` in old operator sets and input `i` in new ones.
  /// Nothing where neither is there; a refusal where it is computed.
  std::optional<Ints> IntsOf(std::string_view name, size_t i);
  /// The same of one float.
  std::optional<float> FloatOf(std::string_view name, size_t i);
  /// The axis counted from the front; a refusal and 0 where it is out of range.
  int Axis(int64_t axis, int rank);
  /// Both operands (or more) in one order, shorter shapes with axes of 1 before them.
  std::vector<Value> Aligned(const std::vector<size_t>& operands, Order* order);
  /// The quantized value behind an operand, or an absent one.
  Value Codes(size_t i) const { return has(i) ? in_[i]->codes : Value(); }
  /// Operands that have codes become these codes, kept in *swapped, which must outlive the op's
  /// use.
  void TakeCodes(std::vector<Operand>* swapped);
  /// Shapes and such of a TensorProto as a constant; scale and zero point make it quantized.
  Value ConstantOf(const TensorProto& tensor, const Quantization& quantization = {});
  /// The initializer behind an operand, or null.
  const TensorProto* Initializer(size_t i) const;

  // ---- results ----
  void Set(size_t i, Value value, Order order = {});
  void SetOperand(size_t i, Operand operand);
  /// What was set, taken back; absent where nothing was.
  Value TakeResult(size_t i, Order* order);

  // ---- errors: the outputs fail ----
  void Unsupported(const std::string& what) { g.Unsupported(what); }
  void Invalid(const std::string& what) { g.Invalid(what); }

  Context& context() { return context_; }

 private:
  friend class Context;
  Context& context_;
  std::vector<Operand*> in_;
  std::vector<Operand> out_;
};

/// A value in another order; a reshape where only axes of 1 move.
Value Reorder(GraphBuilder& g, Value value, const Order& from, const Order& to);
/// A value in ONNX's order of that rank, with axes of 1 in front.
Value Raised(GraphBuilder& g, Value value, int rank);
/// Shape as a list, and back.
Ints DimsOf(GraphBuilder& g, Value value);
/// One number of the type.
Value Scalar(GraphBuilder& g, DType type, double number);
/// A constant int64 list.
Value IntsValue(GraphBuilder& g, const Ints& values);

/// Element type of whit for an ONNX type; false where there is none. Floats of any size become
/// float32; unsigned integers beyond uint8 a wider signed type.
bool WhitTypeOf(DataType type, DType* out);

/// One row of an operator table.
struct Row {
  std::string_view op;
  void (*lower)(Op& op);
  size_t needs = 1;              // inputs that must be present: the first ones
  int since = 1, until = 1000;   // versions of the operator set that the row is right for
  bool moves = false;            // takes quantized operands: it moves elements and reads none
  std::string_view domain = {};  // empty: ONNX's own
};

std::span<const Row> ConstantRows();
std::span<const Row> ConvRows();
std::span<const Row> ElementwiseRows();
std::span<const Row> GatherRows();
std::span<const Row> LayoutRows();
std::span<const Row> MatmulRows();
std::span<const Row> NormRows();
std::span<const Row> PoolRows();
std::span<const Row> QuantizeRows();
std::span<const Row> RecurrentRows();
std::span<const Row> ReduceRows();
std::span<const Row> ResizeRows();

/// The row for an operator, or null; `known`: there is one of another version.
const Row* FindRow(std::string_view domain, std::string_view op, int64_t version, bool* known);

}  // namespace whit::tools::onnx

#endif  // WHIT_TOOLS_IMPORT_ONNX_OP_H_
