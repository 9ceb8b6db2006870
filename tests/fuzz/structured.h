// Mutants of a .whit that every check of bytes lets through: the graph is changed by meaning -
// operators, tensors, indices, shapes, options, quantization, blobs - and the file put together
// again with a true checksum and a true hash tree. So the validator, the planner and the kernels
// are what is tested.
#ifndef WHIT_TESTS_FUZZ_STRUCTURED_H_
#define WHIT_TESTS_FUZZ_STRUCTURED_H_

#include <cstddef>
#include <random>
#include <vector>

#include "schema/reader.h"

namespace whit {

/// One mutant of a valid file. The same generator state gives the same bytes.
std::vector<std::byte> MutateStructure(const ModelFile& file, std::mt19937_64* rng);

}  // namespace whit

#endif  // WHIT_TESTS_FUZZ_STRUCTURED_H_
