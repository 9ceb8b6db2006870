// The element types that files of weights hold: more than tensors of a model may have.
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_ELEMENT_TYPE_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_ELEMENT_TYPE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace whit::tools {

enum class ElementType : uint8_t {
  kFloat64,
  kFloat32,
  kFloat16,
  kBfloat16,
  kFloat8E4M3,  // "fn": no infinities, 0x7f and 0xff are NaN
  kFloat8E5M2,
  kInt64,
  kInt32,
  kInt16,
  kInt8,
  kUint64,
  kUint32,
  kUint16,
  kUint8,
  kBool,
  kComplex64,   // two float32, real part first
  kComplex128,  // two float64
};
inline constexpr int kElementTypeCount = 17;

/// Bytes of one element.
size_t ElementSize(ElementType type);
/// NumPy's name: "float32", "bfloat16", "complex64".
const char* ElementName(ElementType type);
/// The type of that name, or false.
bool ElementTypeNamed(std::string_view name, ElementType* type);
/// float64 down to float8: what statistics and quantization are about.
bool IsFloating(ElementType type);
bool IsComplex(ElementType type);

/// Elements as doubles, exact but for integers of more than 53 bits. Complex elements give their
/// magnitude. REQUIRES bytes.size() == out.size() * ElementSize(type); `bytes` need not be aligned.
void ToDoubles(ElementType type, std::span<const std::byte> bytes, std::span<double> out);
/// The same rounded to float32, nearest even.
void ToFloats(ElementType type, std::span<const std::byte> bytes, std::span<float> out);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_ELEMENT_TYPE_H_
