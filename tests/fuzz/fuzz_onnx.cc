// Any bytes as an ONNX model: imported, and what comes out opened and run.
#include "tests/fuzz/run_model.h"
#include "tools/import/import.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto file = whit::tools::ImportOnnxBytes({data, size});
  whit::MustExplain(file.status());
  if (file.ok()) whit::OpenAndRun(*file);
  return 0;
}
