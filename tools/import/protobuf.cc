#include "tools/import/protobuf.h"

#include <bit>
#include <cstring>

namespace whit::tools {

static_assert(std::endian::native == std::endian::little, "numbers are copied as they lie");

bool TakeVarint(std::span<const std::byte>* bytes, uint64_t* value) {
  uint64_t bits = 0;
  for (size_t i = 0; i < bytes->size() && i < 10; ++i) {  // 10 times 7 bits cover 64
    const auto byte = static_cast<uint64_t>((*bytes)[i]);
    if (i == 9 && byte > 1) return false;
    bits |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      *value = bits;
      *bytes = bytes->subspan(i + 1);
      return true;
    }
  }
  return false;
}

bool ProtoReader::FailAt(const std::string& what) {
  Fail(Status(StatusCode::kInvalidModel, std::string(what_) + ": " + what + " at byte " +
                                             std::to_string(size_ - rest_.size()) + " of " +
                                             std::to_string(size_)));
  return false;
}

template <typename T>
bool ProtoReader::Fixed(T* value) {
  if (rest_.size() < sizeof(T)) return FailAt("a number is cut off");
  std::memcpy(value, rest_.data(), sizeof(T));
  rest_ = rest_.subspan(sizeof(T));
  return true;
}

bool ProtoReader::Next(ProtoField* field) {
  if (!status_.ok() || rest_.empty()) return false;
  uint64_t tag = 0;
  if (!TakeVarint(&rest_, &tag)) return FailAt("a field's number is cut off");
  if (tag >> 3 == 0 || tag >> 32 != 0) return FailAt("a field's number is out of range");
  field->number = static_cast<uint32_t>(tag >> 3);
  field->type = static_cast<WireType>(tag & 7);
  field->bytes = {};
  field->value = 0;
  switch (field->type) {
    case WireType::kVarint:
      return TakeVarint(&rest_, &field->value) || FailAt("a number is cut off");
    case WireType::kFixed64:
      return Fixed(&field->value);
    case WireType::kFixed32: {
      uint32_t value = 0;
      if (!Fixed(&value)) return false;
      field->value = value;
      return true;
    }
    case WireType::kBytes: {
      uint64_t size = 0;
      if (!TakeVarint(&rest_, &size)) return FailAt("the size of a field is cut off");
      if (size > rest_.size()) {
        return FailAt("field " + std::to_string(field->number) + " has " + std::to_string(size) +
                      " bytes where " + std::to_string(rest_.size()) + " are left");
      }
      field->bytes = rest_.first(static_cast<size_t>(size));
      rest_ = rest_.subspan(static_cast<size_t>(size));
      return true;
    }
  }
  return FailAt("field " + std::to_string(field->number) + " has wire type " +
                std::to_string(tag & 7));
}

bool ProtoReader::Expect(const ProtoField& field, WireType type) {
  if (field.type == type) return true;
  return FailAt("field " + std::to_string(field.number) + " has wire type " +
                std::to_string(static_cast<int>(field.type)) + ", expected " +
                std::to_string(static_cast<int>(type)) + ", before");
}

int64_t ProtoReader::Int(const ProtoField& field) {
  return Expect(field, WireType::kVarint) ? static_cast<int64_t>(field.value) : 0;
}

float ProtoReader::Float(const ProtoField& field) {
  return Expect(field, WireType::kFixed32)
             ? std::bit_cast<float>(static_cast<uint32_t>(field.value))
             : 0;
}

std::span<const std::byte> ProtoReader::Data(const ProtoField& field) {
  return Expect(field, WireType::kBytes) ? field.bytes : std::span<const std::byte>();
}

std::string_view ProtoReader::Text(const ProtoField& field) {
  const auto bytes = Data(field);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

ProtoReader ProtoReader::Message(const ProtoField& field, const char* what) {
  if (depth_ == kMaxDepth) {
    FailAt("messages are nested more than " + std::to_string(kMaxDepth) + " deep");
    return {{}, what, depth_, status_};
  }
  return {Data(field), what, depth_ + 1, status_};
}

void ProtoReader::Ints(const ProtoField& field, std::vector<int64_t>* values) {
  if (field.type != WireType::kBytes) {
    values->push_back(Int(field));
    return;
  }
  for (std::span<const std::byte> rest = field.bytes; !rest.empty();) {
    uint64_t value = 0;
    if (!TakeVarint(&rest, &value)) {
      FailAt("a number is cut off");
      return;
    }
    values->push_back(static_cast<int64_t>(value));
  }
}

template <typename Bits, typename T>
void ProtoReader::FixedNumbers(const ProtoField& field, WireType type, std::vector<T>* values) {
  if (field.type != WireType::kBytes) {
    if (Expect(field, type)) values->push_back(std::bit_cast<T>(static_cast<Bits>(field.value)));
    return;
  }
  if (field.bytes.size() % sizeof(T) != 0) {
    FailAt("field " + std::to_string(field.number) + " has " + std::to_string(field.bytes.size()) +
           " bytes, no multiple of " + std::to_string(sizeof(T)) + ", before");
    return;
  }
  if (field.bytes.empty()) return;
  const size_t before = values->size();
  values->resize(before + field.bytes.size() / sizeof(T));
  std::memcpy(values->data() + before, field.bytes.data(), field.bytes.size());
}

void ProtoReader::Floats(const ProtoField& field, std::vector<float>* values) {
  FixedNumbers<uint32_t>(field, WireType::kFixed32, values);
}

void ProtoReader::Doubles(const ProtoField& field, std::vector<double>* values) {
  FixedNumbers<uint64_t>(field, WireType::kFixed64, values);
}

}  // namespace whit::tools
