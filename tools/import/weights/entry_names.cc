#include "tools/import/weights/entry_names.h"

namespace whit::tools {

namespace {

// Bytes of the well-formed UTF-8 sequence that `text` begins with (Unicode 15, table 3-7), or 0.
size_t SequenceLength(std::string_view text) {
  const auto at = [text](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0; };
  const uint8_t lead = at(0);
  if (lead < 0x80) return 1;
  uint8_t low = 0x80, high = 0xbf;  // of the second byte
  size_t length = 0;
  if (lead >= 0xc2 && lead <= 0xdf) length = 2;
  if (lead >= 0xe0 && lead <= 0xef) length = 3;
  if (lead >= 0xf0 && lead <= 0xf4) length = 4;
  if (lead == 0xe0) low = 0xa0;
  if (lead == 0xed) high = 0x9f;
  if (lead == 0xf0) low = 0x90;
  if (lead == 0xf4) high = 0x8f;
  if (length == 0 || at(1) < low || at(1) > high) return 0;
  for (size_t i = 2; i < length; ++i) {
    if (at(i) < 0x80 || at(i) > 0xbf) return 0;
  }
  return length;
}

}  // namespace

std::string ToUtf8(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t length = SequenceLength(text);
    out += length == 0 ? std::string_view("\xef\xbf\xbd") : text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string EntryNames::Take(std::string_view wanted, const std::string& fallback) {
  const std::string base = wanted.empty() ? fallback : ToUtf8(wanted);
  std::string name = base;
  while (uses_.contains(name)) name = base + "#" + std::to_string(++uses_[base]);
  uses_[name] = 1;
  return name;
}

}  // namespace whit::tools
