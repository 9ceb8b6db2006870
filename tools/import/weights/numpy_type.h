// NumPy's short names of element types: "<f4", ">i2", "|b1".
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_NUMPY_TYPE_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_NUMPY_TYPE_H_

#include <string>
#include <string_view>

#include "tools/import/weights/element_type.h"

namespace whit::tools {

/// False where the name is not of a type that is known. Without a byte order: little-endian.
bool NumpyType(std::string_view name, ElementType* type, bool* big_endian);
/// "<f4"; of types that NumPy does not have the bytes as an unsigned integer: "<u2" of bfloat16.
std::string NumpyName(ElementType type);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_NUMPY_TYPE_H_
