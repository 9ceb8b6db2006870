#include "platform/clock.h"

#include <algorithm>
#include <chrono>

namespace whit {
namespace {

constexpr int kAddsPerRound = 64;
constexpr int kRoundsPerBlock = 256;
constexpr int kSamples = 5;
constexpr uint64_t kSampleNs =
    2'000'000;  // long enough that reading the clock (about 30 ns) does not matter

// One round: kAddsPerRound additions, each waiting for the one before. Register to register,
// because some cores fold additions of constants at rename and need no cycle for them. Assembly,
// because a compiler would make one addition of it.
#if defined(__x86_64__) || defined(__i386__)
#define WHIT_ADD "add %1, %0\n\t"
#elif defined(__aarch64__)
#define WHIT_ADD "add %0, %0, %1\n\t"
#elif defined(__arm__)
#define WHIT_ADD "add %0, %0, %1\n\t"
#endif

#ifdef WHIT_ADD
#define WHIT_ADD8 WHIT_ADD WHIT_ADD WHIT_ADD WHIT_ADD WHIT_ADD WHIT_ADD WHIT_ADD WHIT_ADD
inline uintptr_t AddChain(uintptr_t value, uintptr_t step) {
  asm volatile(WHIT_ADD8 WHIT_ADD8 WHIT_ADD8 WHIT_ADD8 WHIT_ADD8 WHIT_ADD8 WHIT_ADD8 WHIT_ADD8
               : "+r"(value)
               : "r"(step)
               : "cc");
  return value;
}
#else
inline uintptr_t AddChain(uintptr_t value, uintptr_t step) {
  for (int i = 0; i < kAddsPerRound; ++i) {
    value += step;
    asm volatile("" : "+r"(value));
  }
  return value;
}
#endif

}  // namespace

uint64_t NowNs() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

double MeasureClockGhz() {
  double best = 0;  // of several samples: an interrupt only ever makes one slower
  uintptr_t value = 1;
  for (int sample = 0; sample < kSamples; ++sample) {
    const uint64_t begin = NowNs();
    uint64_t elapsed = 0;
    double adds = 0;
    while (elapsed < kSampleNs) {
      for (int round = 0; round < kRoundsPerBlock; ++round) value = AddChain(value, 3);
      adds += kAddsPerRound * kRoundsPerBlock;
      elapsed = NowNs() - begin;
    }
    best = std::max(best, adds / static_cast<double>(elapsed));
  }
  return best;
}

}  // namespace whit
