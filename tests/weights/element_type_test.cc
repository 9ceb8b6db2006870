#include "tools/import/weights/element_type.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>

namespace whit::tools {
namespace {

template <typename T>
double One(ElementType type, T stored) {
  double value;
  ToDoubles(type, std::as_bytes(std::span<const T>(&stored, 1)), {&value, 1});
  return value;
}

TEST(ElementTypeTest, NamesLeadBackToTheirTypes) {
  for (int i = 0; i < kElementTypeCount; ++i) {
    const auto type = static_cast<ElementType>(i);
    ElementType found;
    ASSERT_TRUE(ElementTypeNamed(ElementName(type), &found)) << i;
    EXPECT_EQ(found, type);
  }
  ElementType type;
  EXPECT_FALSE(ElementTypeNamed("float31", &type));
}

// Values from the definitions of the formats: sign, exponent, mantissa.
TEST(ElementTypeTest, SmallFloats) {
  EXPECT_EQ(One(ElementType::kFloat16, uint16_t{0x3c00}), 1.0);
  EXPECT_EQ(One(ElementType::kFloat16, uint16_t{0xc000}), -2.0);
  EXPECT_EQ(One(ElementType::kFloat16, uint16_t{0x7bff}), 65504.0);
  EXPECT_EQ(One(ElementType::kFloat16, uint16_t{0x0001}), std::ldexp(1.0, -24));
  EXPECT_TRUE(std::isinf(One(ElementType::kFloat16, uint16_t{0xfc00})));
  EXPECT_TRUE(std::isnan(One(ElementType::kFloat16, uint16_t{0x7c01})));
  EXPECT_EQ(One(ElementType::kBfloat16, uint16_t{0x3f80}), 1.0);
  EXPECT_EQ(One(ElementType::kBfloat16, uint16_t{0xc049}), -3.140625);
  EXPECT_EQ(One(ElementType::kFloat8E4M3, uint8_t{0x7e}), 448.0);
  EXPECT_EQ(One(ElementType::kFloat8E4M3, uint8_t{0x01}), std::ldexp(1.0, -9));
  EXPECT_TRUE(std::isnan(One(ElementType::kFloat8E4M3, uint8_t{0xff})));
  EXPECT_EQ(One(ElementType::kFloat8E5M2, uint8_t{0x7b}), 57344.0);
  EXPECT_TRUE(std::isinf(One(ElementType::kFloat8E5M2, uint8_t{0x7c})));
}

TEST(ElementTypeTest, IntegersAndComplex) {
  EXPECT_EQ(One(ElementType::kInt8, int8_t{-128}), -128.0);
  EXPECT_EQ(One(ElementType::kUint8, uint8_t{255}), 255.0);
  EXPECT_EQ(One(ElementType::kUint64, std::numeric_limits<uint64_t>::max()), std::ldexp(1.0, 64));
  EXPECT_EQ(One(ElementType::kBool, uint8_t{7}), 1.0);
  EXPECT_EQ(One(ElementType::kComplex64, std::array<float, 2>{3, -4}), 5.0);
}

TEST(ElementTypeTest, UnalignedBytesAreRead) {
  std::array<std::byte, 9> bytes{};
  const double pi = 3.141592653589793;
  std::memcpy(bytes.data() + 1, &pi, sizeof(pi));
  float value;
  ToFloats(ElementType::kFloat64, std::span<const std::byte>(bytes).subspan(1), {&value, 1});
  EXPECT_EQ(value, static_cast<float>(pi));
}

}  // namespace
}  // namespace whit::tools
