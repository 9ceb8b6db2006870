// Golden samples into a .whit file: `whit golden`, `whit import --golden`.
#ifndef WHIT_TOOLS_WHIT_STORE_GOLDEN_H_
#define WHIT_TOOLS_WHIT_STORE_GOLDEN_H_

#include <string>

#include "tools/whit/samples.h"

namespace whit::tools {

struct StoredGolden {
  size_t samples = 0;
  uint64_t file_bytes = 0, trust_bytes = 0;
  bool signature_dropped = false;
};

/// Reads the samples, runs each on the plain executor and on the best tier, and writes `file` with
/// their inputs and digests in place of those it had, to `out`. A signature of the file does not
/// cover them: it is made anew with the key of `key_file`, or dropped where that is empty.
Result<StoredGolden> StoreGolden(const std::string& file, const std::string& out,
                                 const SampleFlags& samples, const std::string& key_file);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_WHIT_STORE_GOLDEN_H_
