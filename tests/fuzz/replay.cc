// Files that once were found, or made, to break something, given to the fuzz targets without a
// fuzzer: tests/data/bad/<target>/<file>.
//
//   whit_replay FOLDER     every file of FOLDER/fuzz_whit to the target fuzz_whit, and so on
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "platform/mapping.h"

// What libFuzzer would bring.
extern "C" size_t LLVMFuzzerMutate(uint8_t*, size_t size, size_t) { return size; }

// LLVMFuzzerTestOneInput of fuzz_<name>.cc is called replay_fuzz_<name> here.
#define TARGET(name) extern "C" int replay_##name(const uint8_t* data, size_t size);
#include "replay_targets.inc"
#undef TARGET

namespace {

struct Target {
  const char* name;
  int (*run)(const uint8_t*, size_t);
};

constexpr Target kTargets[] = {
#define TARGET(name) {#name, replay_##name},
#include "replay_targets.inc"
#undef TARGET
};

int Replay(const Target& target, const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    std::printf("%s: %s\n", target.name, file.filename().c_str());
    std::fflush(stdout);
    const auto bytes = whit::ReadWholeFile(file.string(), 1 << 20);
    if (!bytes.ok()) {
      std::printf("%s\n", bytes.status().message().c_str());
      return -1;
    }
    // A copy of its exact size, so that a sanitizer sees an access behind the end.
    const std::vector<uint8_t> copy(reinterpret_cast<const uint8_t*>(bytes->data()),
                                    reinterpret_cast<const uint8_t*>(bytes->data()) + bytes->size());
    target.run(copy.data(), copy.size());
  }
  return static_cast<int>(files.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "whit_replay FOLDER\n");
    return 1;
  }
  for (const Target& target : kTargets) {
    const std::filesystem::path folder = std::filesystem::path(argv[1]) / target.name;
    const int files = std::filesystem::is_directory(folder) ? Replay(target, folder) : 0;
    if (files <= 0) {
      std::fprintf(stderr, "%s: no files in %s\n", target.name, folder.c_str());
      return 1;
    }
    std::printf("%s: %d files, each refused or run\n", target.name, files);
  }
  return 0;
}
