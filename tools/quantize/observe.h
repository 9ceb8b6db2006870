// Looking at every tensor that a model computes, while it runs.
#ifndef WHIT_TOOLS_QUANTIZE_OBSERVE_H_
#define WHIT_TOOLS_QUANTIZE_OBSERVE_H_

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "runtime/whit.h"
#include "tools/quantize/histogram.h"

namespace whit::tools {

/// One set of values for all inputs of a model, in the types that its caller sees.
struct Sample {
  std::vector<std::vector<std::byte>> inputs;
};

/// A tensor that was computed: `channels` is its last axis.
struct Observed {
  const std::string& name;
  std::span<const float> values;  // real numbers, codes already scaled
  size_t channels;
};

/// The values of an output as real numbers: floats and 8-bit codes; empty for other types.
void ToReal(const TensorView& view, std::vector<float>* real);

/// A model that gives out every float and quantized int8 tensor that it computes, by name. It keeps
/// as many variants of the file as it takes to have at most kMostBytes of them at a time.
class Observer {
 public:
  /// `whit` is copied as far as needed.
  static Result<Observer> Create(std::span<const std::byte> whit, int threads);

  using Visit = std::function<void(const Observed&)>;
  /// Runs the sample from the variables' initial values. Tensors come in groups, each once.
  Status Run(const Sample& sample, const Visit& visit);

 private:
  static constexpr uint64_t kMostBytes = 256 << 20;
  struct Variant {
    std::vector<std::byte> file;
    std::vector<Runner> runner;      // one
    std::vector<std::string> names;  // of the outputs from `first` on
    size_t first = 0;
  };

  std::vector<Variant> variants_;
  std::vector<float> real_;
};

/// What calibration saw of one tensor.
struct TensorStats {
  Histogram histogram;
  std::vector<double> channel_sums;
  uint64_t rows = 0;  // how many values each of them is a sum of

  void Add(const Observed& tensor);
};
using Calibration = std::map<std::string, TensorStats>;

}  // namespace whit::tools

#endif  // WHIT_TOOLS_QUANTIZE_OBSERVE_H_
