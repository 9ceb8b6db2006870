// make_model OUT.whit [SIGNED.whit SEALED.whit]: a model that no importer makes yet, a batch of 1
// to 4 as the named dimension "batch"; and the same signed by the tests' key, and sealed by it; as
// it is where this build cannot.
#include "platform/mapping.h"
#include "tests/runtime/model_builder.h"
#include "tests/schema/tiny_model.h"

namespace whit {
namespace {

bool Save(const char* path, const std::vector<std::byte>& bytes) {
  const std::span<const std::byte> chunk(bytes);
  return WriteFileAtomically(path, {&chunk, 1}).ok();
}

}  // namespace
}  // namespace whit

int main(int argc, char** argv) {
  if (argc != 2 && argc != 4) return 1;
  const std::vector<std::byte> bytes = whit::SmallNetwork(4);
  if (!whit::Save(argv[1], bytes)) return 2;
  if (argc == 2) return 0;
  const bool crypto = whit::CryptoAvailable();
  return whit::Save(argv[2], crypto ? whit::Signed(bytes) : bytes) &&
                 whit::Save(argv[3], crypto ? whit::Sealed(bytes) : bytes)
             ? 0
             : 2;
}
