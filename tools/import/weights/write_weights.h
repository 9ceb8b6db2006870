// Files of weights written: safetensors and NumPy's .npz, one tensor in memory at a time.
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_WRITE_WEIGHTS_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_WRITE_WEIGHTS_H_

#include <functional>
#include <string>
#include <vector>

#include "tools/import/weights/weights.h"

namespace whit::tools {

/// What is written: the readable tensors of a file, under other names where they are given.
struct WeightSelection {
  const WeightFile* file = nullptr;
  std::vector<size_t> tensors;                           // indices
  std::vector<std::string> names;                        // of each; unique
  std::function<void(double)> progress = [](double) {};  // share of the bytes that are written
};

/// Elements keep their types. Metadata are kept as text; scales and zero points of quantized
/// tensors as "<name>.scale", "<name>.zero_point" and "<name>.axis" in them.
Status WriteSafetensors(const WeightSelection& selection, const std::string& path);
/// Types that NumPy does not have are written as unsigned integers of their size.
Status WriteNpz(const WeightSelection& selection, const std::string& path);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_WRITE_WEIGHTS_H_
