// The names that safetensors has for element types.
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_SAFETENSORS_TYPE_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_SAFETENSORS_TYPE_H_

#include <string_view>

#include "tools/import/weights/element_type.h"

namespace whit::tools {

/// False where the name is of no type that is known.
bool SafetensorsTypeNamed(std::string_view name, ElementType* type);
/// "BF16"; null of complex128, which the format does not have.
const char* SafetensorsType(ElementType type);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_SAFETENSORS_TYPE_H_
