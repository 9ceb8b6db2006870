#include "tools/whit/real_values.h"

#include "tools/whit/open_model.h"

namespace whit::tools {

Result<std::vector<double>> RealValues(const TensorView& output) {
  std::vector<double> real;
  auto take = [&](auto values) {
    for (auto v : values) {
      real.push_back(output.scale == 0 ? static_cast<double>(v)
                                       : static_cast<double>(output.scale) *
                                             (static_cast<double>(v) - output.zero_point));
    }
  };
  switch (output.type) {
    case Type::kFloat32:
      take(output.as<float>());
      break;
    case Type::kInt8:
      take(output.as<int8_t>());
      break;
    case Type::kUint8:
      take(output.as<uint8_t>());
      break;
    case Type::kInt16:
      take(output.as<int16_t>());
      break;
    default:
      return BadInput("output '" + std::string(output.name) + "' is " + TypeAndShape(output) +
                      ", real numbers are float32, int8, uint8 or int16");
  }
  return real;
}

}  // namespace whit::tools
