// The course of an ONNX import: parse, bind inputs, lower the nodes that outputs need, bind
// outputs, finish.
#include <algorithm>
#include <cstring>

#include "tools/import/finish.h"
#include "tools/import/onnx/context.h"
#include "tools/import/onnx/quantize.h"

namespace whit::tools {

namespace onnx {

namespace {

// The first sets name attributes otherwise; later ones than these are not known.
constexpr int64_t kOldest = 6, kNewest = 28;

class Importer {
 public:
  Importer(const ModelProto& model, std::span<const uint8_t> file, const ImportOptions& options)
      : model_(model),
        file_(file),
        options_(options),
        g_(options, SourceBytes(model, file)),
        context_(model, g_, options) {}

  Result<std::vector<std::byte>> Run() {
    WHIT_RETURN_IF_ERROR(CheckVersions());
    WHIT_RETURN_IF_ERROR(CheckNames());
    WHIT_RETURN_IF_ERROR(BindInputs());
    std::vector<std::string_view> wanted;
    for (const ValueInfo& output : model_.graph.outputs) wanted.push_back(output.name);
    context_.LowerGraph(model_.graph, wanted);
    WHIT_RETURN_IF_ERROR(Refusal());
    WHIT_RETURN_IF_ERROR(BindOutputs());
    g_.report().source_operators = context_.nodes();
    Describe();
    return g_.FinishBytes();
  }

  ImportReport& report() { return g_.report(); }

 private:
  // Initializers in other files count as part of the source.
  static uint64_t SourceBytes(const ModelProto& model, std::span<const uint8_t> file) {
    uint64_t bytes = std::max<uint64_t>(file.size(), 1);
    for (const TensorProto& tensor : model.graph.initializers) {
      const auto elements = tensor.external ? Elements(tensor) : Result<uint64_t>(uint64_t{0});
      if (elements.ok()) bytes += *elements * DataTypeSize(tensor.type);
    }
    return bytes;
  }

  Status CheckVersions() const {
    const int64_t version = model_.Opset("");
    if (version >= kOldest && version <= kNewest) return OkStatus();
    return Status(StatusCode::kUnsupported,
                  "the model is of ONNX operator set " + std::to_string(version) + "; sets " +
                      std::to_string(kOldest) + " to " + std::to_string(kNewest) + " are taken");
  }

  // Names the shapes and dimensions given on the command line that nothing has.
  Status CheckNames() const {
    for (const auto& [name, shape] : options_.shapes) {
      std::string known;
      bool found = false;
      for (const ValueInfo* input : Inputs()) {
        found = found || input->name == name;
        known += (known.empty() ? "'" : ", '") + Shown(std::string(input->name)) + "'";
      }
      if (!found) {
        return Status(StatusCode::kInvalidArgument,
                      "the model has no input '" + Shown(name) + "'; it has " + known);
      }
    }
    for (const auto& [name, size] : options_.dims) {
      bool found = false;
      for (const ValueInfo* input : Inputs()) {
        for (const Dimension& d : input->dims) found = found || d.param == name;
      }
      if (!found || size < 1) {
        return Status(StatusCode::kInvalidArgument, "no open dimension is named '" + Shown(name) +
                                                        "', or its size " + std::to_string(size) +
                                                        " is below 1");
      }
    }
    return OkStatus();
  }

  // Old files list initializers among the inputs too.
  std::vector<const ValueInfo*> Inputs() const {
    std::vector<const ValueInfo*> inputs;
    for (const ValueInfo& input : model_.graph.inputs) {
      const bool constant =
          std::any_of(model_.graph.initializers.begin(), model_.graph.initializers.end(),
                      [&](const TensorProto& t) { return t.name == input.name; });
      if (!constant) inputs.push_back(&input);
    }
    return inputs;
  }

  Status BindInputs() {
    context_.Begin(model_.graph);
    for (const ValueInfo* input : Inputs()) {
      if (context_.Find(input->name) != nullptr) {
        return Status(StatusCode::kInvalidModel,
                      "input '" + Shown(std::string(input->name)) + "' is there twice");
      }
      WHIT_RETURN_IF_ERROR(BindInput(*input));
    }
    return OkStatus();
  }

  Status BindInput(const ValueInfo& input) {
    const std::string name(input.name), label = "input '" + Shown(name) + "'";
    DType type;
    if (!input.tensor || !WhitTypeOf(input.type, &type)) {
      return Status(
          StatusCode::kUnsupported,
          label + " is " + (input.tensor ? "of " + DataTypeName(input.type) : "no tensor"));
    }
    WHIT_ASSIGN_OR_RETURN(const Ints dims, ShapeOf(input));
    Order order;
    if (options_.channels_last && dims.size() == 4) order = ChannelsLast(4);
    Shape shape = Shape::OfRank(static_cast<int>(dims.size()));
    const Order full = Full(order, shape.rank());
    for (int k = 0; k < shape.rank(); ++k)
      shape[k] = dims[static_cast<size_t>(full[static_cast<size_t>(k)])];
    if (input.type == DataType::kDouble || input.type == DataType::kFloat16 ||
        input.type == DataType::kBfloat16) {
      g_.report().notes.push_back(label + " is " + DataTypeName(input.type) + ", here float32");
    } else if (input.type == DataType::kUint16 || input.type == DataType::kUint32 ||
               input.type == DataType::kUint64) {
      g_.report().notes.push_back(label + " is " + DataTypeName(input.type) + ", here " +
                                  DTypeName(type));
    }
    Operand operand;
    operand.value = g_.Input(name, type, shape, QuantizationOfInput(input.name, type));
    operand.order = order;
    context_.Bind(input.name, std::move(operand));
    return g_.status();
  }

  // Codes at an input have the scale and zero point of whoever reads them.
  Quantization QuantizationOfInput(std::string_view name, DType type) {
    if (type != DType::kInt8 && type != DType::kUint8) return {};
    for (const NodeProto* reader : context_.Readers(name)) {
      for (size_t i = 0; i < reader->inputs.size(); ++i) {
        size_t scale = 0, zero_point = 0;
        if (reader->inputs[i] != name || !CodesOperand(*reader, i, &scale, &zero_point)) continue;
        Op op(context_, g_, *reader, model_.Opset(reader->domain));
        context_.FillInitializers(op);
        auto q = QuantizationOf(op, scale, zero_point);
        if (q && q->scale.size() == 1) return *q;
      }
    }
    return {};
  }

  Result<Ints> ShapeOf(const ValueInfo& input) {
    const std::string label = "input '" + Shown(std::string(input.name)) + "'";
    for (const auto& [name, shape] : options_.shapes) {
      if (name != input.name) continue;
      bool fits = !input.has_shape || shape.size() == input.dims.size();
      for (int64_t d : shape) fits = fits && d >= 1;
      if (fits) return CheckSize(label, shape);
      return Status(StatusCode::kInvalidArgument, "the shape given for " + label + " must have " +
                                                      std::to_string(input.dims.size()) +
                                                      " dimensions of 1 or more");
    }
    if (!input.has_shape) {
      return Status(StatusCode::kInvalidArgument,
                    label + ": the model states no shape for it; give --shape " +
                        Shown(std::string(input.name)) + "=D,D,...");
    }
    Ints dims;
    std::string open;
    for (size_t i = 0; i < input.dims.size(); ++i) {
      const Dimension& d = input.dims[i];
      dims.push_back(d.value);
      if (d.value > 0) continue;
      dims.back() = SizeOf(d, i);
      if (dims.back() < 1)
        open += (open.empty() ? "" : ", ") +
                (d.param.empty() ? std::to_string(i) : "'" + Shown(std::string(d.param)) + "'");
    }
    if (!open.empty()) {
      return Status(StatusCode::kInvalidArgument, label + " leaves dimensions open (" + open +
                                                      "); give --dim NAME=N or --shape " +
                                                      Shown(std::string(input.name)) + "=D,D,...");
    }
    return CheckSize(label, dims);
  }

  static Result<Ints> CheckSize(const std::string& label, const Ints& dims) {
    int64_t elements = 1;
    for (int64_t d : dims) {
      if (d > std::numeric_limits<int32_t>::max() / elements)
        return Status(StatusCode::kInvalidArgument, label + " has 2^31 elements or more");
      elements *= d;
    }
    if (dims.size() > static_cast<size_t>(kMaxRank)) {
      return Status(StatusCode::kUnsupported, label + " has " + std::to_string(dims.size()) +
                                                  " axes, at most " + std::to_string(kMaxRank));
    }
    return dims;
  }

  // An open dimension: given, or a batch, which is 1; else 0.
  int64_t SizeOf(const Dimension& d, size_t axis) {
    for (const auto& [name, size] : options_.dims) {
      if (!d.param.empty() && name == d.param) return size;
    }
    std::string lower(d.param);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    const bool batch = axis == 0 || lower.find("batch") != std::string::npos;
    if (!batch) return 0;
    const std::string note =
        "the open dimension " +
        (d.param.empty() ? std::string("of the batch") : "'" + Shown(std::string(d.param)) + "'") +
        " is 1";
    auto& notes = g_.report().notes;
    if (std::find(notes.begin(), notes.end(), note) == notes.end()) notes.push_back(note);
    return 1;
  }

  Status BindOutputs() {
    for (const ValueInfo& output : model_.graph.outputs) {
      Operand* operand = context_.Find(output.name);
      const std::string name(output.name);
      if (operand == nullptr || operand->failed) {
        WHIT_RETURN_IF_ERROR(g_.status());
        return Status(StatusCode::kInvalidModel,
                      "output '" + Shown(name) + "' is written by no node");
      }
      g_.At("output '" + Shown(name) + "'", name, 0);
      NodeProto reader;
      reader.inputs = {output.name};
      Op op(context_, g_, reader, 0);
      context_.FillInitializers(op);
      const bool turned = options_.channels_last && op.Rank(0) == 4;
      g_.Output(name, turned ? op.Channels(0) : op.Plain(0));
    }
    return g_.status();
  }

  // Operators that are not known, and what the others could not do, in one message.
  Status Refusal() {
    const Status status = g_.status();
    Refusals& refusals = context_.refusals();
    if (!status.ok() && status.code() != StatusCode::kUnsupported) return status;
    if (status.ok()) return refusals.Refuse();
    if (refusals.Refuse().ok()) return status;
    const std::string prefix = "not supported: ";
    std::string text = status.message();
    if (text.compare(0, prefix.size(), prefix) == 0) text = text.substr(prefix.size());
    return Status(StatusCode::kUnsupported, refusals.Refuse().message() + "; " + text);
  }

  void Describe() {
    Graph& graph = g_.graph();
    if (model_.model_version != 0) graph.version = std::to_string(model_.model_version);
    graph.description = Shown(std::string(model_.doc));
    AddProvenance(graph, "onnx", file_);
    graph.provenance.emplace_back("source.opset", std::to_string(model_.Opset("")));
    if (!model_.producer.empty()) {
      graph.provenance.emplace_back("source.producer", Shown(std::string(model_.producer) + " " +
                                                             std::string(model_.producer_version)));
    }
  }

  const ModelProto& model_;
  std::span<const uint8_t> file_;
  const ImportOptions& options_;
  GraphBuilder g_;
  Context context_;
};

}  // namespace

}  // namespace onnx

Result<std::vector<std::byte>> ImportOnnxBytes(std::span<const uint8_t> file,
                                               const ImportOptions& options, ImportReport* report) {
  WHIT_ASSIGN_OR_RETURN(const onnx::ModelProto model, onnx::ParseModel(std::as_bytes(file)));
  onnx::Importer importer(model, file, options);
  auto bytes = importer.Run();
  if (report != nullptr) *report = importer.report();
  return bytes;
}

}  // namespace whit::tools
