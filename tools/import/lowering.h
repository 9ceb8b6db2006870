// Lowering: translating one operator of a .tflite into nodes of the graph. Each lower_*.cc serves
// one family with a table {source operator, function}; adding an operator is one function and one
// row.
#ifndef WHIT_TOOLS_IMPORT_LOWERING_H_
#define WHIT_TOOLS_IMPORT_LOWERING_H_

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "import/tflite_generated.h"
#include "tools/import/axes.h"
#include "tools/import/scope.h"

namespace whit::tools {

using tflite::BuiltinOperator;

/// How the bytes of a buffer become those of a tensor.
enum class ConstantForm : uint8_t { kPlain, kShifted, kInt4 };

/// What all operators of a TFLite import share. Source tensor i of the main subgraph is graph
/// tensor i.
struct TfliteState : ImportState {
  const tflite::Model* model = nullptr;
  const tflite::SubGraph* main = nullptr;
  std::span<const uint8_t> file;
  std::vector<int> readers;  // per source tensor: how many operators and model outputs read it
  std::map<std::string, int> variable_handles;  // container and shared name -> Graph::variables
  std::vector<bool> variable_known;             // per variable: its type and shape are set
  std::map<int, int> handle_of;  // variable behind a tensor that is a resource handle
  /// Constants by buffer, form and number of elements, so that tensors which share a buffer share
  /// memory.
  std::map<std::tuple<uint32_t, ConstantForm, int64_t>, SharedBytes> constants;
  std::set<int> spread;  // outputs of convolutions that have their BATCH_TO_SPACE_ND in them
  std::set<int32_t> initialized;  // subgraphs that a CALL_ONCE has run
  size_t label_files = 0;         // looked for in the archive behind the model
  /// Many tables of a FlatBuffer can share one vector.
  Budget vectors{"elements of vectors and strings, counted where they are shared", 0};
};

/// One operator of a .tflite being lowered. Errors carry its number, kind and name.
class Lowering : public Scope {
 public:
  Lowering(TfliteState& state, const tflite::Operator& op, uint32_t index, BuiltinOperator code);

  TfliteState& state() { return tflite_; }
  const tflite::Operator& op() const { return op_; }
  BuiltinOperator code() const { return code_; }

  // ---- operands ----
  size_t inputs() const { return in_.size(); }
  size_t outputs() const { return out_.size(); }
  bool has(size_t i) const { return i < in_.size() && in_[i] >= 0; }
  int in(size_t i) const { return in_[i]; }  // REQUIRES has(i) for use as an index
  int out(size_t i) const { return out_[i]; }
  std::span<const int> out_list() const { return out_; }
  GraphTensor& input(size_t i) { return tensor(in_[i]); }
  GraphTensor& output(size_t i) { return tensor(out_[i]); }
  /// Between `least` and `most` inputs, the first `least` present; exactly `outs` outputs.
  Status Expect(size_t least, size_t most, size_t outs);
  /// Constant int32 or int64 input i, flattened: a shape, axes, sizes, so not a long one.
  /// kUnsupported where it is computed at run time.
  Result<std::vector<int64_t>> Ints(size_t i, const char* what);
  Result<int64_t> Int(size_t i, const char* what);  // one element
  Result<float> Float(size_t i, const char* what);

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
  /// For operators that move elements: output i has the type and quantization of input `from`,
  /// whatever the file says.
  Status PassThrough(size_t from, size_t i = 0);

  // ---- activations ----
  /// A fused activation as a clamp of `out`. kUnsupported for TANH and SIGN_BIT.
  Result<Clamp> Activation(tflite::ActivationFunctionType activation, const GraphTensor& out);

 private:
  TfliteState& tflite_;
  const tflite::Operator& op_;
  BuiltinOperator code_;
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

/// Which operator it is: old files have that in a field of one byte, which is 127 in others.
BuiltinOperator CodeOf(const tflite::OperatorCode& code);

/// "CONV_2D", or the custom operator's own name.
std::string OperatorName(const TfliteState& state, const tflite::Operator& op);

/// Input `i` as [axes][2] amounts: before and after. Each is at least 0.
Result<Amounts> ReadAmounts(Lowering& l, size_t i, size_t axes, const char* what);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_LOWERING_H_
