#include "tools/import/onnx/model_proto.h"

#include <array>

#include "tools/import/protobuf.h"

namespace whit::tools::onnx {

namespace {

// Messages of a model: nodes, attributes, tensors, values. A message needs 2 bytes in the file and
// some 200 in memory; the largest models have some ten thousand nodes.
constexpr int kMaxParts = 1'000'000;

class Parser {
 public:
  Status Model(ProtoReader r, ModelProto* model) {
    for (ProtoField f; r.Next(&f);) {
      switch (f.number) {
        case 1:
          model->ir_version = r.Int(f);
          break;
        case 2:
          model->producer = r.Text(f);
          break;
        case 3:
          model->producer_version = r.Text(f);
          break;
        case 5:
          model->model_version = r.Int(f);
          break;
        case 6:
          model->doc = r.Text(f);
          break;
        case 7:
          model->has_graph = true;
          r.Fail(Graph(r.Message(f, "the graph"), &model->graph));
          break;
        case 8:
          r.Fail(Part());
          r.Fail(Opset(r.Message(f, "an operator set"), &model->opsets.emplace_back()));
          break;
        case 14:
          r.Fail(Part());
          r.Fail(Pair(r.Message(f, "metadata"), &model->metadata.emplace_back()));
          break;
        case 25:
          model->functions = true;
          break;
        default:
          break;
      }
    }
    return r.status();
  }

  Status Tensor(ProtoReader r, std::span<const std::byte> message, TensorProto* tensor) {
    WHIT_RETURN_IF_ERROR(Part());
    tensor->message = message;
    for (ProtoField f; r.Next(&f);) {
      switch (f.number) {
        case 1:
          r.Ints(f, &tensor->dims);
          break;
        case 2:
          tensor->type = static_cast<DataType>(r.Int(f));
          break;
        case 8:
          tensor->name = r.Text(f);
          break;
        case 9:
          tensor->raw = r.Data(f);
          tensor->has_raw = true;
          break;
        case 13: {
          std::pair<std::string_view, std::string_view> entry;
          r.Fail(Pair(r.Message(f, "external data"), &entry));
          r.Fail(External(entry.first, entry.second, tensor));
          break;
        }
        case 14:
          tensor->external = r.Int(f) == 1;
          break;
        default:
          break;
      }
    }
    return r.status();
  }

 private:
  Status Part() {
    if (++parts_ <= kMaxParts) return OkStatus();
    return Status(StatusCode::kOverBudget, "the model has more than " + std::to_string(kMaxParts) +
                                               " nodes, attributes, tensors and values");
  }

  static Status Opset(ProtoReader r, OpsetImport* opset) {
    for (ProtoField f; r.Next(&f);) {
      if (f.number == 1) opset->domain = r.Text(f);
      if (f.number == 2) opset->version = r.Int(f);
    }
    if (opset->domain == "ai.onnx") opset->domain = {};
    return r.status();
  }

  static Status Pair(ProtoReader r, std::pair<std::string_view, std::string_view>* pair) {
    for (ProtoField f; r.Next(&f);) {
      if (f.number == 1) pair->first = r.Text(f);
      if (f.number == 2) pair->second = r.Text(f);
    }
    return r.status();
  }

  static Status External(std::string_view key, std::string_view value, TensorProto* tensor) {
    if (key == "location") tensor->location = value;
    if (key != "offset" && key != "length") return OkStatus();
    uint64_t number = 0;
    bool good = !value.empty() && value.size() <= 18;  // so it cannot overflow
    for (char c : value) {
      good = good && c >= '0' && c <= '9';
      if (good) number = number * 10 + static_cast<uint64_t>(c - '0');
    }
    if (!good) {
      return Status(StatusCode::kInvalidModel, "external data: the " + std::string(key) +
                                                   " is no number of at most 18 digits");
    }
    if (key == "offset") {
      tensor->offset = number;
    } else {
      tensor->length = number;
    }
    return OkStatus();
  }

  Status Graph(ProtoReader r, GraphProto* graph) {
    for (ProtoField f; r.Next(&f);) {
      switch (f.number) {
        case 1:
          r.Fail(Node(r.Message(f, "a node"), &graph->nodes.emplace_back()));
          break;
        case 2:
          graph->name = r.Text(f);
          break;
        case 5: {
          const auto message = r.Data(f);
          r.Fail(
              Tensor(r.Message(f, "an initializer"), message, &graph->initializers.emplace_back()));
          break;
        }
        case 11:
          r.Fail(Value(r.Message(f, "an input"), &graph->inputs.emplace_back()));
          break;
        case 12:
          r.Fail(Value(r.Message(f, "an output"), &graph->outputs.emplace_back()));
          break;
        case 13:
          r.Fail(Value(r.Message(f, "a value"), &graph->values.emplace_back()));
          break;
        case 15:
          graph->sparse_initializers = true;
          break;
        default:
          break;
      }
    }
    return r.status();
  }

  Status Node(ProtoReader r, NodeProto* node) {
    WHIT_RETURN_IF_ERROR(Part());
    for (ProtoField f; r.Next(&f);) {
      switch (f.number) {
        case 1:
          node->inputs.push_back(r.Text(f));
          break;
        case 2:
          node->outputs.push_back(r.Text(f));
          break;
        case 3:
          node->name = r.Text(f);
          break;
        case 4:
          node->op_type = r.Text(f);
          break;
        case 5:
          r.Fail(Attribute(r.Message(f, "an attribute"), &node->attributes.emplace_back()));
          break;
        case 7:
          node->domain = r.Text(f);
          break;
        default:
          break;
      }
    }
    if (node->domain == "ai.onnx") node->domain = {};
    return r.status();
  }

  Status Attribute(ProtoReader r, AttributeProto* attribute) {
    WHIT_RETURN_IF_ERROR(Part());
    for (ProtoField f; r.Next(&f);) {
      switch (f.number) {
        case 1:
          attribute->name = r.Text(f);
          break;
        case 2:
          attribute->f = r.Float(f);
          break;
        case 3:
          attribute->i = r.Int(f);
          break;
        case 4:
          attribute->s = r.Text(f);
          break;
        case 5: {
          const auto message = r.Data(f);
          attribute->t = std::make_unique<TensorProto>();
          r.Fail(Tensor(r.Message(f, "a tensor attribute"), message, attribute->t.get()));
          break;
        }
        case 6:
          attribute->g = std::make_unique<GraphProto>();
          r.Fail(Graph(r.Message(f, "a graph attribute"), attribute->g.get()));
          break;
        case 7:
          r.Floats(f, &attribute->floats);
          break;
        case 8:
          r.Ints(f, &attribute->ints);
          break;
        case 9:
          attribute->strings.push_back(r.Text(f));
          break;
        case 20:
          attribute->type = r.Int(f);
          break;
        default:
          break;
      }
    }
    return r.status();
  }

  Status Value(ProtoReader r, ValueInfo* value) {
    WHIT_RETURN_IF_ERROR(Part());
    for (ProtoField f; r.Next(&f);) {
      if (f.number == 1) value->name = r.Text(f);
      if (f.number == 2) r.Fail(Type(r.Message(f, "a type"), value));
    }
    return r.status();
  }

  Status Type(ProtoReader r, ValueInfo* value) {
    for (ProtoField f; r.Next(&f);) {
      if (f.number != 1) continue;
      value->tensor = true;
      ProtoReader tensor = r.Message(f, "a tensor type");
      for (ProtoField t; tensor.Next(&t);) {
        if (t.number == 1) value->type = static_cast<DataType>(tensor.Int(t));
        if (t.number == 2) {
          value->has_shape = true;
          tensor.Fail(Shape(tensor.Message(t, "a shape"), value));
        }
      }
      r.Fail(tensor.status());
    }
    return r.status();
  }

  Status Shape(ProtoReader r, ValueInfo* value) {
    for (ProtoField f; r.Next(&f);) {
      if (f.number != 1) continue;
      WHIT_RETURN_IF_ERROR(Part());
      Dimension& dimension = value->dims.emplace_back();
      ProtoReader dim = r.Message(f, "a dimension");
      for (ProtoField d; dim.Next(&d);) {
        if (d.number == 1) dimension.value = dim.Int(d);
        if (d.number == 2) dimension.param = dim.Text(d);
      }
      r.Fail(dim.status());
    }
    return r.status();
  }

  int parts_ = 0;
};

}  // namespace

std::string DataTypeName(DataType type) {
  static constexpr std::array kNames = {"no element type",
                                        "float32",
                                        "uint8",
                                        "int8",
                                        "uint16",
                                        "int16",
                                        "int32",
                                        "int64",
                                        "string",
                                        "bool",
                                        "float16",
                                        "float64",
                                        "uint32",
                                        "uint64",
                                        "complex64",
                                        "complex128",
                                        "bfloat16",
                                        "float8_e4m3fn",
                                        "float8_e4m3fnuz",
                                        "float8_e5m2",
                                        "float8_e5m2fnuz",
                                        "uint4",
                                        "int4"};
  const auto i = static_cast<uint32_t>(type);
  return i < kNames.size() ? kNames[i] : "element type " + std::to_string(i);
}

int64_t ModelProto::Opset(std::string_view domain) const {
  for (const OpsetImport& opset : opsets) {
    if (opset.domain == domain) return opset.version;
  }
  return 0;
}

bool LooksLikeOnnx(std::span<const std::byte> file) {
  ProtoReader r(file, "the model");
  bool version = false, graph = false;
  for (ProtoField f; r.Next(&f);) {
    if (f.number > 26) return false;  // ModelProto ends there
    if (f.number == 1) {
      // IR versions are small numbers; other protobuf formats have a text or a message here.
      if (f.type != WireType::kVarint || f.value == 0 || f.value > 1000) return false;
      version = true;
    }
    if (f.number == 7) {
      if (f.type != WireType::kBytes) return false;
      graph = true;
    }
  }
  return r.status().ok() && version && graph;
}

Result<ModelProto> ParseModel(std::span<const std::byte> file) {
  ModelProto model;
  WHIT_RETURN_IF_ERROR(Parser().Model(ProtoReader(file, "the model"), &model));
  if (!model.has_graph) return Status(StatusCode::kInvalidModel, "the model has no graph");
  return model;
}

Result<TensorProto> ParseTensor(std::span<const std::byte> file) {
  TensorProto tensor;
  WHIT_RETURN_IF_ERROR(Parser().Tensor(ProtoReader(file, "the tensor"), file, &tensor));
  return tensor;
}

}  // namespace whit::tools::onnx
