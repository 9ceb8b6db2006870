// NumPy's .npy files: one array each. Reading is total: any bytes give an array or a message.
#ifndef WHIT_TOOLS_WHIT_NPY_H_
#define WHIT_TOOLS_WHIT_NPY_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "platform/status.h"
#include "runtime/whit.h"

namespace whit::tools {

struct NpyArray {
  Type type = Type::kFloat32;
  std::vector<int64_t> shape;
  std::vector<std::byte> data;  // row-major, little-endian
};

/// Format versions 1 to 3, row-major, little-endian, the element types of whit (bool as |b1).
Result<NpyArray> ParseNpy(std::span<const std::byte> file);
Result<NpyArray> ReadNpy(const std::string& path);

/// Version 1.0; the file exists whole or not at all.
Status WriteNpy(const std::string& path, Type type, std::span<const int64_t> shape,
                std::span<const std::byte> data);

/// The array of `path` into `input`: the same type, and the same shape but for leading ones.
Status LoadInput(const std::string& path, const TensorView& input);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_WHIT_NPY_H_
