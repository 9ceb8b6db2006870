#include "tools/import/strided.h"

#include <cstring>
#include <vector>

namespace whit::tools {

void GatherStrided(std::span<const std::byte> from, std::span<const int64_t> shape,
                   std::span<const int64_t> stride, size_t size, std::span<std::byte> out) {
  std::vector<int64_t> index(shape.size());
  int64_t at = 0;
  for (size_t to = 0; to < out.size(); to += size) {
    std::memcpy(out.data() + to, from.data() + static_cast<size_t>(at) * size, size);
    for (size_t k = shape.size(); k-- > 0;) {  // count up, the last axis fastest
      if (++index[k] < shape[k]) {             // a stride that is never taken may be any number
        at += stride[k];
        break;
      }
      at -= stride[k] * (index[k] - 1);
      index[k] = 0;
    }
  }
}

}  // namespace whit::tools
