#include "tools/whit/jpeg_walk.h"

#include <algorithm>
#include <cstdint>

namespace whit::tools {

namespace {

constexpr uint8_t kDht = 0xc4, kRst0 = 0xd0, kRst7 = 0xd7, kSoi = 0xd8, kEoi = 0xd9, kSos = 0xda;

class Walker {
 public:
  explicit Walker(std::span<const std::byte> file) : file_(file) {}

  JpegWork Walk() {
    while (Marker()) {
      if (marker_ == kEoi) break;
      if (marker_ == kSoi || (marker_ >= kRst0 && marker_ <= kRst7)) continue;  // no length
      if (marker_ == kDht) {
        Tables();
      } else {
        work_.scans += marker_ == kSos ? 1 : 0;
        const size_t length = Word();
        at_ += length > 2 ? length - 2 : 0;
        in_scan_ = marker_ == kSos;
      }
    }
    return work_;
  }

 private:
  bool more() const { return at_ < file_.size(); }
  uint8_t Byte() { return more() ? static_cast<uint8_t>(file_[at_++]) : 0; }
  size_t Word() {
    const size_t high = Byte();
    return high << 8 | Byte();
  }

  /// The next one. In the data of a scan 0xff 0x00 is a byte, and restarts belong to it.
  bool Marker() {
    while (more()) {
      if (Byte() != 0xff) continue;
      do {
        marker_ = Byte();
      } while (marker_ == 0xff && more());
      const bool data = marker_ == 0 || (marker_ >= kRst0 && marker_ <= kRst7);
      if (in_scan_ ? !data : marker_ != 0) return true;
    }
    return false;
  }

  /// One segment. Tables go on while its length says so, even beyond its end.
  void Tables() {
    int64_t left = static_cast<int64_t>(Word()) - 2;
    while (left > 0 && more()) {
      ++at_;
      size_t codes = 0;
      for (int i = 0; i < 16; ++i) codes += Byte();
      work_.most_codes = std::max(work_.most_codes, codes);
      at_ += codes;
      left -= 17 + static_cast<int64_t>(codes);
    }
    in_scan_ = false;
  }

  std::span<const std::byte> file_;
  size_t at_ = 0;
  uint8_t marker_ = 0;
  bool in_scan_ = false;
  JpegWork work_;
};

}  // namespace

JpegWork WalkJpeg(std::span<const std::byte> file) { return Walker(file).Walk(); }

}  // namespace whit::tools
