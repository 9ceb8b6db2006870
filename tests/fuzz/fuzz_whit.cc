// Any bytes as a .whit, with the header's checksum put right: otherwise the checksum would be all
// that is tested.
#include <cstring>
#include <vector>

#include "schema/format.h"
#include "schema/reader.h"
#include "tests/fuzz/run_model.h"
#include "tests/fuzz/structured.h"
#include "tools/import/unpacking.h"
#include "tools/inspect/replaced_weights.h"

namespace {

// whit inspect --data writes the file anew with other weights, once it was opened as a model.
void ReplaceSome(std::span<const std::byte> bytes) {
  using namespace whit;
  const auto file = ModelFile::Open(Mapping::Borrow(bytes));
  if (!file.ok() || !Model::OpenBytes(bytes).ok()) return;
  for (uint32_t i = 0; i < 4 && tools::CanReplaceWeights(**file, i); ++i) {
    auto elements = tools::UnpackWeights(**file, *(*file)->graph().weights()->Get(i));
    for (std::byte& b : elements) b ^= std::byte{0x41};
    const auto replaced = tools::ReplaceWeights(**file, i, elements);
    MustExplain(replaced.status());
    if (replaced.ok()) OpenAndRun(*replaced);
  }
}

}  // namespace

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

// A valid file is mostly changed by meaning, anything else by bytes.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  const std::vector<std::byte> bytes(reinterpret_cast<std::byte*>(data),
                                     reinterpret_cast<std::byte*>(data) + size);
  std::mt19937_64 rng(seed);
  if (rng() % 4 == 0) return LLVMFuzzerMutate(data, size, max_size);
  const auto file = whit::ModelFile::Open(whit::Mapping::Borrow(bytes));
  if (!file.ok()) return LLVMFuzzerMutate(data, size, max_size);
  const std::vector<std::byte> mutant = whit::MutateStructure(**file, &rng);
  if (mutant.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::memcpy(data, mutant.data(), mutant.size());
  return mutant.size();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Outside of the sanitizers' shadow of libFuzzer's own buffer, and aligned as a mapping is.
  std::vector<std::byte> file(size);
  if (size > 0) std::memcpy(file.data(), data, size);
  if (size >= sizeof(whit::format::Header)) {
    whit::format::Header header;
    std::memcpy(&header, file.data(), sizeof header);
    header.checksum = whit::format::HeaderChecksum(header);
    std::memcpy(file.data(), &header, sizeof header);
  }
  whit::OpenAndRun(file);
  ReplaceSome(file);
  return 0;
}
