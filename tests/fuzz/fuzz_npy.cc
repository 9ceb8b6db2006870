// Any bytes as a NumPy array: what is read has as many bytes as its shape says.
#include "tests/fuzz/run_model.h"
#include "tools/whit/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace whit;
  const auto array = tools::ParseNpy(std::as_bytes(std::span(data, size)));
  MustExplain(array.status());
  if (!array.ok()) return 0;
  size_t elements = 1;
  for (const int64_t dim : array->shape) {
    if (dim < 0) std::abort();
    elements *= static_cast<size_t>(dim);
  }
  if (array->data.size() > size) std::abort();
  if (elements == 0 ? !array->data.empty() : array->data.size() % elements != 0) std::abort();
  return 0;
}
