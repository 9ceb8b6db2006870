// Choices that were measured on a device, as text: what `whit tune` stores beside a model. A choice
// never changes an integer byte, only which of several implementations computes it, and how it is
// cut.
#ifndef WHIT_RUNTIME_TUNING_H_
#define WHIT_RUNTIME_TUNING_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "platform/status.h"
#include "schema/reader.h"

namespace whit {

/// For one node of the model.
struct TunedStep {
  int node = -1;
  std::string implementation;
  int block_shift = 0;  // PrepareContext::block_shift
  int threads = 1;
  uint64_t ns = 0;  // measured; for people
};

struct Tuning {
  std::string model;  // ModelDigest, hexadecimal
  std::string cpu;    // CpuDigest
  std::string tier;
  int threads = 1;               // the limit it was measured with
  std::vector<TunedStep> steps;  // ascending nodes
};

/// Of the header and the graph: what choices depend on. Weights are not read.
std::string ModelDigest(const ModelFile& file);
/// The CPU's name and instruction sets in one word.
std::string CpuDigest();

std::string FormatTuning(const Tuning& tuning);

/// Total on any text: kInvalidModel with the line and the rule. Node numbers, shifts and threads
/// are in range for any model of `nodes` nodes.
Result<Tuning> ParseTuning(std::string_view text, size_t nodes);

}  // namespace whit

#endif  // WHIT_RUNTIME_TUNING_H_
