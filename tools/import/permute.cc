#include "tools/import/permute.h"

#include <cstring>

namespace whit::tools {

Shape Permuted(const Shape& shape, const std::vector<int>& perm) {
  Shape out = shape;
  for (size_t i = 0; i < perm.size(); ++i) out[static_cast<int>(i)] = shape[perm[i]];
  return out;
}

Result<Bytes> Permuted(Scope& l, std::span<const std::byte> values, const Shape& shape,
                       const std::vector<int>& perm, size_t size) {
  WHIT_RETURN_IF_ERROR(l.state().work.Charge(static_cast<uint64_t>(shape.elements())));
  const Shape out_shape = Permuted(shape, perm);
  const int rank = shape.rank();
  std::vector<int64_t> step(perm.size());  // in the source, of one step along an output axis
  for (size_t i = 0; i < perm.size(); ++i) step[i] = shape.Product(perm[i] + 1, rank);
  Bytes out(values.size());
  std::vector<int64_t> at(perm.size(), 0);
  int64_t from = 0;
  for (size_t to = 0; to < out.size(); to += size) {
    std::memcpy(out.data() + to, values.data() + static_cast<size_t>(from) * size, size);
    for (int a = rank - 1; a >= 0; --a) {  // count up, the last axis fastest
      const auto i = static_cast<size_t>(a);
      from += step[i];
      if (++at[i] < out_shape[a]) break;
      from -= step[i] * at[i];
      at[i] = 0;
    }
  }
  return out;
}

}  // namespace whit::tools
