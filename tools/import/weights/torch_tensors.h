// The tensors that a pickle of PyTorch describes, with the names that lead to them.
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_TORCH_TENSORS_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_TORCH_TENSORS_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "platform/status.h"
#include "tools/import/weights/pickle.h"
#include "tools/import/weights/weights.h"

namespace whit::tools {

/// A view of a storage: elements at offset + sum of index * stride.
struct TorchTensor {
  TensorEntry entry;
  std::string_view storage;  // key of its storage; empty: `bytes` are the elements
  ElementType storage_type = ElementType::kUint8;
  uint64_t storage_elements = 0;  // as the pickle states it
  uint64_t offset = 0;            // elements of the entry's type
  std::vector<int64_t> stride;    // elements, none below 0; as many as dimensions
  std::span<const std::byte> bytes;
  std::shared_ptr<const std::vector<std::byte>> owned;  // where `bytes` do not lie in the pickle
  bool big_endian = false;                              // of `bytes`
  /// Scales and zero points of entry.codes.axis, where every channel has its own; else empty. They
  /// are tensors of the file that have no name in it; entry.codes is still to be filled from them.
  std::vector<TorchTensor> channel_codes;
};

/// Walks what the pickle describes: dicts by their keys, lists by their indices, objects by their
/// attributes, joined by '.'; an nn.Module's _parameters, _buffers and _modules add nothing to a
/// name. Tensors come in the order of the pickle. What one object holds in two places is two
/// tensors.
Result<std::vector<TorchTensor>> FindTorchTensors(const Pickle& pickle, const WeightLimits& limits);

/// The element type of "torch.FloatStorage" or "torch.float32", with or without the module; false
/// where there is none such.
bool TorchType(std::string_view name, ElementType* type);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_TORCH_TENSORS_H_
