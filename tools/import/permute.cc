#include "tools/import/permute.h"

#include "tools/import/strided.h"

namespace whit::tools {

Shape Permuted(const Shape& shape, const std::vector<int>& perm) {
  Shape out = shape;
  for (size_t i = 0; i < perm.size(); ++i) out[static_cast<int>(i)] = shape[perm[i]];
  return out;
}

Result<Bytes> Permuted(Scope& l, std::span<const std::byte> values, const Shape& shape,
                       const std::vector<int>& perm, size_t size) {
  WHIT_RETURN_IF_ERROR(l.state().work.Charge(static_cast<uint64_t>(shape.elements())));
  std::vector<int64_t> dims, stride;
  for (const int axis : perm) {
    dims.push_back(shape[axis]);
    stride.push_back(shape.Product(axis + 1, shape.rank()));
  }
  Bytes out(values.size());
  GatherStrided(values, dims, stride, size, out);
  return out;
}

}  // namespace whit::tools
