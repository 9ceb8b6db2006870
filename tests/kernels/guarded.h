// Memory that ends at an unreadable page: an access behind the promise faults.
#ifndef WHIT_TESTS_KERNELS_GUARDED_H_
#define WHIT_TESTS_KERNELS_GUARDED_H_

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace whit {

/// `bytes`, then `slack` readable ones, then nothing. The start has whatever alignment follows. With
/// WHIT_TEST_READ_BEHIND in the environment what follows may be read, not written: qemu 7.2 reads
/// the lanes that an AVX load masks off.
class Guarded {
 public:
  Guarded(size_t bytes, size_t slack, uint8_t fill) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    size_ = (bytes + slack + page - 1) / page * page + page;
    map_ = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map_ == MAP_FAILED) std::abort();
    auto* end = static_cast<uint8_t*>(map_) + size_ - page;
    data_ = end - slack - bytes;
    std::memset(map_, fill, size_ - page);
    const bool readable = std::getenv("WHIT_TEST_READ_BEHIND") != nullptr;
    if (mprotect(end, page, readable ? PROT_READ : PROT_NONE) != 0) std::abort();
  }
  /// 64-aligned, as scratch is.
  static Guarded Scratch(size_t bytes) { return Guarded((bytes + 63) / 64 * 64, 0, 0xCD); }
  Guarded(Guarded&& other) noexcept : map_(other.map_), size_(other.size_), data_(other.data_) {
    other.map_ = nullptr;
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() {
    if (map_ != nullptr) munmap(map_, size_);
  }
  uint8_t* data() const { return data_; }

 private:
  void* map_ = nullptr;
  size_t size_ = 0;
  uint8_t* data_ = nullptr;
};

}  // namespace whit

#endif  // WHIT_TESTS_KERNELS_GUARDED_H_
