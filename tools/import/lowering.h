// Lowering: translating one source operator into nodes of the graph. Each lower_*.cc serves one
// family with a table {source operator, function}; adding an operator is one function and one row.
#ifndef WHIT_TOOLS_IMPORT_LOWERING_H_
#define WHIT_TOOLS_IMPORT_LOWERING_H_

#include <limits>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "import/tflite_generated.h"
#include "tools/import/graph.h"
#include "tools/import/import.h"

namespace whit::tools {

using tflite::BuiltinOperator;

/// A bound on the work, or the memory, that one import may cost. Many tables of a FlatBuffer can
/// share one vector, and many operators one constant; so a small file could ask for hours.
class Budget {
 public:
  Budget(const char* what, uint64_t limit) : what_(what), limit_(limit), left_(limit) {}

  bool Has(uint64_t units) const { return units <= left_; }
  Status Charge(uint64_t units) {
    if (!Has(units)) {
      return Status(StatusCode::kOverBudget, std::string("the import takes more than ") +
                                                 std::to_string(limit_) + " " + what_);
    }
    left_ -= units;
    return OkStatus();
  }

 private:
  const char* what_;
  uint64_t limit_, left_;
};

/// How the bytes of a buffer become those of a tensor.
enum class ConstantForm : uint8_t { kPlain, kShifted, kInt4 };

/// What all operators of one import share. Source tensor i of the main subgraph is graph tensor i.
struct ImportState {
  Graph graph;
  ImportOptions options;
  ImportReport report;
  const tflite::Model* model = nullptr;
  const tflite::SubGraph* main = nullptr;
  std::span<const uint8_t> file;
  std::vector<int> readers;   // per source tensor: how many operators and model outputs read it
  std::vector<int> producer;  // per graph tensor: index of the node that writes it, or -1
  std::map<std::string, int> variable_handles;  // container and shared name -> Graph::variables
  std::vector<bool> variable_known;             // per variable: its type and shape are set
  std::vector<int> handle_of;  // per graph tensor: variable behind a resource handle, or -1
  std::map<std::pair<const void*, std::string>, int>
      packed;  // weights already packed, by constant and form
  /// Constants by buffer, form and number of elements, so that tensors which share a buffer share
  /// memory.
  std::map<std::tuple<uint32_t, ConstantForm, int64_t>, SharedBytes> constants;
  std::set<int> spread;  // outputs of convolutions that have their BATCH_TO_SPACE_ND in them
  std::set<int32_t> initialized;  // subgraphs that a CALL_ONCE has run
  uint64_t folded_bytes = 0;
  size_t label_files = 0;  // looked for in the archive behind the model

  // Limits that no honest model meets (source.h says what they are made from).
  Budget vectors{"elements of vectors and strings, counted where they are shared", 0};
  Budget work{"steps of constant arithmetic", 0};
  Budget memory{"bytes of constants, weights and scales", 0};
};

/// A clamp in stored units of an output.
struct Clamp {
  float lo = -std::numeric_limits<float>::infinity();
  float hi = std::numeric_limits<float>::infinity();
};

/// One source operator being lowered. Errors carry its number, kind and name.
class Lowering {
 public:
  Lowering(ImportState& state, const tflite::Operator& op, uint32_t index, BuiltinOperator code);

  Graph& graph() { return state_.graph; }
  ImportState& state() { return state_; }
  const tflite::Operator& op() const { return op_; }
  BuiltinOperator code() const { return code_; }
  const std::string& name() const { return name_; }

  // ---- operands ----
  size_t inputs() const { return in_.size(); }
  size_t outputs() const { return out_.size(); }
  bool has(size_t i) const { return i < in_.size() && in_[i] >= 0; }
  int in(size_t i) const { return in_[i]; }  // REQUIRES has(i) for use as an index
  int out(size_t i) const { return out_[i]; }
  GraphTensor& input(size_t i) { return state_.graph.tensors[static_cast<size_t>(in_[i])]; }
  GraphTensor& output(size_t i) { return state_.graph.tensors[static_cast<size_t>(out_[i])]; }
  GraphTensor& tensor(int i) { return state_.graph.tensors[static_cast<size_t>(i)]; }
  /// Between `least` and `most` inputs, the first `least` present; exactly `outs` outputs.
  Status Expect(size_t least, size_t most, size_t outs);
  /// Constant int32 or int64 input i, flattened: a shape, axes, sizes, so not a long one.
  /// kUnsupported where it is computed at run time.
  Result<std::vector<int64_t>> Ints(size_t i, const char* what);
  Result<int64_t> Int(size_t i, const char* what);  // one element
  Result<float> Float(size_t i, const char* what);
  /// Axis counted from the front, in [0, rank).
  Result<int> Axis(int64_t axis, int rank);

  /// The operator's options, defaults where the file has none:
  /// Options(&tflite::Operator::builtin_options_as_AddOptions).
  template <typename Table>
  typename Table::NativeTableType Options(const Table* (tflite::Operator::*getter)() const) const {
    typename Table::NativeTableType native;
    const Table* table = (op_.*getter)();
    if (table != nullptr) table->UnPackTo(&native);
    return native;
  }

  // ---- results ----
  /// Declares the shape of an output (checked: rank, no dimension below 0, product) in place of
  /// what the file says.
  Status SetShape(int tensor, const Shape& shape);
  Status SetShape(int tensor, const std::vector<int64_t>& dims);
  /// For operators that move elements: output i has the type and quantization of input `from`,
  /// whatever the file says.
  Status PassThrough(size_t from, size_t i = 0);
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
  /// Makes output tensor `out` the constant `bytes` (its shape is set already).
  Status SetConstant(int out, SharedBytes bytes);
  /// out = in under out's shape: same elements, same order.
  Status EmitReshape(int in, int out);
  /// The tensor in another quantization (8 or 16 bit) or shape; itself where nothing changes.
  Result<int> Requantized(int in, const GraphTensor& like);
  Result<int> Reshaped(int in, Shape shape);

  // ---- activations ----
  /// A fused activation as a clamp of `out`. kUnsupported for TANH and SIGN_BIT.
  Result<Clamp> Activation(tflite::ActivationFunctionType activation, const GraphTensor& out);
  /// The real interval [lo, hi] in stored units of `t`.
  static Clamp StoredClamp(const GraphTensor& t, float lo, float hi);

  // ---- errors ----
  Status Unsupported(const std::string& what) const;
  Status Invalid(const std::string& what) const;
  /// The tensor's name in quotes, fit for a message.
  static std::string Label(const GraphTensor& t);
  void Warn(const std::string& what);
  void Note(const std::string& what);

 private:
  friend class Importer;
  Status EmitNode(GraphNode node);

  ImportState& state_;
  const tflite::Operator& op_;
  uint32_t index_;
  BuiltinOperator code_;
  std::string name_;
  std::vector<int> in_, out_;
};

/// The one custom operator that is known: the end of an SSD detector.
inline constexpr char kDetectionPostProcess[] = "TFLite_Detection_PostProcess";

struct LowerRow {
  BuiltinOperator code;
  Status (*lower)(Lowering&);
};

std::span<const LowerRow> ConvRows();
std::span<const LowerRow> MatmulRows();
std::span<const LowerRow> BinaryRows();
std::span<const LowerRow> UnaryRows();
std::span<const LowerRow> QuantizeRows();
std::span<const LowerRow> ReduceRows();
std::span<const LowerRow> LayoutRows();
std::span<const LowerRow> BlockRows();
std::span<const LowerRow> SliceRows();
std::span<const LowerRow> ShapeRows();
std::span<const LowerRow> VariableRows();
std::span<const LowerRow> RecurrentRows();
std::span<const LowerRow> DetectionRows();

/// The function for a source operator, or null; `custom_name` counts for CUSTOM alone.
Status (*FindLowering(BuiltinOperator code, const std::string& custom_name))(Lowering&);

/// "CONV_2D", or the custom operator's own name.
std::string OperatorName(const ImportState& state, const tflite::Operator& op);

/// Shape two operands broadcast to, NumPy's rule. kInvalidModel where they do not.
Result<Shape> BroadcastShape(const Lowering& l, const Shape& a, const Shape& b);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_LOWERING_H_
