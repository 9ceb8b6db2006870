#include "tools/import/weights/safetensors_type.h"

namespace whit::tools {

namespace {

struct TypeRow {
  const char* name;
  ElementType type;
};
constexpr TypeRow kTypes[] = {
    {"F64", ElementType::kFloat64},        {"F32", ElementType::kFloat32},
    {"F16", ElementType::kFloat16},        {"BF16", ElementType::kBfloat16},
    {"F8_E4M3", ElementType::kFloat8E4M3}, {"F8_E5M2", ElementType::kFloat8E5M2},
    {"I64", ElementType::kInt64},          {"I32", ElementType::kInt32},
    {"I16", ElementType::kInt16},          {"I8", ElementType::kInt8},
    {"U64", ElementType::kUint64},         {"U32", ElementType::kUint32},
    {"U16", ElementType::kUint16},         {"U8", ElementType::kUint8},
    {"BOOL", ElementType::kBool},          {"C64", ElementType::kComplex64},
};

}  // namespace

bool SafetensorsTypeNamed(std::string_view name, ElementType* type) {
  for (const TypeRow& row : kTypes) {
    if (name != row.name) continue;
    *type = row.type;
    return true;
  }
  return false;
}

const char* SafetensorsType(ElementType type) {
  for (const TypeRow& row : kTypes) {
    if (row.type == type) return row.name;
  }
  return nullptr;
}

}  // namespace whit::tools
