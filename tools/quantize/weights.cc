#include "tools/quantize/weights.h"

#include <algorithm>
#include <cmath>

#include "tools/quantize/range.h"

namespace whit::tools {

int64_t ProductWeights::in_channel(int64_t c, int64_t i) const {
  if (depthwise) return c / std::max<int64_t>(n / in_channels, 1);
  const int64_t per_group = in_channels / groups;
  return c / (n / groups) * per_group + i % per_group;
}

WeightCodes QuantizeWeights(const ProductWeights& w, std::span<const float> bias, float input_scale,
                            std::span<const double> means) {
  constexpr auto kMost = static_cast<double>(kMostBias);
  WeightCodes out;
  out.codes.resize(w.values.size());
  out.scale.resize(static_cast<size_t>(w.n));
  out.bias.resize(out.scale.size(), 0);
  std::vector<float> channel(static_cast<size_t>(w.k));
  for (int64_t c = 0; c < w.n; ++c) {
    const auto ci = static_cast<size_t>(c);
    for (int64_t i = 0; i < w.k; ++i) channel[static_cast<size_t>(i)] = w.values[w.at(c, i)];
    double real_bias = bias.empty() ? 0 : static_cast<double>(bias[ci]);
    const double least = std::abs(real_bias) / (kMost * static_cast<double>(input_scale));
    const float own = w.scale.empty() ? WeightScale(channel) : w.scale[w.scale.size() > 1 ? ci : 0];
    float scale = std::max(own, static_cast<float>(least));
    if (!(scale > 1e-30f)) scale = 1e-6f;  // all zeros: any will do
    double shift = 0;
    for (int64_t i = 0; i < w.k; ++i) {
      const float real = channel[static_cast<size_t>(i)];
      const float code = std::clamp(std::nearbyint(real / scale), -127.0f, 127.0f);
      out.codes[w.at(c, i)] = static_cast<int8_t>(code);
      if (!means.empty()) {
        const double quantized = static_cast<double>(code) * static_cast<double>(scale);
        shift += (quantized - static_cast<double>(real)) *
                 means[static_cast<size_t>(w.in_channel(c, i))];
      }
    }
    out.scale[ci] = scale;
    const double codes =
        (real_bias - shift) / (static_cast<double>(input_scale) * static_cast<double>(scale));
    out.bias[ci] = static_cast<int32_t>(std::lround(std::clamp(codes, -kMost, kMost)));
  }
  return out;
}

}  // namespace whit::tools
