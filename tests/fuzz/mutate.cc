// Seeded hostile files: truncations and byte mutations of .tflite and .whit models, opened and run
// in this process.
//
//   whit_mutate [--truncations N] [--mutations N] [--structured N] [--seed S] [--only I] [--why]
//               FILE...
//
// --structured: mutants of a .whit by meaning (structured.h), whose checksums are true; --only I
// tries the one of that number, --why prints why it was refused.
// Every file must give an error or a valid run within 10 seconds; anything else ends the process
// (sanitizers, SIGALRM) after the mutant's number was printed, so that the same arguments repeat
// it. A mutated .whit gets its header checksum repaired in half of the cases: otherwise only the
// checksum would be tested.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "platform/crypto.h"
#include "platform/mapping.h"
#include "runtime/whit.h"
#include "schema/format.h"
#include "schema/reader.h"
#include "tests/fuzz/run_model.h"
#include "tests/fuzz/structured.h"
#include "tools/import/import.h"

namespace whit {
namespace {

using Bytes = std::vector<std::byte>;

constexpr unsigned kSecondsPerMutant = 10;

char g_current[512];
bool g_why = false;  // print refusals of structured mutants

void OnAlarm(int) {
  const char text[] = "\nno answer in 10 s: ";
  (void)!write(2, text, sizeof text - 1);
  (void)!write(2, g_current, strlen(g_current));
  _exit(3);
}

struct Tally {
  long refused = 0, failed_run = 0, ran = 0;
};

bool IsTflite(const Bytes& bytes) {
  return bytes.size() >= 8 && std::memcmp(bytes.data() + 4, "TFL3", 4) == 0;
}

// Imports if need be, opens, runs once. A message must never be empty.
void Try(const Bytes& bytes, bool tflite, Tally* tally) {
  Bytes imported;
  std::span<const std::byte> file = bytes;
  if (tflite) {
    auto result =
        tools::ImportTfliteBytes({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
    if (!result.ok()) {
      if (result.status().message().empty()) std::abort();
      ++tally->refused;
      return;
    }
    imported = std::move(result).value();
    file = imported;
  }
  OpenOptions options;
  options.integrity = Integrity::kOff;  // else the hash tree would be all that is tested
  auto model = Model::OpenBytes(file, options);
  if (!model.ok()) {
    if (model.status().message().empty()) std::abort();
    ++tally->refused;
    return;
  }
  auto runner = Runner::Create(*model);
  if (!runner.ok()) {
    ++tally->refused;
    return;
  }
  FillInputs(*runner);
  ++(runner->Run().ok() ? tally->ran : tally->failed_run);
}

// The bytes of a structured mutant are those that its tree speaks of: else nothing was tested.
void MustBeIntact(const Status& status) {
  MustExplain(status);
  if (status.code() == StatusCode::kIntegrity) std::abort();
}

// The same with the hash tree checked, under budgets that keep a run short: sizes grow in mutants.
// Every fourth one on the plain executor, which has other kernels and another layout of memory.
void TryStructured(const Bytes& file, bool plain, Tally* tally) {
  OpenOptions options;
  if (!CryptoAvailable()) options.integrity = Integrity::kOff;
  // A second or two of reference kernels under the sanitizers.
  options.budgets.max_macs = 60'000'000;
  options.budgets.max_arena_bytes = 64 << 20;
  auto model = Model::OpenBytes(file, options);
  RunnerOptions run;
  run.plain = plain;
  run.threads = plain ? 1 : 2;
  auto runner = model.ok() ? Runner::Create(*model, run) : model.status();
  MustBeIntact(runner.status());
  if (!runner.ok()) {
    if (g_why) std::printf("%s\n", runner.status().message().c_str());
    ++tally->refused;
    return;
  }
  FillInputs(*runner);
  const Status ran = runner->Run();
  MustBeIntact(ran);
  ++(ran.ok() ? tally->ran : tally->failed_run);
  if (CryptoAvailable() && Describe(*model).golden_samples > 0)
    MustExplain(ReplayGolden(*model, run).status());
}

void RepairChecksum(Bytes* bytes) {
  if (bytes->size() < sizeof(format::Header)) return;
  format::Header header;
  std::memcpy(&header, bytes->data(), sizeof header);
  header.checksum = format::HeaderChecksum(header);
  std::memcpy(bytes->data(), &header, sizeof header);
}

Bytes Mutate(const Bytes& original, std::mt19937_64* rng, bool tflite) {
  Bytes bytes = original;
  auto below = [&](size_t n) { return static_cast<size_t>((*rng)() % n); };
  const size_t size = bytes.size();
  switch (below(4)) {
    case 0:  // the structure is denser near the start and the end
      for (size_t i = 0, n = 1 + below(4); i < n; ++i) {
        const size_t depth = std::min(size - 1, below(800));
        bytes[below(2) ? depth : size - 1 - depth] = static_cast<std::byte>(below(256));
      }
      break;
    case 1:
      for (size_t i = 0, n = 1 + below(8); i < n; ++i)
        bytes[below(size)] ^= static_cast<std::byte>(1u << below(8));
      break;
    case 2: {
      static constexpr uint32_t kWords[] = {0xffffffffu, 0, 0x7fffffffu, 0x80000000u, 1, 0xffffu};
      if (size < 4) break;
      const size_t at = below(size - 3) & ~size_t{3};
      std::memcpy(bytes.data() + at, &kWords[below(std::size(kWords))], 4);
      break;
    }
    default: {  // a piece copied over another
      const size_t n = std::min(size, 1 + below(64)), from = below(size - n + 1),
                   to = below(size - n + 1);
      std::memmove(bytes.data() + to, bytes.data() + from, n);
      break;
    }
  }
  if (!tflite && below(2)) RepairChecksum(&bytes);
  return bytes;
}

void Announce(const char* path, const char* kind, long number) {
  std::snprintf(g_current, sizeof g_current, "%s %s %ld\n", path, kind, number);
  alarm(kSecondsPerMutant);
}

// How many mutants of each kind.
struct Amounts {
  long truncations = 200, mutations = 200, structured = 0;
  long only = -1;  // this structured mutant alone
  uint64_t seed = 1;
};

int TestStructured(const char* path, const Bytes& original, const Amounts& amounts, Tally* tally) {
  const auto file = ModelFile::Open(Mapping::Borrow(original));
  if (!file.ok()) {
    std::fprintf(stderr, "%s: --structured needs a valid .whit: %s\n", path,
                 file.status().message().c_str());
    return 2;
  }
  for (long i = 0; i < amounts.structured; ++i) {
    if (amounts.only >= 0 && i != amounts.only) continue;
    Announce(path, "structured", i);
    // A generator of its own: a number and a seed repeat a mutant without those before it.
    std::mt19937_64 rng(amounts.seed * 0x9e3779b97f4a7c15u + static_cast<uint64_t>(i));
    TryStructured(MutateStructure(**file, &rng), i % 4 == 3, tally);
  }
  return 0;
}

int TestFile(const char* path, const Amounts& amounts) {
  auto read = ReadWholeFile(path, 1u << 30);
  if (!read.ok()) {
    std::fprintf(stderr, "%s\n", read.status().message().c_str());
    return 2;
  }
  const Bytes original = std::move(read).value();
  const bool tflite = IsTflite(original);
  std::mt19937_64 rng(amounts.seed);
  Tally tally;
  for (long i = 0; i < amounts.truncations; ++i) {
    Announce(path, "truncation", i);
    const size_t n =
        original.size() * static_cast<size_t>(i) / static_cast<size_t>(amounts.truncations);
    Try(Bytes(original.begin(), original.begin() + static_cast<std::ptrdiff_t>(n)), tflite, &tally);
  }
  for (long i = 0; i < amounts.mutations; ++i) {
    Announce(path, "mutation", i);
    Try(Mutate(original, &rng, tflite), tflite, &tally);
  }
  if (amounts.structured > 0) {
    if (const int code = TestStructured(path, original, amounts, &tally); code != 0) return code;
  }
  alarm(0);
  std::printf("%s: %ld refused, %ld failed in the run, %ld ran\n", path, tally.refused,
              tally.failed_run, tally.ran);
  std::fflush(stdout);
  return 0;
}

int Main(int argc, char** argv) {
  Amounts amounts;
  std::vector<const char*> files;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    const bool has_value = i + 1 < argc;
    if (arg == "--truncations" && has_value) {
      amounts.truncations = std::atol(argv[++i]);
    } else if (arg == "--mutations" && has_value) {
      amounts.mutations = std::atol(argv[++i]);
    } else if (arg == "--structured" && has_value) {
      amounts.structured = std::atol(argv[++i]);
    } else if (arg == "--why") {
      g_why = true;
    } else if (arg == "--only" && has_value) {
      amounts.only = std::atol(argv[++i]);
    } else if (arg == "--seed" && has_value) {
      amounts.seed = std::strtoull(argv[++i], nullptr, 10);
    } else {
      files.push_back(argv[i]);
    }
  }
  std::signal(SIGALRM, &OnAlarm);
  for (const char* file : files) {
    const int code = TestFile(file, amounts);
    if (code != 0) return code;
  }
  return files.empty() ? 1 : 0;
}

}  // namespace
}  // namespace whit

int main(int argc, char** argv) { return whit::Main(argc, argv); }
