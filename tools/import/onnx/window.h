// The windows of ONNX' convolutions and pools: attributes of any number of spatial axes, and how
// one or three of them are carried by operators of two.
#ifndef WHIT_TOOLS_IMPORT_ONNX_WINDOW_H_
#define WHIT_TOOLS_IMPORT_ONNX_WINDOW_H_

#include <optional>
#include <vector>

#include "tools/import/onnx/op.h"

namespace whit::tools::onnx {

/// One spatial axis. `overhang`: pixels behind the padding that the last window of a pool with
/// ceil_mode reaches over.
struct SpatialAxis {
  int64_t in = 1, kernel = 1, stride = 1, dilation = 1, before = 0, after = 0, overhang = 0;

  int64_t extent() const { return (kernel - 1) * dilation + 1; }
  int64_t out() const { return (in + before + after + overhang - extent()) / stride + 1; }
};
using Spatial = std::vector<SpatialAxis>;

/// Of [N,C,...]: what follows the channels.
inline Ints SpatialDims(const Ints& dims) { return {dims.begin() + 2, dims.end()}; }

/// Reads strides, dilations, pads, auto_pad and ceil_mode for an input of those spatial sizes.
/// Nothing, and an error, where they do not fit together.
std::optional<Spatial> ReadSpatial(Op& op, const Ints& in, const Ints& kernel);

/// Spatial axes `first` and the one behind it as a window; an axis before the first one is a 1.
Window2D WindowOf(const Spatial& axes, size_t first);

/// x[N,W,C] as [N,1,W,C]; x[N,H,W,C] as it is; x[N,D,H,W,C] as [N*D,H,W,C].
Value Planes(GraphBuilder& g, Value x);
/// The way back to `rank` axes: `batch` images or volumes.
Value Unplanes(GraphBuilder& g, Value y, int rank, int64_t batch);

}  // namespace whit::tools::onnx

#endif  // WHIT_TOOLS_IMPORT_ONNX_WINDOW_H_
