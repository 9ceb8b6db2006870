// Any bytes as a .whit, with the header's checksum put right: otherwise the checksum would be all
// that is tested.
#include <cstring>
#include <vector>

#include "schema/format.h"
#include "tests/fuzz/run_model.h"

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
  return 0;
}
