// An ONNX file as plain structs that point into its bytes. Knows the messages of onnx.proto by
// field number and nothing of what operators mean.
#ifndef WHIT_TOOLS_IMPORT_ONNX_MODEL_PROTO_H_
#define WHIT_TOOLS_IMPORT_ONNX_MODEL_PROTO_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/status.h"

namespace whit::tools::onnx {

/// Element types, by their numbers in the file. Others exist (4-bit floats); they are refused.
enum class DataType : int32_t {
  kUndefined = 0,
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kDouble = 11,
  kUint32 = 12,
  kUint64 = 13,
  kComplex64 = 14,
  kComplex128 = 15,
  kBfloat16 = 16,
  kFloat8E4M3 = 17,
  kFloat8E4M3Fnuz = 18,
  kFloat8E5M2 = 19,
  kFloat8E5M2Fnuz = 20,
  kUint4 = 21,
  kInt4 = 22,
};

/// "float32", "int4"; "element type 99" of a number that is not known.
std::string DataTypeName(DataType type);

struct TensorProto {
  std::string_view name;
  DataType type = DataType::kUndefined;
  std::vector<int64_t> dims;
  std::span<const std::byte> raw;      // raw_data
  std::span<const std::byte> message;  // the whole message: where numbers in typed fields are read
  bool has_raw = false;
  bool external = false;  // the elements lie in another file
  std::string_view location;
  uint64_t offset = 0;
  std::optional<uint64_t> length;
};

struct Dimension {
  int64_t value = -1;      // -1: open
  std::string_view param;  // the name of an open one, or empty
};

struct ValueInfo {
  std::string_view name;
  DataType type = DataType::kUndefined;  // kUndefined: no tensor, or not stated
  bool tensor = false;                   // false: a sequence, a map, an optional, or not stated
  bool has_shape = false;
  std::vector<Dimension> dims;
};

struct GraphProto;

struct AttributeProto {
  std::string_view name;
  int64_t type = 0;  // of the file; 0 in old ones
  float f = 0;
  int64_t i = 0;
  std::string_view s;
  std::vector<float> floats;
  std::vector<int64_t> ints;
  std::vector<std::string_view> strings;
  std::unique_ptr<TensorProto> t;
  std::unique_ptr<GraphProto> g;
};

struct NodeProto {
  std::string_view name, op_type, domain;
  std::vector<std::string_view> inputs, outputs;  // empty: absent
  std::vector<AttributeProto> attributes;
};

struct GraphProto {
  std::string_view name;
  std::vector<NodeProto> nodes;
  std::vector<TensorProto> initializers;
  std::vector<ValueInfo> inputs, outputs, values;
  bool sparse_initializers = false;
};

struct OpsetImport {
  std::string_view domain;  // empty: ONNX's own
  int64_t version = 0;
};

struct ModelProto {
  int64_t ir_version = 0, model_version = 0;
  std::string_view producer, producer_version, doc;
  std::vector<OpsetImport> opsets;
  std::vector<std::pair<std::string_view, std::string_view>> metadata;
  GraphProto graph;
  bool has_graph = false;
  bool functions = false;  // the model brings functions of its own

  /// Version of the operator set of a domain, or 0.
  int64_t Opset(std::string_view domain) const;
};

/// Whether the bytes look like a ModelProto: fields of that message to the end, an IR version and a
/// graph among them. Looks at the outermost message alone.
bool LooksLikeOnnx(std::span<const std::byte> file);

/// Parses a model. The structs point into `file`, which must outlive them. kInvalidModel where the
/// bytes are no such message, kOverBudget where they have more parts than any honest model.
Result<ModelProto> ParseModel(std::span<const std::byte> file);
/// One tensor by itself, as test data files hold it.
Result<TensorProto> ParseTensor(std::span<const std::byte> file);

/// Product of the dimensions. kInvalidModel where one is negative, kOverBudget at 2^40 elements or
/// more.
Result<uint64_t> Elements(const TensorProto& tensor);

/// Elements of a tensor, little-endian, one after the other; 4-bit ones widened to a byte each,
/// booleans 0 or 1. In the file where they lie there as such, else in *scratch. `folder`: where
/// files of external data lie; empty: they are refused. Sizes are checked before anything is
/// allocated.
Result<std::span<const std::byte>> TensorBytes(const TensorProto& tensor, const std::string& folder,
                                               std::vector<std::byte>* scratch);

/// Bytes of one element as TensorBytes gives it; 0 of types that it refuses.
size_t DataTypeSize(DataType type);

}  // namespace whit::tools::onnx

#endif  // WHIT_TOOLS_IMPORT_ONNX_MODEL_PROTO_H_
