// VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE and CALL_ONCE: resource variables become variables of
// the model.
#include "tools/import/lowering.h"
#include "tools/import/source.h"

namespace whit::tools {

namespace {

using tflite::Operator;

std::string HandleKey(const Operator& op) {
  const auto* options = op.builtin_options_as_VarHandleOptions();
  if (options == nullptr) return "";
  const auto text = [](const flatbuffers::String* s) {
    return s == nullptr ? std::string() : s->str();
  };
  return text(options->container()) + "/" + text(options->shared_name());
}

// The variable of that name; made on first mention, its type and shape follow from its first use.
int VariableOf(TfliteState& state, const std::string& key) {
  const auto [at, fresh] =
      state.variable_handles.try_emplace(key, static_cast<int>(state.graph.variables.size()));
  if (fresh) {
    fbs::VariableT variable;
    variable.name = key;
    state.graph.variables.push_back(std::move(variable));
    state.variable_known.resize(state.graph.variables.size(), false);
  }
  return at->second;
}

// Type, shape and quantization from a tensor that is read from or written to it; the first one
// decides.
void Describe(TfliteState& state, int index, const GraphTensor& t) {
  state.variable_known.resize(state.graph.variables.size(), false);
  if (state.variable_known[static_cast<size_t>(index)]) return;
  state.variable_known[static_cast<size_t>(index)] = true;
  fbs::VariableT& v = state.graph.variables[static_cast<size_t>(index)];
  v.type = static_cast<fbs::DType>(t.type);
  for (int a = 0; a < t.shape.rank(); ++a) v.shape.push_back(static_cast<uint32_t>(t.shape[a]));
  if (!t.quantized()) return;
  v.quantization = std::make_unique<fbs::QuantizationT>();
  v.quantization->scale = t.scale;
  v.quantization->zero_point = t.zero_point;
}

Status LowerVarHandle(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(0, 0, 1));
  l.state().handle_of[l.out(0)] = VariableOf(l.state(), HandleKey(l.op()));
  return OkStatus();
}

Result<int> HandleOf(Lowering& l) {
  const auto handle = l.state().handle_of.find(l.in(0));
  if (handle == l.state().handle_of.end())
    return l.Unsupported("a variable whose handle is not made by VAR_HANDLE");
  return handle->second;
}

Status LowerReadVariable(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(1, 1, 1));
  fbs::VariableOptionsT o;
  WHIT_ASSIGN_OR_RETURN(o.variable, HandleOf(l));
  Describe(l.state(), o.variable, l.output(0));
  std::vector<int64_t> dims;
  for (uint32_t d : l.graph().variables[static_cast<size_t>(o.variable)].shape) dims.push_back(d);
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), dims));
  return l.Emit(OpType::kReadVariable, std::move(o), {}, {l.out(0)});
}

Status LowerAssignVariable(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(2, 2, 0));
  fbs::VariableOptionsT o;
  WHIT_ASSIGN_OR_RETURN(o.variable, HandleOf(l));
  Describe(l.state(), o.variable, l.input(1));
  return l.Emit(OpType::kAssignVariable, std::move(o), {l.in(1)}, {});
}

// One operator of an initialization: a handle, or a constant assigned to one.
Status Initialize(Lowering& l, const tflite::SubGraph& graph, const Operator& op,
                  std::map<int, std::string>* handles) {
  const std::string kind = OperatorName(l.state(), op);
  const auto count = [](const auto* list) { return list == nullptr ? 0u : list->size(); };
  if (kind == "VAR_HANDLE" && count(op.outputs()) == 1) {
    (*handles)[op.outputs()->Get(0)] = HandleKey(op);
    return OkStatus();
  }
  if (kind != "ASSIGN_VARIABLE" || count(op.inputs()) != 2) {
    return l.Unsupported("an initialization that computes (" + Shown(kind) + ")");
  }
  const auto handle = handles->find(op.inputs()->Get(0));
  const int value = op.inputs()->Get(1);
  if (handle == handles->end() || value < 0)
    return l.Unsupported("an initialization without a VAR_HANDLE");
  GraphTensor t;
  std::string fault;
  WHIT_RETURN_IF_ERROR(
      LoadTensor(l.state(), *graph.tensors()->Get(static_cast<uint32_t>(value)), &t, &fault));
  if (!fault.empty() || !t.is_const()) {
    return l.Unsupported("an initialization with a value that is not constant" +
                         (fault.empty() ? "" : ": " + fault));
  }
  const int variable = VariableOf(l.state(), handle->second);
  Describe(l.state(), variable, t);
  l.graph().variables[static_cast<size_t>(variable)].init = l.graph().AddBlob(t.constant);
  return OkStatus();
}

Status LowerCallOnce(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(0, 0, 0));
  const int index = l.Options(&Operator::builtin_options_as_CallOnceOptions).init_subgraph_index;
  const auto& subgraphs = *l.state().model->subgraphs();
  if (index < 1 || static_cast<uint32_t>(index) >= subgraphs.size()) {
    return l.Invalid("subgraph " + std::to_string(index) + " of " +
                     std::to_string(subgraphs.size()));
  }
  const tflite::SubGraph& graph = *subgraphs.Get(static_cast<uint32_t>(index));
  if (!l.state().initialized.insert(index).second) return OkStatus();  // once is what it says
  WHIT_RETURN_IF_ERROR(CheckOperators(l.state(), *l.state().model, graph));
  if (graph.operators() == nullptr) return OkStatus();
  std::map<int, std::string> handles;
  for (const Operator* op : *graph.operators())
    WHIT_RETURN_IF_ERROR(Initialize(l, graph, *op, &handles));
  return OkStatus();
}

}  // namespace

std::span<const LowerRow> VariableRows() {
  static constexpr LowerRow kRows[] = {
      {BuiltinOperator::VAR_HANDLE, LowerVarHandle},
      {BuiltinOperator::READ_VARIABLE, LowerReadVariable},
      {BuiltinOperator::ASSIGN_VARIABLE, LowerAssignVariable},
      {BuiltinOperator::CALL_ONCE, LowerCallOnce},
  };
  return kRows;
}

}  // namespace whit::tools
