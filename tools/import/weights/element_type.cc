#include "tools/import/weights/element_type.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace whit::tools {

namespace {

struct ElementRow {
  const char* name;
  uint8_t size;
};

constexpr ElementRow kElementRows[kElementTypeCount] = {
    {"float64", 8},     {"float32", 4},     {"float16", 2}, {"bfloat16", 2}, {"float8_e4m3fn", 1},
    {"float8_e5m2", 1}, {"int64", 8},       {"int32", 4},   {"int16", 2},    {"int8", 1},
    {"uint64", 8},      {"uint32", 4},      {"uint16", 2},  {"uint8", 1},    {"bool", 1},
    {"complex64", 8},   {"complex128", 16},
};

// A float of `exponent` and `mantissa` bits under a sign, IEEE rules for zeros and denormals.
template <int exponent, int mantissa>
double FromSmallFloat(uint32_t bits, bool infinities) {
  constexpr int kBias = (1 << (exponent - 1)) - 1, kTop = (1 << exponent) - 1;
  constexpr uint32_t kFraction = (1u << mantissa) - 1;
  const int e = static_cast<int>(bits >> mantissa) & kTop;
  const uint32_t f = bits & kFraction;
  double value;
  if (e == kTop && infinities) {
    value =
        f == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  } else if (e == kTop && f == kFraction) {
    value = std::numeric_limits<double>::quiet_NaN();
  } else if (e == 0) {
    value = std::ldexp(static_cast<double>(f), 1 - kBias - mantissa);
  } else {
    value = std::ldexp(static_cast<double>(f + kFraction + 1), e - kBias - mantissa);
  }
  return (bits >> (exponent + mantissa)) & 1 ? -value : value;
}

template <typename T>
T Load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

// Calls fn(i, value) for every element, with the value as a double, a float or an integer.
template <typename Fn>
void ForEach(ElementType type, std::span<const std::byte> bytes, size_t count, Fn fn) {
  const std::byte* p = bytes.data();
  const auto loop = [&](auto load) {
    for (size_t i = 0; i < count; ++i) fn(i, load(i));
  };
  switch (type) {
    case ElementType::kFloat64:
      return loop([p](size_t i) { return Load<double>(p + 8 * i); });
    case ElementType::kFloat32:
      return loop([p](size_t i) { return Load<float>(p + 4 * i); });
    case ElementType::kFloat16:
      return loop([p](size_t i) { return FromSmallFloat<5, 10>(Load<uint16_t>(p + 2 * i), true); });
    case ElementType::kBfloat16:
      return loop([p](size_t i) {
        return std::bit_cast<float>(uint32_t{Load<uint16_t>(p + 2 * i)} << 16);
      });
    case ElementType::kFloat8E4M3:
      return loop([p](size_t i) { return FromSmallFloat<4, 3>(Load<uint8_t>(p + i), false); });
    case ElementType::kFloat8E5M2:
      return loop([p](size_t i) { return FromSmallFloat<5, 2>(Load<uint8_t>(p + i), true); });
    case ElementType::kInt64:
      return loop([p](size_t i) { return Load<int64_t>(p + 8 * i); });
    case ElementType::kInt32:
      return loop([p](size_t i) { return Load<int32_t>(p + 4 * i); });
    case ElementType::kInt16:
      return loop([p](size_t i) { return Load<int16_t>(p + 2 * i); });
    case ElementType::kInt8:
      return loop([p](size_t i) { return Load<int8_t>(p + i); });
    case ElementType::kUint64:
      return loop([p](size_t i) { return Load<uint64_t>(p + 8 * i); });
    case ElementType::kUint32:
      return loop([p](size_t i) { return Load<uint32_t>(p + 4 * i); });
    case ElementType::kUint16:
      return loop([p](size_t i) { return Load<uint16_t>(p + 2 * i); });
    case ElementType::kUint8:
      return loop([p](size_t i) { return Load<uint8_t>(p + i); });
    case ElementType::kBool:
      return loop([p](size_t i) { return static_cast<int>(Load<uint8_t>(p + i) != 0); });
    case ElementType::kComplex64:
      return loop([p](size_t i) {
        return std::hypot(double{Load<float>(p + 8 * i)}, double{Load<float>(p + 8 * i + 4)});
      });
    case ElementType::kComplex128:
      return loop([p](size_t i) {
        return std::hypot(Load<double>(p + 16 * i), Load<double>(p + 16 * i + 8));
      });
  }
}

}  // namespace

size_t ElementSize(ElementType type) { return kElementRows[static_cast<size_t>(type)].size; }

const char* ElementName(ElementType type) { return kElementRows[static_cast<size_t>(type)].name; }

bool ElementTypeNamed(std::string_view name, ElementType* type) {
  for (int i = 0; i < kElementTypeCount; ++i) {
    if (name != kElementRows[i].name) continue;
    *type = static_cast<ElementType>(i);
    return true;
  }
  return false;
}

bool IsFloating(ElementType type) { return type <= ElementType::kFloat8E5M2; }

bool IsComplex(ElementType type) { return type >= ElementType::kComplex64; }

void ToDoubles(ElementType type, std::span<const std::byte> bytes, std::span<double> out) {
  ForEach(type, bytes, out.size(),
          [out](size_t i, auto value) { out[i] = static_cast<double>(value); });
}

void ToFloats(ElementType type, std::span<const std::byte> bytes, std::span<float> out) {
  ForEach(type, bytes, out.size(),
          [out](size_t i, auto value) { out[i] = static_cast<float>(value); });
}

}  // namespace whit::tools
