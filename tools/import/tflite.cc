// The importer's course: verify, load tensors, lower each operator, drop what is dead, ask the
// kernels, write.
#include <algorithm>

#include "tools/import/finish.h"
#include "tools/import/metadata.h"
#include "tools/import/source.h"
#include "tools/import/tflite_sites.h"

namespace whit::tools {

class Importer {
 public:
  Importer(std::span<const uint8_t> file, const ImportOptions& options) : file_(file) {
    state_.options = options;
    state_.file = file;
  }

  Result<std::vector<std::byte>> Run() {
    SetTfliteBudgets(state_);
    WHIT_ASSIGN_OR_RETURN(state_.model, VerifyTflite(state_));
    state_.main = state_.model->subgraphs()->Get(0);
    WHIT_RETURN_IF_ERROR(LoadTensors(state_, &faults_));
    if (state_.options.weights != nullptr)
      WHIT_RETURN_IF_ERROR(GraftLayers(state_, TfliteSites(state_)));
    Begin();
    WHIT_RETURN_IF_ERROR(SetInputShapes());
    WHIT_RETURN_IF_ERROR(BindInputs());
    WHIT_RETURN_IF_ERROR(LowerAll());
    WHIT_RETURN_IF_ERROR(BindOutputs());
    WHIT_RETURN_IF_ERROR(ReadMetadata(state_, file_));
    AddProvenance(state_.graph, "tflite", file_);
    return FinishGraph(state_, std::move(refusals_));
  }

  ImportReport& report() { return state_.report; }

 private:
  // kUndefined: nobody has written it yet. kPoisoned: its operator is not supported, so neither can
  // its readers be judged.
  enum class Value : uint8_t { kUndefined, kReady, kPoisoned };

  void Begin() {
    Graph& graph = state_.graph;
    const size_t tensors = graph.tensors.size();
    values_.assign(tensors, Value::kUndefined);
    state_.readers.assign(tensors, 0);
    state_.producer.assign(tensors, -1);
    for (size_t i = 0; i < tensors; ++i) {
      if (graph.tensors[i].is_const()) values_[i] = Value::kReady;
      if (state_.main->tensors()->Get(static_cast<uint32_t>(i))->is_variable()) BindVariable(i);
    }
    ForEach(state_.main->outputs(), [&](size_t t) { ++state_.readers[t]; });
    if (state_.main->operators() == nullptr) return;
    for (const tflite::Operator* op : *state_.main->operators()) {
      ForEach(op->inputs(), [&](size_t t) { ++state_.readers[t]; });
    }
  }

  template <typename Fn>
  static void ForEach(const flatbuffers::Vector<int32_t>* list, Fn fn) {
    if (list == nullptr) return;
    for (int32_t t : *list) {
      if (t >= 0) fn(static_cast<size_t>(t));
    }
  }

  // A state that an operator reads and writes in place: it starts as real 0 and persists.
  void BindVariable(size_t i) {
    GraphTensor& t = state_.graph.tensors[i];
    if (!faults_[i].empty()) return;
    fbs::VariableT v;
    v.name = t.name;
    v.type = static_cast<fbs::DType>(t.type);
    for (int a = 0; a < t.shape.rank(); ++a) v.shape.push_back(static_cast<uint32_t>(t.shape[a]));
    if (t.quantized()) {
      v.quantization = std::make_unique<fbs::QuantizationT>();
      v.quantization->scale = t.scale;
      v.quantization->zero_point = t.zero_point;
    }
    t.variable = static_cast<int>(state_.graph.variables.size());
    state_.graph.variables.push_back(std::move(v));
    values_[i] = Value::kReady;
  }

  // The caller's shapes in place of the file's. Whether the operators take them is for lowering to
  // find out.
  Status SetInputShapes() {
    for (const auto& [name, dims] : state_.options.shapes) {
      WHIT_ASSIGN_OR_RETURN(const size_t t, InputNamed(name));
      GraphTensor& tensor = state_.graph.tensors[t];
      const uint32_t rank =
          state_.main->tensors()->Get(static_cast<uint32_t>(t))->shape() == nullptr
              ? 0
              : state_.main->tensors()->Get(static_cast<uint32_t>(t))->shape()->size();
      int64_t elements = 1;
      bool fits = dims.size() == rank && rank <= static_cast<uint32_t>(kMaxRank);
      for (size_t a = 0; fits && a < dims.size(); ++a) {
        fits = dims[a] >= 1 && dims[a] <= std::numeric_limits<int32_t>::max() / elements;
        elements *= dims[a];
      }
      if (!fits) {
        return Status(StatusCode::kInvalidArgument,
                      "the shape given for input '" + Shown(name) + "' must have " +
                          std::to_string(rank) +
                          " dimensions of 1 or more, fewer than 2^31 elements");
      }
      tensor.shape = Shape::OfRank(static_cast<int>(rank));
      for (size_t a = 0; a < dims.size(); ++a) tensor.shape[static_cast<int>(a)] = dims[a];
      tensor.shape_unknown = false;
    }
    return OkStatus();
  }

  Result<size_t> InputNamed(const std::string& name) {
    std::string known;
    size_t found = state_.graph.tensors.size();
    ForEach(state_.main->inputs(), [&](size_t t) {
      const std::string& own = state_.graph.tensors[t].name;
      const std::string alias = SignatureNameOfInput(state_, static_cast<int>(t));
      known += (known.empty() ? "'" : ", '") + Shown(alias.empty() ? own : alias) + "'";
      if (own == name || (!alias.empty() && alias == name)) found = t;
    });
    if (found < state_.graph.tensors.size()) return found;
    return Status(StatusCode::kInvalidArgument,
                  "the model has no input '" + Shown(name) + "'; it has " + known);
  }

  Status BindInputs() {
    Status status;
    ForEach(state_.main->inputs(), [&](size_t t) {
      const GraphTensor& tensor = state_.graph.tensors[t];
      const std::string label = "model input '" + Shown(tensor.name) + "'";
      if (!faults_[t].empty()) {
        refusals_.Add(faults_[t], label);
        values_[t] = Value::kPoisoned;
      } else if (!status.ok()) {
        return;
      } else if (values_[t] != Value::kUndefined) {
        status =
            Status(StatusCode::kInvalidModel, label + " is a constant, a variable or listed twice");
      } else if (tensor.shape_unknown) {
        status = Status(StatusCode::kInvalidModel,
                        label +
                            ": the file states no shape for it that has at most 8 axes, no "
                            "negative one and fewer than 2^31 elements");
      } else {
        NoteOpenDimensions(t);
        values_[t] = Value::kReady;
        state_.graph.inputs.push_back({tensor.name, static_cast<int>(t), {}, -1});
      }
    });
    return status;
  }

  // What the source leaves open is decided here, by the shape that it gives as an example.
  void NoteOpenDimensions(size_t t) {
    const auto* open = state_.main->tensors()->Get(static_cast<uint32_t>(t))->shape_signature();
    if (open == nullptr || std::find(open->begin(), open->end(), -1) == open->end()) return;
    const GraphTensor& tensor = state_.graph.tensors[t];
    state_.report.notes.push_back("input '" + Shown(tensor.name) + "': the open dimensions are " +
                                  "fixed, its shape is " + tensor.shape.ToString());
  }

  Status BindOutputs() {
    const auto count = [](const auto* list) { return list == nullptr ? 0u : list->size(); };
    if (count(state_.main->inputs()) == 0 || count(state_.main->outputs()) == 0) {
      return Status(StatusCode::kInvalidModel,
                    "the model has " + std::to_string(count(state_.main->inputs())) +
                        " inputs and " + std::to_string(count(state_.main->outputs())) +
                        " outputs, at least 1 of each is needed");
    }
    Status status;
    ForEach(state_.main->outputs(), [&](size_t t) {
      const std::string& name = state_.graph.tensors[t].name;
      if (values_[t] == Value::kUndefined && status.ok()) {
        status = Status(StatusCode::kInvalidModel,
                        "model output '" + Shown(name) + "' is written by no operator");
      }
      state_.graph.outputs.push_back({name, static_cast<int>(t), {}, -1});
    });
    return status;
  }

  Status LowerAll() {
    if (state_.main->operators() == nullptr) return OkStatus();
    uint32_t index = 0;
    for (const tflite::Operator* op : *state_.main->operators())
      WHIT_RETURN_IF_ERROR(LowerOne(*op, index++));
    state_.report.source_operators = index;
    return OkStatus();
  }

  Status LowerOne(const tflite::Operator& op, uint32_t index) {
    const tflite::OperatorCode& code = *state_.model->operator_codes()->Get(op.opcode_index());
    const BuiltinOperator builtin = CodeOf(code);
    Lowering lowering(state_, op, index, builtin);
    WHIT_RETURN_IF_ERROR(CheckOutputs(op, lowering));
    const std::string custom = code.custom_code() == nullptr ? "" : code.custom_code()->str();
    auto* lower = FindLowering(builtin, custom);
    bool judge = lower != nullptr;
    if (lower == nullptr) {
      refusals_.Add("operator " + Shown(OperatorName(state_, op)), NodeName(lowering, index));
    }
    const Status inputs = CheckInputs(op, lowering, &judge);
    if (lower != nullptr) WHIT_RETURN_IF_ERROR(inputs);
    const Growth growth(state_);
    const Status status = judge ? lower(lowering) : OkStatus();
    WHIT_RETURN_IF_ERROR(refusals_.Collect(status));
    WHIT_RETURN_IF_ERROR(growth.Charge(state_, lowering.out_list()));
    const bool good = judge && status.ok();
    ForEach(op.outputs(), [&](size_t t) { values_[t] = good ? Value::kReady : Value::kPoisoned; });
    return OkStatus();
  }

  static std::string NodeName(const Lowering& l, uint32_t index) {
    const std::string name = Shown(l.name());
    return name.empty() ? "operator " + std::to_string(index) : "'" + name + "'";
  }

  // Single assignment: no operator writes what another one, or the file, has written.
  Status CheckOutputs(const tflite::Operator& op, const Lowering& l) {
    Status status;
    ForEach(op.outputs(), [&](size_t t) {
      if (values_[t] == Value::kUndefined) {
        values_[t] = Value::kPoisoned;  // until it is lowered; catches an output listed twice
      } else if (status.ok()) {
        status = l.Invalid("writes tensor " + std::to_string(t) + ", which has a value already");
      }
    });
    return status;
  }

  Status CheckInputs(const tflite::Operator& op, Lowering& l, bool* judge) {
    Status status;
    const auto fault_of = [&](size_t t) {
      if (faults_[t].empty()) return;
      refusals_.Add(faults_[t], "'" + Shown(state_.graph.tensors[t].name) + "' of " +
                                    Shown(OperatorName(state_, op)));
      *judge = false;
    };
    ForEach(op.inputs(), [&](size_t t) {
      fault_of(t);
      if (values_[t] == Value::kPoisoned) *judge = false;
      if (values_[t] != Value::kUndefined || !faults_[t].empty()) return;
      GraphTensor& tensor = state_.graph.tensors[t];
      if (tensor.shape.rank() > 0 && tensor.shape.elements() == 0) {
        tensor.constant = std::make_shared<const Bytes>();  // nothing to know about an empty tensor
        values_[t] = Value::kReady;
      } else if (status.ok()) {
        status = l.Invalid("reads tensor " + std::to_string(t) + ", which nobody has written");
      }
    });
    ForEach(op.outputs(), fault_of);
    return status;
  }

  std::span<const uint8_t> file_;
  TfliteState state_;
  TensorFaults faults_;
  std::vector<Value> values_;
  Refusals refusals_;
};

namespace {

Result<std::vector<std::byte>> ImportToBytes(std::span<const uint8_t> file,
                                             const ImportOptions& options, ImportReport* report) {
  // FlatBuffers' widest scalar is read in place.
  std::vector<uint64_t> aligned;
  if (reinterpret_cast<uintptr_t>(file.data()) % sizeof(uint64_t) != 0) {
    aligned.resize(file.size() / sizeof(uint64_t) + 1);
    std::memcpy(aligned.data(), file.data(), file.size());
    file = {reinterpret_cast<const uint8_t*>(aligned.data()), file.size()};
  }
  Importer importer(file, options);
  auto bytes = importer.Run();
  if (report != nullptr) *report = importer.report();
  return bytes;
}

}  // namespace

Result<std::vector<std::byte>> ImportTfliteBytes(std::span<const uint8_t> tflite,
                                                 const ImportOptions& options,
                                                 ImportReport* report) {
  return ImportToBytes(tflite, options, report);
}

}  // namespace whit::tools
