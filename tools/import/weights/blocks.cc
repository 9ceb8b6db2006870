#include "tools/import/weights/blocks.h"

namespace whit::tools {

void Dequantize(const TensorEntry& entry, size_t at, std::span<double> values) {
  const AffineCodes& codes = entry.codes;
  if (codes.empty()) return;
  size_t inner = 1;  // elements that share a scale, one after the other
  if (codes.scale.size() > 1) {
    for (size_t k = static_cast<size_t>(codes.axis) + 1; k < entry.shape.size(); ++k)
      inner *= static_cast<size_t>(entry.shape[k]);
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t channel = codes.scale.size() == 1 ? 0 : (at + i) / inner % codes.scale.size();
    values[i] = codes.scale[channel] * (values[i] - static_cast<double>(codes.zero_point[channel]));
  }
}

}  // namespace whit::tools
