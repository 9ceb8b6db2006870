#include "tools/import/weights/hdf5_type.h"

namespace whit::tools {

namespace {

using Kind = Hdf5Type::Kind;

enum Class : uint8_t {
  kFixedPoint = 0,
  kFloatingPoint = 1,
  kFixedText = 3,
  kCompound = 6,
  kEnumeration = 8,
  kVariableLength = 9,
};

const char* const kClassNames[] = {
    "integers",     "floats",         "times",      "strings",      "bit fields",
    "opaque bytes", "records",        "references", "enumerations", "lists of varying length",
    "arrays",       "complex numbers"};
constexpr uint32_t kMaxRank = 32;  // the format's own bound

Hdf5Type Refused(uint32_t size, const std::string& why) {
  Hdf5Type type;
  type.size = size;
  type.refused = why;
  return type;
}

// What each message begins with.
struct Head {
  int version, type_class;
  uint32_t bits, size;

  explicit Head(ByteReader& in) {
    const uint8_t first = in.U8();
    version = first >> 4, type_class = first & 15;
    bits = static_cast<uint32_t>(in.Uint(3));
    size = in.U32();
  }
};

Hdf5Type Integers(const Head& head, ByteReader& in) {
  const uint16_t offset = in.U16(), precision = in.U16();
  if (!in.ok() || offset != 0 || precision != 8 * uint64_t{head.size})
    return Refused(head.size, "integers that do not fill their bytes");
  Hdf5Type type;
  const bool is_signed = (head.bits & 8) != 0;
  switch (head.size) {
    case 1:
      type.type = is_signed ? ElementType::kInt8 : ElementType::kUint8;
      break;
    case 2:
      type.type = is_signed ? ElementType::kInt16 : ElementType::kUint16;
      break;
    case 4:
      type.type = is_signed ? ElementType::kInt32 : ElementType::kUint32;
      break;
    case 8:
      type.type = is_signed ? ElementType::kInt64 : ElementType::kUint64;
      break;
    default:
      return Refused(head.size, "integers of " + std::to_string(head.size) + " bytes");
  }
  type.kind = Kind::kNumber;
  type.size = head.size;
  type.big_endian = (head.bits & 1) != 0;
  return type;
}

// Where the parts of a float lie, of the types that there are: sign, exponent and mantissa from
// the top down.
struct FloatForm {
  ElementType type;
  uint32_t size;
  int exponent_bits, mantissa_bits;
  uint32_t bias;
};
constexpr FloatForm kFloats[] = {
    {ElementType::kFloat64, 8, 11, 52, 1023}, {ElementType::kFloat32, 4, 8, 23, 127},
    {ElementType::kFloat16, 2, 5, 10, 15},    {ElementType::kBfloat16, 2, 8, 7, 127},
    {ElementType::kFloat8E4M3, 1, 4, 3, 7},   {ElementType::kFloat8E5M2, 1, 5, 2, 15},
};

Hdf5Type Floats(const Head& head, ByteReader& in) {
  const uint16_t offset = in.U16(), precision = in.U16();
  const int exponent_at = in.U8(), exponent_bits = in.U8();
  const int mantissa_at = in.U8(), mantissa_bits = in.U8();
  const uint32_t bias = in.U32();
  const uint32_t sign_at = head.bits >> 8 & 255;
  const bool vax = (head.bits & 0x40) != 0, implied_one = (head.bits >> 4 & 3) == 2;
  for (const FloatForm& form : kFloats) {
    if (!in.ok() || vax || !implied_one || offset != 0 || mantissa_at != 0) break;
    if (head.size != form.size || precision != 8 * form.size || bias != form.bias ||
        exponent_bits != form.exponent_bits || mantissa_bits != form.mantissa_bits ||
        exponent_at != mantissa_bits || sign_at != precision - 1u) {
      continue;
    }
    Hdf5Type type;
    type.kind = Kind::kNumber;
    type.type = form.type;
    type.size = form.size;
    type.big_endian = (head.bits & 1) != 0;
    return type;
  }
  return Refused(head.size, "floats of a form that is not IEEE's");
}

Hdf5Type Number(ByteReader& in) {
  const Head head(in);
  if (head.type_class == kFixedPoint) return Integers(head, in);
  if (head.type_class == kFloatingPoint) return Floats(head, in);
  return Refused(head.size, "elements made of others");
}

// Records of two equal floats are what complex numbers are written as.
Hdf5Type Records(const Head& head, ByteReader& in) {
  const Hdf5Type other = Refused(head.size, kClassNames[kCompound]);
  if ((head.bits & 0xffff) != 2) return other;
  Hdf5Type parts[2];
  for (uint32_t i = 0; i < 2; ++i) {
    const size_t name = in.Text().size() + 1;
    if (head.version < 3) in.Skip((8 - name % 8) % 8);
    // From version 3 on, the place takes as few bytes as the record's size does.
    size_t place_bytes = 4;
    if (head.version >= 3) {
      place_bytes = 1;
      while (place_bytes < 4 && head.size >> (8 * place_bytes) != 0) ++place_bytes;
    }
    const uint64_t place = in.Uint(place_bytes);
    if (head.version == 1) {
      if (in.U8() != 0) return other;  // an array
      in.Skip(3 + 4 + 4 + 4 * 4);
    }
    parts[i] = Number(in);
    if (!in.ok() || parts[i].kind != Kind::kNumber || place != i * uint64_t{parts[i].size})
      return other;
  }
  const ElementType part = parts[0].type;
  if (part != parts[1].type || parts[0].big_endian != parts[1].big_endian ||
      head.size != 2 * parts[0].size ||
      (part != ElementType::kFloat32 && part != ElementType::kFloat64)) {
    return other;
  }
  Hdf5Type type = parts[0];
  type.type = part == ElementType::kFloat32 ? ElementType::kComplex64 : ElementType::kComplex128;
  type.size = head.size;
  return type;
}

// The numbers behind the names; int8 with FALSE and TRUE is how truth values are written.
Hdf5Type Enumeration(const Head& head, ByteReader& in) {
  Hdf5Type type = Number(in);
  if (type.kind != Kind::kNumber || type.size != head.size)
    return Refused(head.size, kClassNames[kEnumeration]);
  if (type.type != ElementType::kInt8 || (head.bits & 0xffff) != 2) return type;
  for (const std::string_view expected : {"FALSE", "TRUE"}) {
    const std::string_view name = in.Text();
    if (name != expected) return type;
    if (head.version < 3) in.Skip((8 - (name.size() + 1) % 8) % 8);
  }
  if (in.U8() == 0 && in.U8() == 1 && in.ok()) type.type = ElementType::kBool;
  return type;
}

}  // namespace

Hdf5Type ParseHdf5Type(std::span<const std::byte> message) {
  ByteReader in(message);
  const Head head(in);
  if (!in.ok() || head.size == 0) return Refused(0, "a datatype that is cut off");
  Hdf5Type type;
  switch (head.type_class) {
    case kFixedPoint:
      return Integers(head, in);
    case kFloatingPoint:
      return Floats(head, in);
    case kFixedText:
      type = Refused(head.size, kClassNames[kFixedText]);
      type.kind = Kind::kFixedString;
      return type;
    case kCompound:
      return Records(head, in);
    case kEnumeration:
      return Enumeration(head, in);
    case kVariableLength:
      if ((head.bits & 15) != 1) return Refused(head.size, kClassNames[kVariableLength]);
      type = Refused(head.size, kClassNames[kFixedText]);
      type.kind = Kind::kString;
      return type;
    default:
      return Refused(head.size, head.type_class < static_cast<int>(std::size(kClassNames))
                                    ? kClassNames[head.type_class]
                                    : "elements of class " + std::to_string(head.type_class));
  }
}

uint64_t Hdf5Space::elements() const {
  if (null) return 0;
  uint64_t product = 1;
  bool empty = false;
  for (uint64_t d : dims) {
    if (d == 0) {
      empty = true;
    } else if (product > (uint64_t{1} << 62) / d) {
      return Hdf5Reader::kUndefined;
    } else {
      product *= d;
    }
  }
  return empty ? 0 : product;
}

Result<Hdf5Space> ParseHdf5Space(const Hdf5Reader& reader, std::span<const std::byte> message) {
  ByteReader in(message);
  const int version = in.U8();
  const uint32_t rank = in.U8();
  const uint8_t flags = in.U8();
  Hdf5Space space;
  if (version == 1) {
    in.Skip(5);
  } else {
    constexpr uint8_t kNull = 2;
    space.null = in.U8() == kNull;
  }
  if (version < 1 || version > 2 || rank > kMaxRank) {
    return Status(StatusCode::kInvalidModel, "a dataspace of version " + std::to_string(version) +
                                                 " and rank " + std::to_string(rank) +
                                                 "; 1 or 2 and at most 32 are known");
  }
  for (uint32_t i = 0; i < rank; ++i) space.dims.push_back(reader.Length(in));
  for (uint32_t i = 0; i < rank; ++i) {
    const uint64_t most = (flags & 1) != 0 ? reader.Length(in) : space.dims[i];
    const bool unlimited = most == Hdf5Reader::kUndefined >> (64 - 8 * reader.length_size());
    space.max_dims.push_back(unlimited ? Hdf5Reader::kUndefined : most);
  }
  if (!in.ok()) return Status(StatusCode::kInvalidModel, "a dataspace is cut off");
  return space;
}

}  // namespace whit::tools
