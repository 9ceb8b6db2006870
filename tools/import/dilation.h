// SPACE_TO_BATCH_ND, a convolution without dilation, BATCH_TO_SPACE_ND: how frameworks write a
// dilated convolution that their own kernels lack. It is one here.
#ifndef WHIT_TOOLS_IMPORT_DILATION_H_
#define WHIT_TOOLS_IMPORT_DILATION_H_

#include <cstdint>
#include <optional>

#include "tools/import/lowering.h"

namespace whit::tools {

/// The dilated convolution that a convolution is the middle of, height first.
struct SpreadConv {
  int x = -1;  // the tensor in front of the blocks
  int64_t dilation[2] = {1, 1}, before[2] = {0, 0}, after[2] = {0, 0};
};

/// `l` is a convolution of stride 1 with no padding and no dilation of its own. Nothing where its
/// neighbours are something else, where somebody else reads what lies between, or where the crops
/// are larger than the paddings.
std::optional<SpreadConv> FindSpreadConv(Lowering& l);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_DILATION_H_
