#include "tools/import/source.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "tools/import/named_weights.h"

namespace whit::tools {

namespace {

constexpr uint32_t kMaxTensors = 65'536;  // what a .whit reader takes
constexpr uint32_t kMaxOperators = 65'536;

Status BadModel(const std::string& what) { return Status(StatusCode::kInvalidModel, what); }

template <typename T>
uint32_t SizeOf(const flatbuffers::Vector<T>* v) {
  return v == nullptr ? 0 : v->size();
}
uint32_t SizeOf(const flatbuffers::String* s) { return s == nullptr ? 0 : s->size(); }

// Indices of tensors, -1 allowed where `optional`.
Status CheckIndices(const std::string& thing, const flatbuffers::Vector<int32_t>* list,
                    uint32_t count, bool optional) {
  for (uint32_t i = 0; i < SizeOf(list); ++i) {
    const int32_t t = list->Get(i);
    if ((t == -1 && optional) || (t >= 0 && static_cast<uint32_t>(t) < count)) continue;
    return BadModel(thing + ": tensor " + std::to_string(t) + " does not exist, there are " +
                    std::to_string(count));
  }
  return OkStatus();
}

// The element type here, or false with the fault written down.
bool ReadType(tflite::TensorType type, DType* out, std::string* fault) {
  switch (type) {
    case tflite::TensorType::FLOAT32:
      *out = DType::kFloat32;
      return true;
    case tflite::TensorType::FLOAT16:
      *out = DType::kFloat16;
      return true;
    case tflite::TensorType::INT32:
      *out = DType::kInt32;
      return true;
    case tflite::TensorType::UINT8:
      *out = DType::kUint8;
      return true;
    case tflite::TensorType::INT64:
      *out = DType::kInt64;
      return true;
    case tflite::TensorType::BOOL:
      *out = DType::kBool;
      return true;
    case tflite::TensorType::INT16:
      *out = DType::kInt16;
      return true;
    case tflite::TensorType::INT8:
    case tflite::TensorType::INT4:  // constants are unpacked
      *out = DType::kInt8;
      return true;
    case tflite::TensorType::RESOURCE:  // handles of variables: no data of their own
      *out = DType::kInt32;
      return true;
    default: {
      const char* name = tflite::EnumNameTensorType(type);
      *fault = std::string("type ") +
               (*name != 0 ? name : std::to_string(static_cast<int>(type)).c_str());
      return false;
    }
  }
}

// The declared shape; dimensions that the file leaves open become 1. False: not a shape (rank,
// sign, product).
bool ReadShape(const tflite::Tensor& t, Shape* shape) {
  const uint32_t rank = SizeOf(t.shape());
  if (rank > static_cast<uint32_t>(kMaxRank)) return false;
  const bool open = SizeOf(t.shape_signature()) == rank;
  *shape = Shape::OfRank(static_cast<int>(rank));
  int64_t elements = 1;
  for (uint32_t i = 0; i < rank; ++i) {
    int64_t d = t.shape()->Get(i);
    if (open && t.shape_signature()->Get(i) == -1 && d <= 0) d = 1;
    if (d < 0) return false;
    (*shape)[static_cast<int>(i)] = d;
    elements *= d;
    if (elements > std::numeric_limits<int32_t>::max()) return false;
  }
  return true;
}

Status CheckZeroPoint(const GraphTensor& t, int64_t z) {
  int64_t lo = std::numeric_limits<int32_t>::min(), hi = std::numeric_limits<int32_t>::max();
  if (t.type == DType::kInt8) lo = -128, hi = 127;
  if (t.type == DType::kUint8) lo = 0, hi = 255;
  if (t.type == DType::kInt16) lo = -32768, hi = 32767;
  if (z >= lo && z <= hi) return OkStatus();
  return BadModel("tensor '" + Shown(t.name) + "': zero point " + std::to_string(z) + " is not a " +
                  DTypeName(t.type));
}

Status ReadQuantization(const tflite::QuantizationParameters* q, Budget* vectors, GraphTensor* t,
                        std::string* fault) {
  const uint32_t scales = q == nullptr ? 0 : SizeOf(q->scale());
  WHIT_RETURN_IF_ERROR(vectors->Charge(scales));
  const bool may_be = t->type == DType::kInt8 || t->type == DType::kUint8 ||
                      t->type == DType::kInt16 || t->type == DType::kInt32;
  if (q != nullptr && q->details_type() != tflite::QuantizationDetails::NONE) {
    const char* kind = tflite::EnumNameQuantizationDetails(q->details_type());
    *fault = std::string("quantization by ") + (*kind != 0 ? kind : "unknown details");
  }
  if (scales == 0 || !may_be) return OkStatus();
  if (scales == 1 && q->scale()->Get(0) == 0) return OkStatus();  // converters write 0 for "none"
  const uint32_t zeros = SizeOf(q->zero_point());
  if (zeros != scales && zeros > 1) {
    return BadModel("tensor '" + Shown(t->name) + "': " + std::to_string(scales) + " scales and " +
                    std::to_string(zeros) + " zero points");
  }
  for (uint32_t i = 0; i < scales; ++i) {
    const float s = q->scale()->Get(i);
    if (!(s > 0) || !std::isfinite(s)) {
      return BadModel("tensor '" + Shown(t->name) + "': scale " + std::to_string(i) + " is " +
                      std::to_string(s) + ", must be finite and positive");
    }
    const int64_t z = zeros == 0 ? 0 : LongAt(*q->zero_point(), zeros == 1 ? 0 : i);
    WHIT_RETURN_IF_ERROR(CheckZeroPoint(*t, z));
    t->scale.push_back(s);
    t->zero_point.push_back(static_cast<int32_t>(z));
  }
  if (scales == 1) return OkStatus();
  const int axis = q->quantized_dimension();
  // A record that names another axis than the one with as many entries is taken by its count
  // (lowering checks that).
  t->axis = axis >= 0 && axis < t->shape.rank() ? axis : 0;
  return OkStatus();
}

// Canonical form: quantized uint8 is int8 less 128.
void Shift(GraphTensor* t) {
  if (t->type != DType::kUint8 || !t->quantized()) return;
  t->type = DType::kInt8;
  t->shifted = true;
  for (int32_t& z : t->zero_point) z -= 128;
}

// One byte an element from two: the low half first, sign-extended.
Bytes UnpackInt4(std::span<const std::byte> packed, size_t elements) {
  Bytes out(elements);
  for (size_t i = 0; i < elements; ++i) {
    const auto half = std::to_integer<uint8_t>(packed[i / 2]) >> (i % 2 * 4) & 15u;
    out[i] = static_cast<std::byte>(half < 8 ? half : half + 0xf0u);
  }
  return out;
}

SharedBytes ConstantOf(TfliteState& state, uint32_t buffer, ConstantForm form, int64_t elements,
                       std::span<const std::byte> data) {
  SharedBytes& known = state.constants[{buffer, form, elements}];
  if (known != nullptr) return known;
  Bytes bytes = form == ConstantForm::kInt4 ? UnpackInt4(data, static_cast<size_t>(elements))
                                            : Bytes(data.begin(), data.end());
  if (form == ConstantForm::kShifted) {
    for (std::byte& b : bytes) b ^= std::byte{0x80};
  }
  known = std::make_shared<const Bytes>(std::move(bytes));
  return known;
}

// int32 tensors carry scales for nobody but QUANTIZE and DEQUANTIZE; elsewhere they are plain
// numbers.
void DropIdleScales(TfliteState& state) {
  std::vector<bool> used(state.graph.tensors.size());
  for (uint32_t i = 0; i < SizeOf(state.main->operators()); ++i) {
    const tflite::Operator& op = *state.main->operators()->Get(i);
    const std::string name = OperatorName(state, op);
    if (name == "QUANTIZE" || name == "DEQUANTIZE") {
      for (const auto* list : {op.inputs(), op.outputs()}) {
        for (uint32_t k = 0; k < SizeOf(list); ++k) {
          if (list->Get(k) >= 0) used[static_cast<size_t>(list->Get(k))] = true;
        }
      }
    }
  }
  for (size_t i = 0; i < used.size(); ++i) {
    GraphTensor& t = state.graph.tensors[i];
    if (t.type != DType::kInt32 || used[i]) continue;
    t.scale.clear();
    t.zero_point.clear();
    t.axis = -1;
  }
}

// Elements of the vectors and strings that lowering reads of an operator.
uint64_t VisitedElements(const tflite::Model& model, const tflite::Operator& op) {
  uint64_t elements = uint64_t{SizeOf(op.inputs())} + SizeOf(op.outputs()) +
                      SizeOf(op.intermediates()) + SizeOf(op.custom_options());
  elements += SizeOf(model.operator_codes()->Get(op.opcode_index())->custom_code());
  if (const auto* o = op.builtin_options_as_ReshapeOptions()) elements += SizeOf(o->new_shape());
  if (const auto* o = op.builtin_options_as_SqueezeOptions()) elements += SizeOf(o->squeeze_dims());
  if (const auto* o = op.builtin_options_as_FullyConnectedOptions())
    elements += SizeOf(o->quant_spec());
  if (const auto* o = op.builtin_options_as_VarHandleOptions())
    elements += uint64_t{SizeOf(o->container())} + SizeOf(o->shared_name());
  return elements;
}

}  // namespace

Status CheckOperators(TfliteState& state, const tflite::Model& model,
                      const tflite::SubGraph& graph) {
  const uint32_t tensors = SizeOf(graph.tensors()), codes = SizeOf(model.operator_codes());
  if (tensors > kMaxTensors || SizeOf(graph.operators()) > kMaxOperators) {
    return Status(StatusCode::kOverBudget, std::to_string(tensors) + " tensors and " +
                                               std::to_string(SizeOf(graph.operators())) +
                                               " operators; 65536 of each are allowed");
  }
  for (uint32_t i = 0; i < SizeOf(graph.operators()); ++i) {
    const tflite::Operator& op = *graph.operators()->Get(i);
    const std::string thing = "operator " + std::to_string(i);
    if (op.opcode_index() >= codes) {
      return BadModel(thing + ": code " + std::to_string(op.opcode_index()) +
                      " does not exist, there are " + std::to_string(codes));
    }
    WHIT_RETURN_IF_ERROR(state.vectors.Charge(VisitedElements(model, op)));
    WHIT_RETURN_IF_ERROR(CheckIndices(thing + " inputs", op.inputs(), tensors, true));
    WHIT_RETURN_IF_ERROR(CheckIndices(thing + " outputs", op.outputs(), tensors, false));
    WHIT_RETURN_IF_ERROR(CheckIndices(thing + " intermediates", op.intermediates(), tensors, true));
  }
  WHIT_RETURN_IF_ERROR(
      state.vectors.Charge(uint64_t{SizeOf(graph.inputs())} + SizeOf(graph.outputs())));
  WHIT_RETURN_IF_ERROR(CheckIndices("model inputs", graph.inputs(), tensors, false));
  return CheckIndices("model outputs", graph.outputs(), tensors, false);
}

std::string NameOf(const flatbuffers::String* name) {
  constexpr size_t kLongest = 1024;
  return name == nullptr ? "" : std::string(name->string_view().substr(0, kLongest));
}

void SetTfliteBudgets(TfliteState& state) {
  SetBudgets(state, state.file.size());
  state.vectors = Budget("elements of vectors and strings, counted where they are shared",
                         4 * state.file.size() + (1 << 20));
}

Result<const tflite::Model*> VerifyTflite(TfliteState& state) {
  const std::span<const uint8_t> file = state.file;
  constexpr size_t kIdentifierEnd = 8;
  if (file.size() < kIdentifierEnd || !tflite::ModelBufferHasIdentifier(file.data())) {
    return BadModel("not a TFLite file: the identifier TFL3 is missing at byte 4 (" +
                    std::to_string(file.size()) + " bytes)");
  }
  // Behind the FlatBuffer there may be large buffers and a zip archive.
  constexpr size_t kLargest = FLATBUFFERS_MAX_BUFFER_SIZE - 1;
  flatbuffers::Verifier verifier(file.data(), std::min(file.size(), kLargest), 64, 4'000'000);
  if (!tflite::VerifyModelBuffer(verifier)) {
    return BadModel("not a valid TFLite file: the FlatBuffer is damaged or cut off (" +
                    std::to_string(file.size()) + " bytes)");
  }
  const tflite::Model* model = tflite::GetModel(file.data());
  if (SizeOf(model->subgraphs()) == 0) return BadModel("the file has no subgraph");
  WHIT_RETURN_IF_ERROR(CheckOperators(state, *model, *model->subgraphs()->Get(0)));
  return model;
}

Result<std::span<const std::byte>> BufferBytes(const tflite::Model& model,
                                               std::span<const uint8_t> file, uint32_t index) {
  using Span = std::span<const std::byte>;
  if (index >= SizeOf(model.buffers())) {
    if (index == 0) return Span();
    return BadModel("buffer " + std::to_string(index) + " does not exist, there are " +
                    std::to_string(SizeOf(model.buffers())));
  }
  const tflite::Buffer& buffer = *model.buffers()->Get(index);
  if (SizeOf(buffer.data()) > 0)
    return std::as_bytes(std::span(buffer.data()->data(), buffer.data()->size()));
  if (buffer.offset() <= 1) return Span();
  if (buffer.offset() > file.size() || buffer.size() > file.size() - buffer.offset()) {
    return BadModel("buffer " + std::to_string(index) + ": " + std::to_string(buffer.size()) +
                    " bytes at " + std::to_string(buffer.offset()) + " leave the file of " +
                    std::to_string(file.size()));
  }
  return std::as_bytes(file.subspan(buffer.offset(), buffer.size()));
}

Status LoadTensor(TfliteState& state, const tflite::Tensor& source, GraphTensor* t,
                  std::string* fault) {
  t->name = NameOf(source.name());
  WHIT_RETURN_IF_ERROR(state.vectors.Charge(SizeOf(source.name())));
  const std::string label = "tensor '" + Shown(t->name) + "'";
  if (!ReadType(source.type(), &t->type, fault)) return OkStatus();
  if (source.sparsity() != nullptr) *fault = "sparse data";
  if (source.external_buffer() != 0) *fault = "data in another file";
  const bool shape_ok = ReadShape(source, &t->shape);
  WHIT_RETURN_IF_ERROR(ReadQuantization(source.quantization(), &state.vectors, t, fault));
  Shift(t);
  if (!fault->empty()) return OkStatus();
  WHIT_ASSIGN_OR_RETURN(const auto data, BufferBytes(*state.model, state.file, source.buffer()));
  const bool constant = !data.empty() && !source.is_variable();
  const bool int4 = source.type() == tflite::TensorType::INT4;
  if (int4 && !constant) *fault = "type INT4 of a tensor computed at run time";
  if (!shape_ok && data.empty()) {  // computed: lowering finds the shape
    t->shape = Shape();
    t->shape_unknown = true;
  }
  if (!constant && (shape_ok || data.empty())) return OkStatus();
  if (!shape_ok)
    return BadModel(
        label + ": the shape of a constant has more than 8 axes, a negative or too many elements");
  const size_t needed = int4 ? (t->bytes() + 1) / 2 : t->bytes();
  if (data.size() != needed) {
    return BadModel(label + ": " + (int4 ? "int4" : DTypeName(t->type)) + t->shape.ToString() +
                    " needs " + std::to_string(needed) + " bytes, its buffer has " +
                    std::to_string(data.size()));
  }
  const ConstantForm form = int4         ? ConstantForm::kInt4
                            : t->shifted ? ConstantForm::kShifted
                                         : ConstantForm::kPlain;
  if (state.options.weights != nullptr && !t->shifted && !int4) {
    WHIT_ASSIGN_OR_RETURN(t->constant,
                          state.options.weights->Replacement(t->name, t->type, t->shape));
    if (t->constant != nullptr) return OkStatus();
  }
  t->constant = ConstantOf(state, source.buffer(), form, t->shape.elements(), data);
  return OkStatus();
}

Status LoadTensors(TfliteState& state, TensorFaults* faults) {
  const uint32_t count = SizeOf(state.main->tensors());
  faults->resize(count);
  state.graph.tensors.resize(count);
  for (uint32_t i = 0; i < count; ++i) {
    WHIT_RETURN_IF_ERROR(
        LoadTensor(state, *state.main->tensors()->Get(i), &state.graph.tensors[i], &(*faults)[i]));
  }
  DropIdleScales(state);
  return OkStatus();
}

}  // namespace whit::tools
