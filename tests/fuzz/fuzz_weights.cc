// Any bytes as a file of weights, of whatever format they claim to be: listed, and every tensor
// read.
#include <vector>

#include "tests/fuzz/run_model.h"
#include "tools/import/weights/weights.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace whit;
  tools::WeightLimits limits;
  limits.tensor_bytes = 16 << 20;
  limits.header_bytes = 16 << 20;
  auto file = tools::OpenWeightBytes(std::as_bytes(std::span(data, size)), "input", limits);
  MustExplain(file.status());
  if (!file.ok()) return 0;
  std::vector<std::byte> scratch;
  unsigned sum = 0;
  for (size_t i = 0; i < (*file)->tensors().size() && i < 64; ++i) {
    auto bytes = (*file)->Read(i, &scratch);
    MustExplain(bytes.status());
    if (!bytes.ok()) continue;
    if (bytes->size() != (*file)->tensors()[i].bytes()) std::abort();
    for (std::byte b : *bytes) sum += static_cast<unsigned>(b);  // all of them can be read
  }
  volatile unsigned seen = sum;
  (void)seen;
  return 0;
}
