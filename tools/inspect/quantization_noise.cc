#include "tools/inspect/quantization_noise.h"

#include <cmath>
#include <limits>

#include "tools/import/weights/blocks.h"

namespace whit::tools {

namespace {

double Decibels(double signal, double noise) {
  if (noise == 0) return signal == 0 ? 0 : std::numeric_limits<double>::infinity();
  return 10 * std::log10(signal / noise);
}

}  // namespace

SymmetricRounding::SymmetricRounding(double largest, double most)
    : step_(largest / most), per_step_(most / largest), most_(most) {
  exact_ = !(step_ > 0) || !std::isfinite(step_) || !std::isfinite(per_step_);
}

QuantizationNoise QuantizationNoiseOf(const TensorEntry& entry, std::span<const std::byte> bytes,
                                      const ChannelLayout& layout, const TensorStatistics& s) {
  const SymmetricRounding whole(s.largest(), 127);
  double tensor8 = 0, channel8 = 0, channel4 = 0;
  ForBlocks(entry, bytes, [&](size_t at, std::span<double> values) {
    Dequantize(entry, at, values);
    ForRuns(layout, at, values, [&](size_t channel, size_t, std::span<const double> run) {
      const double largest = s.channels[channel].largest();
      const SymmetricRounding own(largest, 127), four(largest, 7);
      double a = 0, b = 0, c = 0;
      for (const double v : run) {
        if (!std::isfinite(v)) continue;
        const double x = v - whole(v), y = v - own(v), z = v - four(v);
        a += x * x, b += y * y, c += z * z;
      }
      tensor8 += a, channel8 += b, channel4 += c;
    });
  });
  return {Decibels(s.energy, tensor8), Decibels(s.energy, channel8), Decibels(s.energy, channel4)};
}

}  // namespace whit::tools
