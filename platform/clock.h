// Time, and how fast the CPU really runs.
#ifndef WHIT_PLATFORM_CLOCK_H_
#define WHIT_PLATFORM_CLOCK_H_

#include <cstdint>

namespace whit {

/// Monotonic nanoseconds since an arbitrary start.
uint64_t NowNs();

/// Clock of this core now, in GHz, from a chain of dependent additions of one cycle each; takes
/// about 10 ms.
double MeasureClockGhz();

}  // namespace whit

#endif  // WHIT_PLATFORM_CLOCK_H_
