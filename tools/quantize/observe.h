// Looking at every tensor that a model computes, while it runs.
#ifndef WHIT_TOOLS_QUANTIZE_OBSERVE_H_
#define WHIT_TOOLS_QUANTIZE_OBSERVE_H_

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/whit.h"
#include "tools/quantize/histogram.h"

namespace whit::tools {

struct Graph;

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

/// Bytes of an input or output, also of one without data.
size_t BytesOfView(const TensorView& view);

/// The values of an output as real numbers: floats, and integers of 8 bits (codes where there is a
/// scale); empty for other types.
void ToReal(const TensorView& view, std::vector<float>* real);

/// Runs the sample from the variables' initial values. Float values become codes where the model
/// wants those. REQUIRES that it has a value for every element of every input.
Status RunSample(Runner& runner, const Sample& sample);

/// A model that gives out every float and quantized int8 tensor that it computes, by name: as
/// variants of the file with at most `most_bytes` of further outputs each (or one tensor), of which
/// one is open at a time.
class Observer {
 public:
  static constexpr uint64_t kMostBytes = 256 << 20;

  /// `whit` is copied as far as needed.
  static Result<Observer> Create(std::span<const std::byte> whit, int threads,
                                 uint64_t most_bytes = kMostBytes);

  using Visit = std::function<void(const Observed&)>;
  /// Every tensor once.
  Status Run(const Sample& sample, const Visit& visit);
  size_t variants() const { return variants_.size(); }

 private:
  Status Open(size_t variant);

  std::shared_ptr<const Graph> graph_;
  int threads_ = 1;
  std::vector<std::vector<int>> variants_;  // tensors of the graph
  std::vector<std::byte> file_;             // of the open variant
  std::optional<Runner> runner_;
  size_t open_ = 0;
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
