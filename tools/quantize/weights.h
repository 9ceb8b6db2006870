// Weights and biases of one product as codes.
#ifndef WHIT_TOOLS_QUANTIZE_WEIGHTS_H_
#define WHIT_TOOLS_QUANTIZE_WEIGHTS_H_

#include <cstdint>
#include <span>
#include <vector>

namespace whit::tools {

/// A product's float weights and how they lie: [n][k], or [k][n] where depthwise.
struct ProductWeights {
  std::span<const float> values;
  int64_t n = 0, k = 0;
  bool depthwise = false;
  int64_t groups = 1;
  int64_t in_channels = 1;  // of the whole input
  // Of weights that are int8 times a scale: 1 or n of them. Else empty: scales are to be chosen.
  std::span<const float> scale;

  size_t at(int64_t c, int64_t i) const {
    return static_cast<size_t>(depthwise ? i * n + c : c * k + i);
  }
  /// The input channel that element i of output channel c multiplies.
  int64_t in_channel(int64_t c, int64_t i) const;
};

/// The largest bias, in codes: far above what any product of use has, and it leaves most of the 31
/// bits of an accumulator to the products.
inline constexpr int64_t kMostBias = int64_t{1} << 28;

/// codes: int8 in the order of the weights, -127..127; one scale a channel.
struct WeightCodes {
  std::vector<int8_t> codes;
  std::vector<float> scale;
  std::vector<int32_t> bias;  // scale: input_scale * scale[c]
};

/// `bias` is real, n elements or none. `means` (none: no correction): the mean of every input
/// channel on calibration data; what rounding the weights adds to the mean of output channel c,
/// sum over i of (quantized - real weight) * mean, is taken off its bias (Nagel et al., 2019,
/// equation 15). Weights that have scales keep them and their codes. A channel whose bias would not
/// fit kMostBias takes a larger scale. REQUIRES that all numbers are finite.
WeightCodes QuantizeWeights(const ProductWeights& w, std::span<const float> bias, float input_scale,
                            std::span<const double> means);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_QUANTIZE_WEIGHTS_H_
