// The part of crypto.h that needs no library.
#include "platform/crypto.h"

namespace whit {

std::string ToHex(std::span<const std::byte> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (std::byte b : bytes) {
    text += kDigits[static_cast<unsigned>(b) >> 4];
    text += kDigits[static_cast<unsigned>(b) & 15];
  }
  return text;
}

namespace {

int ValueOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Status FromHex(std::string_view text, std::span<std::byte> bytes) {
  if (text.size() != bytes.size() * 2) {
    return Status(StatusCode::kInvalidArgument, std::to_string(bytes.size() * 2) +
                                                    " hexadecimal digits expected, there are " +
                                                    std::to_string(text.size()) + " characters");
  }
  for (size_t i = 0; i < bytes.size(); ++i) {
    const int high = ValueOf(text[2 * i]), low = ValueOf(text[2 * i + 1]);
    if (high < 0 || low < 0) {
      return Status(
          StatusCode::kInvalidArgument,
          "character " + std::to_string(2 * i + (high < 0 ? 0 : 1)) + " is no hexadecimal digit");
    }
    bytes[i] = static_cast<std::byte>(high * 16 + low);
  }
  return OkStatus();
}

}  // namespace whit
