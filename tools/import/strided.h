// Arrays whose elements lie in another order than row by row.
#ifndef WHIT_TOOLS_IMPORT_STRIDED_H_
#define WHIT_TOOLS_IMPORT_STRIDED_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace whit::tools {

/// Copies an array of `shape` row by row to `out`, elements of `size` bytes; the one at indices i
/// lies at element sum(i[k] * stride[k]) of `from`. REQUIRES strides of 0 or more for which all of
/// them lie in `from`, and out.size() == product of shape * size.
void GatherStrided(std::span<const std::byte> from, std::span<const int64_t> shape,
                   std::span<const int64_t> stride, size_t size, std::span<std::byte> out);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_STRIDED_H_
