#include "tools/whit/jpeg_walk.h"

#include <algorithm>
#include <cstdint>

namespace whit::tools {

namespace {

constexpr uint8_t kSof0 = 0xc0, kSof2 = 0xc2, kDht = 0xc4, kRst0 = 0xd0, kRst7 = 0xd7, kSoi = 0xd8,
                  kEoi = 0xd9, kSos = 0xda;

class Walker {
 public:
  explicit Walker(std::span<const std::byte> file) : file_(file) {}

  JpegWork Walk() {
    while (Marker()) {
      if (marker_ == kEoi) break;
      if (marker_ == kSoi || (marker_ >= kRst0 && marker_ <= kRst7)) continue;  // no length
      in_scan_ = false;
      if (marker_ == kDht) {
        Tables();
      } else if (marker_ == kSos) {
        Scan();
      } else {
        if (!framed_ && marker_ >= kSof0 && marker_ <= kSof2)
          framed_ = true, progressive_ = marker_ == kSof2;
        const size_t length = Word();
        at_ += length > 2 ? length - 2 : 0;
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
      const uint8_t id = Byte();
      (id >> 4 == 0 ? dc_ : ac_) |= 1u << (id & 15);
      size_t codes = 0;
      for (int i = 0; i < 16; ++i) codes += Byte();
      work_.most_codes = std::max(work_.most_codes, codes);
      at_ += codes;
      left -= 17 + static_cast<int64_t>(codes);
    }
  }

  /// The header of a scan. Which tables it needs depends on what it codes: a progressive one the
  /// first coefficient of each block, or others; that of the first may be one more bit, as it is.
  void Scan() {
    ++work_.scans;
    const size_t end = at_ + std::max<size_t>(2, Word());
    const uint8_t components = Byte();
    uint32_t dc = 0, ac = 0;
    for (int i = 0; i < components && i < 4; ++i) {
      (void)Byte();
      const uint8_t tables = Byte();
      dc |= 1u << (tables >> 4), ac |= 1u << (tables & 15);
    }
    const uint8_t first = Byte();
    (void)Byte();
    const bool refines = Byte() >> 4 != 0;
    if (progressive_ && first > 0) dc = 0;
    if (progressive_ && first == 0) ac = 0;
    if (progressive_ && first == 0 && refines) dc = 0;
    if ((dc & ~dc_) != 0 || (ac & ~ac_) != 0) work_.undefined_table = true;
    at_ = std::min(at_, end);  // where they differ it is no scan; nothing may be passed over
    in_scan_ = true;
  }

  std::span<const std::byte> file_;
  size_t at_ = 0;
  uint8_t marker_ = 0;
  bool in_scan_ = false, framed_ = false, progressive_ = false;
  uint32_t dc_ = 0, ac_ = 0;  // tables that are defined, by bit
  JpegWork work_;
};

}  // namespace

JpegWork WalkJpeg(std::span<const std::byte> file) { return Walker(file).Walk(); }

}  // namespace whit::tools
