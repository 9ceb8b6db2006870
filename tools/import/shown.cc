#include "tools/import/shown.h"

namespace whit::tools {

std::string Shown(const std::string& text) {
  constexpr size_t kLongest = 120;
  std::string out = text.substr(0, kLongest);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 32 || c == 127) c = '?';
  }
  return text.size() > kLongest ? out + "..." : out;
}

}  // namespace whit::tools
