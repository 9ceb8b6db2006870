// Numbers inside a FlatBuffer of model.fbs, found by its schema: whatever table and field is added
// there is mutated too.
#ifndef WHIT_TESTS_FUZZ_SCALAR_SITES_H_
#define WHIT_TESTS_FUZZ_SCALAR_SITES_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>

namespace whit {

/// Changes `count` numbers of a well-formed graph in place: scalars, elements and lengths of
/// vectors, enumerators, and now and then the type of a union. Every field has the same chance,
/// however often it occurs.
void MutateScalars(std::span<uint8_t> graph, size_t count, std::mt19937_64* rng);

}  // namespace whit

#endif  // WHIT_TESTS_FUZZ_SCALAR_SITES_H_
