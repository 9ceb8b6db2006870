// Any bytes as a .whit, with the header's checksum put right: otherwise the checksum would be all
// that is tested.
#include <cstring>
#include <vector>

#include "schema/format.h"
#include "tests/fuzz/run_model.h"
#include "tools/import/unpacking.h"
#include "tools/inspect/replaced_weights.h"

namespace {

// whit inspect --data writes the file anew with other weights.
void ReplaceSome(std::span<const std::byte> bytes) {
  using namespace whit;
  const auto file = ModelFile::Open(Mapping::Borrow(bytes));
  if (!file.ok()) return;
  for (uint32_t i = 0; i < 4 && tools::CanReplaceWeights(**file, i); ++i) {
    auto elements = tools::UnpackWeights(**file, *(*file)->graph().weights()->Get(i));
    for (std::byte& b : elements) b ^= std::byte{0x41};
    const auto replaced = tools::ReplaceWeights(**file, i, elements);
    MustExplain(replaced.status());
    if (replaced.ok()) OpenAndRun(*replaced);
  }
}

}  // namespace

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
