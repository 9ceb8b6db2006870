// What the files of the vector family share, included before the wrappers.

/// n < kMost bytes, in two overlapping moves of the largest size that fits. Not inlined: it is what
/// follows a loop, and much code.
template <int kMost>
__attribute__((noinline, unused)) void CopyUnder(void* to, const void* from, int64_t n) {
  auto* t = static_cast<uint8_t*>(to);
  const auto* f = static_cast<const uint8_t*>(from);
#define WHIT_COPY_ENDS(size)                    \
  if (kMost > size && n >= size) {              \
    uint8_t first[size], last[size];            \
    __builtin_memcpy(first, f, size);           \
    __builtin_memcpy(last, f + n - size, size); \
    __builtin_memcpy(t, first, size);           \
    __builtin_memcpy(t + n - size, last, size); \
    return;                                     \
  }
  WHIT_COPY_ENDS(16)
  WHIT_COPY_ENDS(8)
  WHIT_COPY_ENDS(4)
  WHIT_COPY_ENDS(2)
#undef WHIT_COPY_ENDS
  if (n == 1) *t = *f;
}
