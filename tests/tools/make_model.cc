// make_model OUT.whit: a model that no importer makes yet, a batch of 1 to 4 as the named dimension
// "batch".
#include "platform/mapping.h"
#include "tests/runtime/model_builder.h"

int main(int argc, char** argv) {
  if (argc != 2) return 1;
  const std::vector<std::byte> bytes = whit::SmallNetwork(4);
  const std::span<const std::byte> chunk(bytes);
  return whit::WriteFileAtomically(argv[1], {&chunk, 1}).ok() ? 0 : 2;
}
