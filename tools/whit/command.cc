#include "tools/whit/command.h"

#include <unistd.h>

#include <cstdio>

#include "platform/crypto.h"

namespace whit::tools {

Status UsageError(std::string message) {
  return Status(StatusCode::kInvalidArgument, std::move(message));
}

Status BadInput(std::string message) { return Status(StatusCode::kRuntime, std::move(message)); }

Status NeedCrypto() {
  if (CryptoAvailable()) return OkStatus();
  return Status(StatusCode::kUnsupported,
                "this build has no libsodium (WHIT_SODIUM=OFF), which signatures need");
}

void PrintJson(const Json& json) {
  const std::string line = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::printf("%s\n", line.c_str());
}

std::string Printable(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n') || byte == 0x7f) c = '?';
  }
  return out;
}

namespace {

std::string Scaled(double value, double step, const char* const* units, int count) {
  int unit = 0;
  while (value >= step && unit + 1 < count) {
    value /= step;
    ++unit;
  }
  char text[64];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f%s" : "%.2f%s", value, units[unit]);
  return text;
}

}  // namespace

std::string HumanBytes(uint64_t bytes) {
  static const char* const kUnits[] = {" bytes", " KiB", " MiB", " GiB", " TiB"};
  return Scaled(static_cast<double>(bytes), 1024, kUnits, 5);
}

std::string HumanCount(uint64_t count) {
  static const char* const kUnits[] = {"", " k", " M", " G", " T"};
  return Scaled(static_cast<double>(count), 1000, kUnits, 5);
}

bool IsTerminal(int fd) { return isatty(fd) != 0; }

}  // namespace whit::tools
