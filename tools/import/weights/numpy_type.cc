#include "tools/import/weights/numpy_type.h"

namespace whit::tools {

namespace {

struct NumpyRow {
  std::string_view name;
  ElementType type;
};
constexpr NumpyRow kNumpyRows[] = {
    {"f8", ElementType::kFloat64},   {"f4", ElementType::kFloat32},
    {"f2", ElementType::kFloat16},   {"i8", ElementType::kInt64},
    {"i4", ElementType::kInt32},     {"i2", ElementType::kInt16},
    {"i1", ElementType::kInt8},      {"u8", ElementType::kUint64},
    {"u4", ElementType::kUint32},    {"u2", ElementType::kUint16},
    {"u1", ElementType::kUint8},     {"b1", ElementType::kBool},
    {"c8", ElementType::kComplex64}, {"c16", ElementType::kComplex128},
};

}  // namespace

bool NumpyType(std::string_view name, ElementType* type, bool* big_endian) {
  *big_endian = name.starts_with('>');
  if (!name.empty() && std::string_view("<>|=").find(name[0]) != std::string_view::npos)
    name.remove_prefix(1);
  for (const NumpyRow& row : kNumpyRows) {
    if (name != row.name) continue;
    *type = row.type;
    return true;
  }
  return false;
}

std::string NumpyName(ElementType type) {
  const size_t size = ElementSize(type);
  for (const NumpyRow& row : kNumpyRows) {
    if (row.type == type) return (size == 1 ? "|" : "<") + std::string(row.name);
  }
  return (size == 1 ? "|u" : "<u") + std::to_string(size);
}

}  // namespace whit::tools
