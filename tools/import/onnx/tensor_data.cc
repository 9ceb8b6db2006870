// The elements of a TensorProto: raw, in typed fields, or in a file beside the model.
#include <climits>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "platform/mapping.h"
#include "tools/import/onnx/model_proto.h"
#include "tools/import/protobuf.h"
#include "tools/import/shown.h"

namespace whit::tools::onnx {

namespace {

Status Invalid(const TensorProto& tensor, const std::string& what) {
  return Status(StatusCode::kInvalidModel,
                "tensor '" + Shown(std::string(tensor.name)) + "': " + what);
}

bool FourBit(DataType type) { return type == DataType::kInt4 || type == DataType::kUint4; }

uint64_t StoredBytes(DataType type, uint64_t elements) {
  return FourBit(type) ? (elements + 1) / 2 : elements * DataTypeSize(type);
}

// Two elements a byte, the first in the low half.
void Widen(DataType type, std::span<const std::byte> packed, std::span<std::byte> out) {
  for (size_t i = 0; i < out.size(); ++i) {
    const int half = (static_cast<int>(packed[i / 2]) >> (i % 2 * 4)) & 15;
    out[i] = static_cast<std::byte>(type == DataType::kInt4 && half > 7 ? half - 16 : half);
  }
}

// A field of the message that has `type`'s elements one number each: int32_data and the like.
Result<std::vector<std::byte>> TypedNumbers(const TensorProto& tensor, uint64_t count) {
  const size_t size = FourBit(tensor.type) ? 1 : DataTypeSize(tensor.type);
  uint32_t field = 5;  // int32_data: everything that is no wider
  if (tensor.type == DataType::kFloat) field = 4;
  if (tensor.type == DataType::kInt64) field = 7;
  if (tensor.type == DataType::kDouble) field = 10;
  if (tensor.type == DataType::kUint32 || tensor.type == DataType::kUint64) field = 11;
  if (count > tensor.message.size()) {  // a number has a byte or more
    return Invalid(tensor, std::to_string(count) + " numbers expected in " +
                               std::to_string(tensor.message.size()) + " bytes");
  }
  std::vector<int64_t> ints;
  std::vector<float> floats;
  std::vector<double> doubles;
  ProtoReader r(tensor.message, "a tensor");
  for (ProtoField f; r.Next(&f);) {
    if (f.number != field) continue;
    if (field == 4) {
      r.Floats(f, &floats);
    } else if (field == 10) {
      r.Doubles(f, &doubles);
    } else {
      r.Ints(f, &ints);
    }
  }
  WHIT_RETURN_IF_ERROR(r.status());
  const uint64_t found = field == 4 ? floats.size() : field == 10 ? doubles.size() : ints.size();
  if (found != count) {
    return Invalid(tensor,
                   std::to_string(count) + " numbers expected, it has " + std::to_string(found));
  }
  std::vector<std::byte> bytes(static_cast<size_t>(count) * size);
  if (field == 4 && count > 0) std::memcpy(bytes.data(), floats.data(), bytes.size());
  if (field == 10 && count > 0) std::memcpy(bytes.data(), doubles.data(), bytes.size());
  for (size_t i = 0; i < ints.size(); ++i) std::memcpy(bytes.data() + i * size, &ints[i], size);
  return bytes;
}

// The path of external data. It may lie beside the model or below, nowhere else: a model from
// somebody else must not read other files. Links are resolved before that is judged.
Result<std::string> ExternalPath(const TensorProto& tensor, const std::string& folder) {
  const std::string location(tensor.location);
  if (folder.empty()) {
    return Invalid(tensor, "its elements lie in another file, and there is no folder to look in");
  }
  bool good = !location.empty() && location[0] != '/' && location.size() < PATH_MAX &&
              location.find('\0') == std::string::npos && location.find('\\') == std::string::npos;
  for (size_t at = 0; good && at <= location.size();) {
    const size_t end = std::min(location.find('/', at), location.size());
    good = location.compare(at, end - at, "..") != 0;
    at = end + 1;
  }
  if (!good) {
    return Invalid(tensor, "the path of its external data must be relative and without '..'");
  }
  const auto real = [](const std::string& path) {
    std::unique_ptr<char, decltype(&std::free)> resolved(realpath(path.c_str(), nullptr),
                                                         std::free);
    return resolved == nullptr ? std::string() : std::string(resolved.get());
  };
  const std::string root = real(folder), path = real(folder + "/" + location);
  if (path.empty() || root.empty()) {
    return Status(StatusCode::kIo, "external data " + folder + "/" + location + ": no such file");
  }
  const std::string prefix = root == "/" ? root : root + "/";
  if (path.compare(0, prefix.size(), prefix) != 0) {
    return Invalid(tensor, "its external data leads out of the model's folder");
  }
  return path;
}

Result<std::vector<std::byte>> ExternalBytes(const TensorProto& tensor, const std::string& folder,
                                             uint64_t bytes) {
  WHIT_ASSIGN_OR_RETURN(const std::string path, ExternalPath(tensor, folder));
  if (tensor.length.has_value() && *tensor.length != bytes) {
    return Invalid(tensor, std::to_string(bytes) + " bytes expected, its external data states " +
                               std::to_string(*tensor.length));
  }
  if (bytes == 0) return std::vector<std::byte>();
  // MapFile refuses a range outside of the file before anything is allocated.
  WHIT_ASSIGN_OR_RETURN(const Mapping file,
                        Mapping::MapFile(path, MapMode::kMap, tensor.offset, bytes));
  return std::vector<std::byte>(file.bytes().begin(), file.bytes().end());
}

}  // namespace

size_t DataTypeSize(DataType type) {
  switch (type) {
    case DataType::kFloat:
    case DataType::kInt32:
    case DataType::kUint32:
      return 4;
    case DataType::kInt8:
    case DataType::kUint8:
    case DataType::kBool:
    case DataType::kFloat8E4M3:
    case DataType::kFloat8E4M3Fnuz:
    case DataType::kFloat8E5M2:
    case DataType::kFloat8E5M2Fnuz:
    case DataType::kInt4:
    case DataType::kUint4:
      return 1;
    case DataType::kInt16:
    case DataType::kUint16:
    case DataType::kFloat16:
    case DataType::kBfloat16:
      return 2;
    case DataType::kInt64:
    case DataType::kUint64:
    case DataType::kDouble:
      return 8;
    default:
      return 0;
  }
}

Result<uint64_t> Elements(const TensorProto& tensor) {
  constexpr uint64_t kMax = uint64_t{1} << 40;
  uint64_t elements = 1;
  bool none = false;
  for (int64_t d : tensor.dims) {
    if (d < 0) return Invalid(tensor, "it has a dimension of " + std::to_string(d));
    none = none || d == 0;
    const auto size = static_cast<uint64_t>(d == 0 ? 1 : d);
    if (size >= kMax / elements) {
      return Status(StatusCode::kOverBudget,
                    Invalid(tensor, "it has 2^40 elements or more").message());
    }
    elements *= size;
  }
  return none ? 0 : elements;
}

Result<std::span<const std::byte>> TensorBytes(const TensorProto& tensor, const std::string& folder,
                                               std::vector<std::byte>* scratch) {
  WHIT_ASSIGN_OR_RETURN(const uint64_t elements, Elements(tensor));
  if (DataTypeSize(tensor.type) == 0) {
    return Status(StatusCode::kUnsupported,
                  Invalid(tensor, "elements of type " + DataTypeName(tensor.type)).message());
  }
  const uint64_t stored = StoredBytes(tensor.type, elements);
  std::span<const std::byte> bytes;
  if (tensor.external) {
    WHIT_ASSIGN_OR_RETURN(*scratch, ExternalBytes(tensor, folder, stored));
    bytes = *scratch;
  } else if (tensor.has_raw) {
    if (tensor.raw.size() != stored) {
      return Invalid(tensor, std::to_string(stored) + " bytes expected, it has " +
                                 std::to_string(tensor.raw.size()));
    }
    bytes = tensor.raw;
  } else {
    WHIT_ASSIGN_OR_RETURN(*scratch, TypedNumbers(tensor, FourBit(tensor.type) ? stored : elements));
    bytes = *scratch;
  }
  if (!FourBit(tensor.type)) return bytes;
  std::vector<std::byte> wide(static_cast<size_t>(elements));
  Widen(tensor.type, bytes, wide);
  *scratch = std::move(wide);
  return std::span<const std::byte>(*scratch);
}

}  // namespace whit::tools::onnx
