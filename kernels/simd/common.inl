// What every tier's compilation shares. Included inside the tier's anonymous namespace after its
// wrapper; nothing here may call the standard library (see kernels.h).

#define WHIT_INLINE inline __attribute__((always_inline))

#define WHIT_LAMBDA_INLINE __attribute__((always_inline))

/// Fixes the order of sums: gcc 12 otherwise gathers products until accumulators spill.
#if defined(__x86_64__) || defined(__i386__)
#define WHIT_PIN(v) asm volatile("" : "+x"(v))
#elif defined(__aarch64__)
#define WHIT_PIN(v) asm volatile("" : "+w"(v))
#else
#define WHIT_PIN(v) asm volatile("" : "+w"(v))
#endif

/// What nearly always holds where a loop runs long: bench/mca.py leaves all else out of its model.
#if defined(WHIT_MCA)
#define WHIT_USUAL(condition) \
  if (!(condition)) __builtin_unreachable()
#else
#define WHIT_USUAL(condition)
#endif

template <typename T>
WHIT_INLINE T Min(T a, T b) {
  return a < b ? a : b;
}
template <typename T>
WHIT_INLINE T Max(T a, T b) {
  return a < b ? b : a;
}
WHIT_INLINE int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// 16-channel panels of a group, and the channels that panel q stores (docs/layout.md, 1).
WHIT_INLINE int64_t PanelsOf(int64_t n) { return CeilDiv(n, 16); }
WHIT_INLINE int PanelWidth(int64_t n, int64_t q) { return n - 16 * q <= 8 ? 8 : 16; }

/// Calls Run<rows>(first row, tiles) so that all rows are in tiles of at most kMax rows whose sizes
/// differ by one at most: 49 rows are seven tiles of 7, not six of 8 and one of 1.
template <int kMax, class Runner>
WHIT_INLINE void SplitRows(int64_t count, const Runner& run) {
  const int64_t tiles = CeilDiv(count, kMax);
  const int64_t base = count / tiles, longer = count % tiles;
  run.Run(base + 1, 0, longer);
  run.Run(base, longer * (base + 1), tiles - longer);
}
