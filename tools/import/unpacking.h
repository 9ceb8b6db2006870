// The inverse of packing.h: weight records of an open .whit file, back in their logical order.
#ifndef WHIT_TOOLS_IMPORT_UNPACKING_H_
#define WHIT_TOOLS_IMPORT_UNPACKING_H_

#include <vector>

#include "kernels/tensor.h"
#include "schema/reader.h"

namespace whit::tools {

/// What a packed array is when it lies row-major: element w of channel c stands for
/// scale[c] * (w - zero_point) where the type is int8.
struct LogicalWeights {
  std::vector<int64_t> shape;  // [O,H,W,I] or [O,I]; depthwise [H,W,C]
  DType type = DType::kInt8;   // int8 or float32
  int channel_axis = 0;        // the axis of the n output channels
  std::vector<float> scale;    // one, or one a channel; empty for float32
  int32_t zero_point = 0;      // of the stored int8 values, the same for all channels
};

/// The form of a record of a file that the schema reader has opened, without reading its data.
/// kInvalidModel where the shape does not have the record's channels on that axis (the reader
/// checks the number of elements alone).
Result<LogicalWeights> LogicalFormOf(const fbs::Weights& record);

/// The elements of that form, row-major: for every layout what the pack functions of
/// kernels/pack.h took. Takes as many bytes as the form has, never more than the packed blob.
std::vector<std::byte> UnpackWeights(const ModelFile& file, const fbs::Weights& record);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_UNPACKING_H_
