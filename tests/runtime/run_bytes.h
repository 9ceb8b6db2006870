// A model's first output on inputs that are always the same.
#ifndef WHIT_TESTS_RUNTIME_RUN_BYTES_H_
#define WHIT_TESTS_RUNTIME_RUN_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/whit.h"

namespace whit {

/// After `runs` runs, or why there is none. With more than one thread every step is split.
inline Result<std::vector<uint8_t>> RunBytes(const Model& model, int threads = 1, int runs = 1) {
  RunnerOptions options;
  options.threads = threads;
  options.split_always = threads > 1;
  WHIT_ASSIGN_OR_RETURN(Runner runner, Runner::Create(model, options));
  auto in = runner.input(0).bytes();
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<uint8_t>(i * 37);
  for (int run = 0; run < runs; ++run) WHIT_RETURN_IF_ERROR(runner.Run());
  const auto out = runner.output(0).bytes();
  return std::vector<uint8_t>(out.begin(), out.end());
}

/// The same of a file that is yet to be opened.
inline Result<std::vector<uint8_t>> RunBytes(std::span<const std::byte> file,
                                             const OpenOptions& open = {}, int threads = 1,
                                             int runs = 1) {
  WHIT_ASSIGN_OR_RETURN(const Model model, Model::OpenBytes(file, open));
  return RunBytes(model, threads, runs);
}

}  // namespace whit

#endif  // WHIT_TESTS_RUNTIME_RUN_BYTES_H_
