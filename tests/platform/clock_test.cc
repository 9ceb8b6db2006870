#include "platform/clock.h"

#include <gtest/gtest.h>

namespace whit {
namespace {

TEST(ClockTest, MonotonicAndPlausible) {
  const uint64_t begin = NowNs();
  const double ghz = MeasureClockGhz();
  const uint64_t elapsed = NowNs() - begin;
  EXPECT_GT(ghz, 0.05);  // emulators are slow
  EXPECT_LT(ghz, 10.0);
  EXPECT_GE(elapsed, 10'000'000u);
}

}  // namespace
}  // namespace whit
