// Calibration data of the command line: pictures, arrays, folders of them, as a model's inputs.
#ifndef WHIT_TOOLS_WHIT_SAMPLES_H_
#define WHIT_TOOLS_WHIT_SAMPLES_H_

#include <string>
#include <vector>

#include "tools/quantize/observe.h"
#include "tools/whit/command.h"
#include "tools/whit/image.h"

namespace whit::tools {

/// `paths`: pictures; .npy files of one sample, or of several along the first axis; folders, of
/// which the pictures and .npy files are taken in the order of their names. For a model of several
/// inputs each path is NAME=FILE.npy, and all files have as many samples.
struct SampleFlags {
  std::vector<std::string> data;
  int crops = 0;  // random parts of every picture; 0: the picture as whit classify takes it
  uint64_t seed = 1;
  std::vector<float> mean, std;

  void AddTo(CLI::App* cli);
  /// kInvalidArgument or kRuntime with the file that does not fit. At most 1 GiB of samples.
  Result<std::vector<Sample>> Read(const Model& model) const {
    return ReadFor(model, model.inputs());
  }
  /// The same for these views of the model's inputs: a runner's, which leave no dimension open.
  Result<std::vector<Sample>> ReadFor(const Model& model, std::span<const TensorView> inputs) const;
  /// As many other random parts of the same pictures; empty where none are taken.
  Result<std::vector<Sample>> ReadOthers(const Model& model) const;
};

}  // namespace whit::tools

#endif  // WHIT_TOOLS_WHIT_SAMPLES_H_
