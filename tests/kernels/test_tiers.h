// The tiers that tests run: those of the build, and test-only ones.
#ifndef WHIT_TESTS_KERNELS_TEST_TIERS_H_
#define WHIT_TESTS_KERNELS_TEST_TIERS_H_

#include <span>
#include <string>
#include <vector>

#include "kernels/simd/tiers.h"

namespace whit {

/// Every tier with kernels that this CPU can run, "avxvnni-emulated" among them: the code of
/// avxvnni with its one instruction replaced by exact AVX2. What cannot run is listed when tests
/// end; it must never look green.
std::span<const simd::Tier* const> RunnableTiers();

/// "avxvnni: this CPU does not have ..." for each that cannot.
std::vector<std::string> TiersNotRun();

}  // namespace whit

#endif  // WHIT_TESTS_KERNELS_TEST_TIERS_H_
