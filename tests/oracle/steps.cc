// Several runs of one model in one process, which the whit command does not offer: variables
// persist from run to run.
//
//   whit_steps MODEL.whit STEPS IN OUT [plain]
//
// IN holds the raw bytes of all inputs, step after step; OUT gets those of all outputs, and then
// once more the outputs of the first step, run again after Reset.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "whit/whit.h"

namespace {

int Fail(const std::string& what) {
  std::fprintf(stderr, "whit_steps: %s\n", what.c_str());
  return 2;
}

bool ReadInputs(const whit::Runner& runner, std::ifstream& in) {
  for (size_t i = 0; i < runner.input_count(); ++i) {
    const auto bytes = runner.input(i).bytes();
    in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  return in.good();
}

whit::Status RunOnce(whit::Runner& runner, std::ofstream& out) {
  whit::Status ran = runner.Run();
  for (size_t i = 0; ran.ok() && i < runner.output_count(); ++i) {
    const auto bytes = runner.output(i).bytes();
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
  }
  return ran;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return Fail("MODEL.whit STEPS IN OUT [plain]");
  const auto model = whit::Model::Open(argv[1]);
  if (!model.ok()) return Fail(model.status().message());
  whit::RunnerOptions options;
  options.plain = argc > 5 && std::string(argv[5]) == "plain";
  options.xnnpack = whit::Xnnpack::kOff;
  auto runner = whit::Runner::Create(*model, options);
  if (!runner.ok()) return Fail(runner.status().message());

  std::ifstream in(argv[3], std::ios::binary);
  std::ofstream out(argv[4], std::ios::binary);
  const int steps = std::atoi(argv[2]);
  for (int step = 0; step <= steps; ++step) {
    if (step == steps) {
      in.seekg(0);
      const whit::Status reset = runner->Reset();
      if (!reset.ok()) return Fail(reset.message());
    }
    if (!ReadInputs(*runner, in)) return Fail(std::string(argv[3]) + ": too few bytes");
    const whit::Status ran = RunOnce(*runner, out);
    if (!ran.ok()) return Fail(ran.message());
  }
  return out.good() ? 0 : Fail(std::string(argv[4]) + ": cannot write");
}
