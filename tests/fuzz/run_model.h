// What a fuzzer does with a model that was opened.
#ifndef WHIT_TESTS_FUZZ_RUN_MODEL_H_
#define WHIT_TESTS_FUZZ_RUN_MODEL_H_

#include <cstddef>
#include <cstdlib>
#include <span>

#include "runtime/whit.h"

namespace whit {

/// A message of an error is never empty: the process ends otherwise.
inline void MustExplain(const Status& status) {
  if (!status.ok() && status.message().empty()) std::abort();
}

inline void FillInputs(const Runner& runner) {
  for (size_t i = 0; i < runner.input_count(); ++i) {
    auto in = runner.input(i).bytes();
    for (size_t k = 0; k < in.size(); ++k) in[k] = static_cast<uint8_t>(k * 31 + i);
  }
}

/// Opens the file under budgets that let no run take long, plans and runs it once.
inline void OpenAndRun(std::span<const std::byte> file, Integrity integrity) {
  OpenOptions options;
  options.integrity = integrity;
  // Under the sanitizers a recurrent layer of one cell takes 0.2 us a product: 0.8 s.
  options.budgets.max_macs = 4'000'000;
  options.budgets.max_arena_bytes = 16 << 20;
  auto model = Model::OpenBytes(file, options);
  MustExplain(model.status());
  if (!model.ok()) return;
  auto runner = Runner::Create(*model);
  MustExplain(runner.status());
  if (!runner.ok()) return;
  FillInputs(*runner);
  MustExplain(runner->Run());
}

/// The checks of the hash tree, then what lies behind them: with the checks on, a changed byte
/// would get no further.
inline void OpenAndRun(std::span<const std::byte> file) {
  OpenAndRun(file, Integrity::kLazy);
  OpenAndRun(file, Integrity::kOff);
}

}  // namespace whit

#endif  // WHIT_TESTS_FUZZ_RUN_MODEL_H_
