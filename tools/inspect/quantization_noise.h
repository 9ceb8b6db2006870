// What quantizing a tensor of floats would cost, without quantizing the model.
#ifndef WHIT_TOOLS_INSPECT_QUANTIZATION_NOISE_H_
#define WHIT_TOOLS_INSPECT_QUANTIZATION_NOISE_H_

#include "tools/inspect/statistics.h"

namespace whit::tools {

/// Signal to quantization noise, 10 log10(sum w^2 / sum (w - q(w))^2) in dB; infinite where nothing
/// is lost, 0 for a tensor of zeros. q rounds w / s to the nearest even and clamps it to -m..m,
/// where s = largest magnitude / m: symmetric, m = 127 for int8, 7 for int4.
struct QuantizationNoise {
  double int8_tensor = 0;   // one scale
  double int8_channel = 0;  // one a channel
  double int4_channel = 0;
};

/// One pass. `s`: of the same tensor. Elements that are not finite are left out.
QuantizationNoise QuantizationNoiseOf(const TensorEntry& entry, std::span<const std::byte> bytes,
                                      const ChannelLayout& layout, const TensorStatistics& s);

/// One symmetric scale: w -> step * round(w / step), |round| <= most. Step 0 keeps everything.
class SymmetricRounding {
 public:
  SymmetricRounding(double largest, double most);
  double operator()(double w) const {
    // Adding 1.5 * 2^52 leaves no bits behind the point: the nearest integer, ties to even.
    constexpr double kRound = 6755399441055744.0;
    double code = w * per_step_;
    code = code > most_ ? most_ : code < -most_ ? -most_ : code;
    return exact_ ? w : ((code + kRound) - kRound) * step_;
  }

 private:
  double step_, per_step_, most_;
  bool exact_;
};

}  // namespace whit::tools

#endif  // WHIT_TOOLS_INSPECT_QUANTIZATION_NOISE_H_
