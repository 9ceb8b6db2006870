#include "tools/import/weights/formats.h"

#include <filesystem>
#include <map>

#include "tools/import/onnx/model_proto.h"

namespace whit::tools {

namespace {

using onnx::DataType;

bool TypeOf(DataType type, ElementType* out) {
  switch (type) {
    case DataType::kFloat:
      return *out = ElementType::kFloat32, true;
    case DataType::kDouble:
      return *out = ElementType::kFloat64, true;
    case DataType::kFloat16:
      return *out = ElementType::kFloat16, true;
    case DataType::kBfloat16:
      return *out = ElementType::kBfloat16, true;
    case DataType::kFloat8E4M3:
      return *out = ElementType::kFloat8E4M3, true;
    case DataType::kFloat8E5M2:
      return *out = ElementType::kFloat8E5M2, true;
    case DataType::kInt64:
      return *out = ElementType::kInt64, true;
    case DataType::kInt32:
      return *out = ElementType::kInt32, true;
    case DataType::kInt16:
      return *out = ElementType::kInt16, true;
    case DataType::kInt8:
    case DataType::kInt4:
      return *out = ElementType::kInt8, true;
    case DataType::kUint64:
      return *out = ElementType::kUint64, true;
    case DataType::kUint32:
      return *out = ElementType::kUint32, true;
    case DataType::kUint16:
      return *out = ElementType::kUint16, true;
    case DataType::kUint8:
    case DataType::kUint4:
      return *out = ElementType::kUint8, true;
    case DataType::kBool:
      return *out = ElementType::kBool, true;
    default:
      return false;
  }
}

class OnnxWeights : public WeightFile {
 public:
  static Result<std::unique_ptr<WeightFile>> Open(WeightSource source) {
    auto file = std::make_unique<OnnxWeights>();
    file->mapping_ = std::move(source.file);
    file->folder_ = std::filesystem::path(source.path).parent_path().string();
    if (file->folder_.empty()) file->folder_ = ".";
    file->format_ = "ONNX";
    WHIT_ASSIGN_OR_RETURN(file->model_, onnx::ParseModel(file->mapping_.bytes()));
    file->AddMetadata();
    WHIT_RETURN_IF_ERROR(file->AddGraph(file->model_.graph, source.limits));
    file->AddCodes();
    file->AddChannelAxes();
    return std::unique_ptr<WeightFile>(std::move(file));
  }

  Result<std::span<const std::byte>> ReadElements(size_t i,
                                                  std::vector<std::byte>* scratch) const override {
    return onnx::TensorBytes(*sources_[i], folder_, scratch);
  }

 private:
  void AddMetadata() {
    const auto add = [&](const char* key, std::string_view value) {
      if (!value.empty()) metadata_.emplace_back(key, value);
    };
    add("producer", model_.producer);
    add("producer_version", model_.producer_version);
    metadata_.emplace_back("ir_version", std::to_string(model_.ir_version));
    for (const onnx::OpsetImport& opset : model_.opsets) {
      metadata_.emplace_back(
          "opset" + (opset.domain.empty() ? "" : "." + std::string(opset.domain)),
          std::to_string(opset.version));
    }
    for (const auto& [key, value] : model_.metadata) metadata_.emplace_back(key, value);
  }

  // Initializers of a graph, then those of the graphs in its nodes. Parsing has bounded the depth.
  Status AddGraph(const onnx::GraphProto& graph, const WeightLimits& limits) {
    for (const onnx::TensorProto& tensor : graph.initializers)
      WHIT_RETURN_IF_ERROR(Add(tensor, limits));
    for (const onnx::NodeProto& node : graph.nodes) {
      for (const onnx::AttributeProto& attribute : node.attributes) {
        if (attribute.g != nullptr) WHIT_RETURN_IF_ERROR(AddGraph(*attribute.g, limits));
      }
    }
    return OkStatus();
  }

  Status Add(const onnx::TensorProto& tensor, const WeightLimits& limits) {
    TensorEntry entry;
    entry.name = tensor.name;
    entry.shape = tensor.dims;
    if (!TypeOf(tensor.type, &entry.type)) {
      entry.refused = "elements of type " + onnx::DataTypeName(tensor.type);
    }
    // Graphs inside of nodes may use a name again.
    if (const int again = seen_[entry.name]++; again > 0)
      entry.name += "#" + std::to_string(again + 1);
    WHIT_RETURN_IF_ERROR(CheckEntry(entry, tensors_.size(), limits));
    if (entry.bytes() > limits.tensor_bytes) {
      return Status(StatusCode::kOverBudget,
                    "tensor '" + entry.name + "' has " + std::to_string(entry.bytes()) +
                        " bytes, at most " + std::to_string(limits.tensor_bytes) + " are taken");
    }
    index_.emplace(tensor.name, tensors_.size());
    tensors_.push_back(std::move(entry));
    sources_.push_back(&tensor);
    return OkStatus();
  }

  // What DequantizeLinear of an initializer says is the tensor's quantization.
  void AddCodes() {
    for (const onnx::NodeProto& node : model_.graph.nodes) {
      if (node.op_type != "DequantizeLinear" || node.inputs.size() < 2) continue;
      const auto tensor = index_.find(node.inputs[0]), scale = index_.find(node.inputs[1]);
      if (tensor == index_.end() || scale == index_.end()) continue;
      const bool zero = node.inputs.size() > 2 && !node.inputs[2].empty();
      const auto zero_point = zero ? index_.find(node.inputs[2]) : index_.end();
      if (zero && zero_point == index_.end()) continue;
      int64_t axis = 1;
      for (const onnx::AttributeProto& attribute : node.attributes) {
        if (attribute.name == "axis") axis = attribute.i;
      }
      SetCodes(&tensors_[tensor->second], scale->second, zero ? &zero_point->second : nullptr,
               axis);
    }
  }

  // The operator that takes a weight as its second input says where its output channels are.
  void AddChannelAxes() {
    std::map<std::string_view, std::string_view> dequantized;  // of an initializer, and which
    for (const onnx::NodeProto& node : model_.graph.nodes) {
      if (node.op_type == "DequantizeLinear" && !node.inputs.empty() && !node.outputs.empty())
        dequantized.emplace(node.outputs[0], node.inputs[0]);
    }
    for (const onnx::NodeProto& node : model_.graph.nodes) {
      const bool integer = node.op_type == "QLinearConv" || node.op_type == "QLinearMatMul";
      const size_t place = integer ? 3 : 1;
      if (node.inputs.size() <= place) continue;
      const auto real = dequantized.find(node.inputs[place]);
      const auto weight =
          index_.find(real == dequantized.end() ? node.inputs[place] : real->second);
      if (weight == index_.end()) continue;
      TensorEntry& entry = tensors_[weight->second];
      const int rank = static_cast<int>(entry.shape.size());
      const int axis = ChannelAxisOf(node, rank);
      if (axis >= 0 && axis < rank) entry.channel_axis = axis;
    }
  }

  static int ChannelAxisOf(const onnx::NodeProto& node, int rank) {
    if (node.op_type.ends_with("ConvTranspose")) return 1;  // [I,O/groups,...]
    if (node.op_type.ends_with("Conv") || node.op_type == "ConvInteger") return 0;
    if (node.op_type.starts_with("MatMul") || node.op_type == "QLinearMatMul") return rank - 1;
    if (node.op_type != "Gemm") return -1;
    for (const onnx::AttributeProto& attribute : node.attributes) {
      if (attribute.name == "transB") return attribute.i != 0 ? 0 : 1;
    }
    return 1;
  }

  void SetCodes(TensorEntry* entry, size_t scale, const size_t* zero_point, int64_t axis) {
    const TensorEntry& scales = tensors_[scale];
    const auto rank = static_cast<int64_t>(entry->shape.size());
    if (axis < 0) axis += rank;
    const bool single = scales.elements() == 1;
    // Scales by block have more axes: they are not codes that an entry can say.
    if (!scales.refused.empty() || IsComplex(scales.type) || entry->bytes() == 0) return;
    if (!single && (scales.shape.size() != 1 || axis < 0 || axis >= rank ||
                    scales.shape[0] != entry->shape[static_cast<size_t>(axis)])) {
      return;
    }
    AffineCodes codes;
    auto values = ReadFloats(*this, scale);
    if (!values.ok()) return;
    codes.scale = std::move(values).value();
    codes.zero_point.assign(codes.scale.size(), 0);
    codes.axis = single ? -1 : static_cast<int>(axis);
    if (zero_point != nullptr) {
      auto zeros = tensors_[*zero_point].elements() == scales.elements() &&
                           tensors_[*zero_point].refused.empty()
                       ? ReadFloats(*this, *zero_point)
                       : Result<std::vector<float>>(Status(StatusCode::kInvalidModel, ""));
      if (!zeros.ok()) return;
      for (size_t i = 0; i < codes.scale.size(); ++i) {
        const float zero = (*zeros)[i];
        if (!(zero >= -32768 && zero <= 65535)) return;
        codes.zero_point[i] = static_cast<int64_t>(zero);
      }
    }
    entry->codes = std::move(codes);
  }

  std::string folder_;
  onnx::ModelProto model_;
  std::vector<const onnx::TensorProto*> sources_;  // by entry
  std::map<std::string_view, size_t> index_;
  std::map<std::string, int> seen_;
};

}  // namespace

bool ClaimsOnnx(std::span<const std::byte> file) { return onnx::LooksLikeOnnx(file); }

Result<std::unique_ptr<WeightFile>> OpenOnnxWeights(WeightSource source) {
  return OnnxWeights::Open(std::move(source));
}

}  // namespace whit::tools
